//! Follows the firewall's events: what is tried against the rules becomes a row and a message, once a join.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
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
/// A device is asked for at the firewall no longer than this.
const LOOK_UP: Duration = Duration::from_secs(2);
/// A stranger is noticed tens of milliseconds before the packet that says its name (measured); so long it is waited for.
const NAME_WITHIN: Duration = Duration::from_millis(250);
const NAME_AGAIN: Duration = Duration::from_millis(30);

/// Runs until stopped.
pub(crate) async fn follow(hub: Hub, stop: Stop) -> Result<(), Failure> {
    let mut follower = Follower {
        last: hub.records.get("last-event").await?,
        joins: BTreeMap::new(),
        nameless: BTreeMap::new(),
        naming: FuturesUnordered::new(),
        hub,
    };
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
    /// Attempts of strangers that wait for their name. The event before them is the last one until they are written.
    nameless: BTreeMap<String, Happening>,
    naming: FuturesUnordered<BoxFuture<'static, (String, Option<Device>)>>,
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
                Some((id, seen)) = self.naming.next() => self.named(&id, seen).await?,
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
            self.last = Some(id);
            self.remember().await?;
        }
        Ok(())
    }

    async fn remember(&mut self) -> Result<(), Failure> {
        if let Some(id) = self.last.clone().filter(|_| self.nameless.is_empty()) {
            self.hub.records.set("last-event", id).await?;
        }
        Ok(())
    }

    /// A stranger that is neither named nor greeted yet gets the time to say its name; other events go on.
    async fn attempt(&mut self, device: String, happening: Happening) -> Result<(), Failure> {
        if self.hub.rules.house.device.contains_key(&device) {
            return violation(&self.hub, &device, &happening, None).await;
        }
        if let Some(waiting) = self.nameless.get_mut(&device) {
            waiting.verdict = happening.verdict.or(waiting.verdict);
            return Ok(());
        }
        self.nameless.insert(device.clone(), happening);
        let hub = self.hub.clone();
        self.naming.push(Box::pin(async move {
            let seen = name_of(&hub, &device).await;
            (device, seen)
        }));
        Ok(())
    }

    /// The wait for a stranger's name is over.
    async fn named(&mut self, device: &str, seen: Option<Device>) -> Result<(), Failure> {
        let Some(happening) = self.nameless.get(device).cloned() else { return Ok(()) };
        violation(&self.hub, device, &happening, seen).await?;
        self.nameless.remove(device);
        self.remember().await
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
                self.named(&device, None).await?;
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
                self.attempt(device, happening).await?;
            }
            Kind::Left => {
                self.joins.remove(&device);
                self.named(&device, None).await?;
                self.hub.records.close_violations(device, None).await?;
            }
            // Who lifts a block at the firewall lifts what the rules want there: they are compared at once.
            Kind::Drift | Kind::Unblocked => self.hub.keeper.nudge(),
            Kind::Blocked | Kind::Canary | Kind::Flood => {}
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
                happening.verdict =
                    seen.as_ref().and_then(|device| device.block.as_ref()).map(|block| block.verdict);
                violation(&self.hub, &device, &happening, seen).await?;
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
                violation(&self.hub, &device.id.clone(), &happening, Some(device)).await?;
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

/// A stranger as the firewall has it, as soon as it has shown who it may be.
async fn name_of(hub: &Inner, id: &str) -> Option<Device> {
    let mut seen = None;
    let asking = async {
        loop {
            if let Ok(device) = hub.firewall.device(id).await {
                let tells = device.resembles.is_some() || device.name != device.id;
                seen = Some(device);
                if tells {
                    return;
                }
            }
            tokio::time::sleep(NAME_AGAIN).await;
        }
    };
    drop(tokio::time::timeout(NAME_WITHIN, asking).await);
    seen
}

/// What people call a device that nobody has named.
fn stranger(hub: &Inner, device: &Device) -> String {
    let Some(like) = &device.resembles else { return device.name.clone() };
    let known = hub.rules.house.device.get(&like.device).and_then(|known| known.name.clone());
    let seen = || hub.look(|state| state.devices.get(&like.device).map(|known| known.name.clone()));
    let known = known.or_else(seen).unwrap_or_else(|| like.device.clone());
    let mac = device.macs.first().map_or_else(|| device.id.clone(), ToString::to_string);
    hub.words().resembles(&known, &mac)
}

/// `seen` is the device as the firewall has it, if that was asked.
async fn violation(hub: &Hub, id: &str, happening: &Happening, seen: Option<Device>) -> Result<(), Failure> {
    let config = hub.rules.house.device.get(id);
    let seen = match (config, seen) {
        (Some(_), _) => None,
        (None, Some(seen)) => Some(seen),
        (None, None) => look_up(hub, id, false).await,
    };
    let name = config
        .and_then(|device| device.name.clone())
        .or_else(|| seen.as_ref().map(|device| stranger(hub, device)));
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
