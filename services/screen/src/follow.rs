//! Follows the firewall's events: what is tried against the rules becomes a row and a message, once a join.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use sanctum_api::Event;
use sanctum_api::firewall::{Device, Happening, Kind, Verdict};
use sanctum_api::notify::Severity;
use sanctum_api::screen::{ScreenEvent, Violation};
use sanctum_kernel::well::Status;
use sanctum_kernel::{Chain, Failure, Stop, Trace};
use tokio::time::Instant;

use crate::engine::newcomers;
use crate::hub::{Hub, Inner};
use crate::records::{Letter, Seen, Written};
use crate::words::Words;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(10);
/// A join of a blocked device is followed by an `attempt` with its verdict; without one the row is written all the same.
const VERDICT_WITHIN: Duration = Duration::from_millis(1500);
/// A stranger is asked for at the firewall no longer than this.
const LOOK_UP: Duration = Duration::from_secs(2);

/// Runs until stopped.
pub(crate) async fn follow(hub: Hub, stop: Stop) -> Result<(), Failure> {
    let mut follower = Follower { last: hub.records.get("last-event").await?, joins: BTreeMap::new(), hub };
    let mut pause = FIRST_PAUSE;
    while !stop.is_requested() {
        match stop.or(follower.connection()).await {
            None => break,
            // A stream that worked and ended is a firewall that restarts: come back at once.
            Some(Ok(())) => pause = FIRST_PAUSE,
            Some(Err(error)) => {
                follower.hub.shared.well.set("events", Status::Degraded, Chain(&*error).to_string());
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
        stop.or(tokio::time::sleep(pause)).await;
    }
    Ok(())
}

struct Follower {
    hub: Hub,
    last: Option<String>,
    /// Joins of blocked devices that wait for their verdict.
    joins: BTreeMap<String, (Instant, Happening)>,
}

impl Follower {
    /// One connection, until it ends.
    async fn connection(&mut self) -> Result<(), Failure> {
        let mut events = self.hub.firewall.events(self.last.clone()).await?;
        self.hub.shared.well.set("events", Status::Well, "the firewall's events are followed");
        // It may have been away: what it holds now is looked at, and declared again if need be.
        self.hub.keeper.nudge();
        self.hub.watch.nudge();
        if self.last.is_none() {
            self.whole().await?;
        }
        loop {
            let due = self.joins.values().map(|(due, _)| *due).min();
            let timer = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = events.next() => match event {
                    None => return Ok(()),
                    Some(event) => self.event(event?).await?,
                },
                () = timer => self.overdue().await?,
            }
        }
    }

    async fn event(&mut self, event: Event) -> Result<(), Failure> {
        if event.kind == "lost" {
            self.whole().await?;
        } else {
            match serde_json::from_str::<Happening>(&event.data) {
                Ok(happening) => self.happened(happening).await?,
                Err(error) => {
                    tracing::warn!(%error, kind = event.kind, "an event of the firewall cannot be read");
                }
            }
        }
        if let Some(id) = event.id {
            self.last = Some(id.clone());
            self.hub.records.set("last-event", id).await?;
        }
        Ok(())
    }

    async fn happened(&mut self, happening: Happening) -> Result<(), Failure> {
        let Some(device) = happening.device.clone() else {
            if happening.kind == Kind::Drift {
                self.hub.keeper.nudge();
            }
            return Ok(());
        };
        match happening.kind {
            Kind::Joined => {
                self.hub.records.close_violations(device.clone(), Some(happening.trace_id)).await?;
                if !self.hub.look(|state| state.devices.contains_key(&device)) {
                    self.hub.watch.nudge();
                }
                if rule_for(&self.hub, &device).await?.is_some() {
                    self.joins.insert(device, (Instant::now() + VERDICT_WITHIN, happening));
                }
            }
            Kind::Attempt => {
                self.joins.remove(&device);
                violation(&self.hub, &device, &happening).await?;
            }
            Kind::Left => {
                self.joins.remove(&device);
                self.hub.records.close_violations(device, None).await?;
            }
            // Who lifts a block at the firewall lifts what the rules want there: they are compared at once.
            Kind::Drift | Kind::Unblocked => self.hub.keeper.nudge(),
            Kind::Blocked | Kind::Canary => {}
        }
        Ok(())
    }

    /// Joins whose verdict did not come.
    async fn overdue(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        let due: Vec<String> =
            self.joins.iter().filter(|(_, (due, _))| *due <= now).map(|(id, _)| id.clone()).collect();
        for device in due {
            if let Some((_, mut happening)) = self.joins.remove(&device) {
                let seen = look_up(&self.hub, &device, true).await;
                happening.verdict = seen.and_then(|device| device.block).map(|block| block.verdict);
                violation(&self.hub, &device, &happening).await?;
            }
        }
        Ok(())
    }

    /// Events are missing: every blocked device that has tried since its last violation gets its row now.
    async fn whole(&mut self) -> Result<(), Failure> {
        self.hub.keeper.nudge();
        self.hub.watch.nudge();
        let last = self.hub.records.last_violations().await?;
        for device in self.hub.firewall.devices().await? {
            let Some(block) = device.block.as_ref().filter(|_| device.online) else { continue };
            let tried = matches!(block.verdict, Verdict::Proven | Verdict::Leaking);
            if tried && last.get(&device.id).is_none_or(|last| *last < block.since) {
                let happening = Happening {
                    kind: Kind::Attempt,
                    at: device.last_seen.unwrap_or(block.looked),
                    trace_id: Trace::start().id(),
                    device: Some(device.id.clone()),
                    mac: device.macs.first().copied(),
                    detail: block.evidence.clone(),
                    verdict: Some(block.verdict),
                    noticed_by: None,
                };
                violation(&self.hub, &device.id, &happening).await?;
            }
        }
        Ok(())
    }
}

/// The rule that blocks a device now: its own, or the strangers'.
async fn rule_for(hub: &Hub, device: &str) -> Result<Option<String>, Failure> {
    let world = hub.world().await?;
    if let Some(subject) = world.policy.subjects.get(device) {
        let ruling = world.decide(subject);
        return Ok(ruling.blocked.map(|_| ruling.because));
    }
    let (night, _) = newcomers(&world.policy, &world.ledger, world.now);
    Ok(night.then(|| "newcomers wait until the guests' wake-up".to_owned()))
}

/// The device as it was seen last, or as the firewall has it now.
async fn look_up(hub: &Inner, id: &str, afresh: bool) -> Option<Device> {
    let known = hub.look(|state| state.devices.get(id).cloned());
    if known.is_some() && !afresh {
        return known;
    }
    let asked = tokio::time::timeout(LOOK_UP, hub.firewall.device(id)).await;
    asked.ok().and_then(Result::ok).or(known)
}

async fn violation(hub: &Hub, id: &str, happening: &Happening) -> Result<(), Failure> {
    let config = hub.rules.house.device.get(id);
    let seen = if config.is_some() { None } else { look_up(hub, id, false).await };
    let name = config
        .and_then(|device| device.name.clone())
        .or_else(|| seen.as_ref().map(|device| device.name.clone()));
    let owner =
        config.and_then(|device| device.owner.clone()).or_else(|| seen.and_then(|device| device.owner));
    let rule =
        rule_for(hub, id).await?.unwrap_or_else(|| format!("blocked at the firewall: {}", happening.detail));
    let seen = Seen {
        at: happening.at,
        written: hub.shared.clock.now(),
        device: id.to_owned(),
        name: name.unwrap_or_else(|| id.to_owned()),
        mac: happening.mac,
        owner,
        rule,
        action: "blocked".to_owned(),
        verdict: happening.verdict.unwrap_or(Verdict::Unknown),
        trace: happening.trace_id,
    };
    let hub_of_letter = hub.clone();
    let written =
        hub.records.write_violation(seen, move |violation| letter(&hub_of_letter, violation, false)).await?;
    match written {
        Written::Known => {}
        Written::New(violation) => {
            hub.feed.publish("violation", &ScreenEvent::Violation(violation));
            hub.teller.nudge();
        }
        Written::Changed(violation) => {
            if matches!(violation.verdict, Verdict::Leaking | Verdict::Missing) {
                hub.records.post(letter(hub, &violation, true)).await?;
                hub.teller.nudge();
            }
            hub.feed.publish("violation", &ScreenEvent::Violation(violation));
        }
    }
    Ok(())
}

/// What a parent is told; `again` if the first letter was better news.
fn letter(hub: &Inner, violation: &Violation, again: bool) -> Letter {
    let words: Words = hub.words();
    let mut notice = hub.notice(Severity::Error, words.violation(violation), "violation", violation.at);
    notice.labels.insert("device".to_owned(), violation.device.clone());
    notice.labels.extend(violation.owner.iter().map(|owner| ("person".to_owned(), owner.clone())));
    notice.labels.insert("violation".to_owned(), violation.id.to_string());
    notice.dedup_key = Some(format!("violation-{}", violation.device));
    let key =
        format!("violation-{}-{}{}", violation.id, violation.trace_id, if again { "-worse" } else { "" });
    Letter { key, at: violation.at, trace: violation.trace_id, notice }
}
