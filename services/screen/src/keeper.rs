//! The part that acts on changes: looks at the whole truth, declares it, and sleeps until the next change.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::firewall::{Device, Verdict};
use sanctum_api::notify::Severity;
use sanctum_kernel::house::Language;
use sanctum_kernel::well::Status;
use sanctum_kernel::{Applied, Chain, Failure, Latch, Stop, Trace};
use tokio::time::Instant;

use crate::config::Mode;
use crate::doubt::{Doubt, Why};
use crate::enforce::{enforce, wanted};
use crate::engine::{Ruling, newcomers};
use crate::hub::{Hub, World};
use crate::records::{KEEP, Letter};
use crate::{digest, warn};

/// A wall clock that moved by more against the monotonic one was stepped, or the machine slept.
const STEP: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Without any change in sight it looks again after this.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(15);
/// How often the latest believed moment is written down.
const REMEMBER: SignedDuration = SignedDuration::from_mins(5);

/// Runs until stopped. The latch goes with the first round, whatever came of it.
pub(crate) async fn keep(hub: Hub, latch: Latch, stop: Stop) -> Result<(), Failure> {
    let seen = hub.records.get("seen").await?.and_then(|text| text.parse::<Timestamp>().ok());
    let mut keeper = Keeper {
        hub,
        doubt: Doubt::new(seen),
        remembered: seen,
        rulings: None,
        retry: FIRST_RETRY,
        pruned: None,
        believed: seen,
    };
    let mut latch = Some(latch);
    while !stop.is_requested() {
        // Taken before the round: a step while it works would otherwise go unnoticed.
        let base = (keeper.hub.shared.clock.now(), Instant::now());
        let next = match stop.or(keeper.round()).await {
            None => break,
            Some(Ok(next)) => next,
            Some(Err(error)) => {
                tracing::warn!(error = %Chain(&*error), "a round of the keeper failed");
                keeper.hub.shared.well.set("rules", Status::Unwell, Chain(&*error).to_string());
                keeper.soon()
            }
        };
        drop(latch.take());
        stop.or(keeper.wait(next, base)).await;
    }
    Ok(())
}

struct Keeper {
    hub: Hub,
    doubt: Doubt,
    remembered: Option<Timestamp>,
    rulings: Option<BTreeMap<String, Ruling>>,
    retry: Duration,
    /// The day on which the old was removed last.
    pruned: Option<jiff::civil::Date>,
    /// What the clock showed at the time before.
    believed: Option<Timestamp>,
}

impl Keeper {
    /// Everything once; returns when to look again.
    async fn round(&mut self) -> Result<Timestamp, Failure> {
        let asked = self.hub.asked.load(Ordering::SeqCst);
        let now = self.hub.shared.clock.now();
        if let Some(why) = self.doubt.of(now, Instant::now(), self.hub.shared.clock.discipline()) {
            return self.doubtful(why, now).await;
        }
        self.hub.shared.well.set("clock", Status::Well, "it can be believed");
        if self.remembered.is_none_or(|remembered| now.duration_since(remembered).abs() >= REMEMBER) {
            self.hub.records.set("seen", now.to_string()).await?;
            self.remembered = Some(now);
        }
        let world = self.hub.world().await?;
        let change = self.rule(&world).await?;
        let (enforced, detail) = self.declare(&world).await;
        self.hub.handled.send_replace(asked);
        self.hub.shared.well.set("rules", Status::Well, format!("{} devices", world.policy.subjects.len()));
        let warning = warn::round(&self.hub, &world).await?;
        let digest = digest::round(&self.hub, now).await?;
        self.prune(now).await?;
        let soon = if enforced == Applied::Applied {
            self.retry = FIRST_RETRY;
            None
        } else {
            tracing::debug!(?enforced, detail, "the firewall does not hold what the rules want");
            Some(self.soon())
        };
        let latest = now.checked_add(LONGEST)?;
        Ok([change, warning, digest, soon].into_iter().flatten().fold(latest, Timestamp::min))
    }

    /// Once at the start and once a day; what cannot be removed now is tried again with the next round.
    async fn prune(&mut self, now: Timestamp) -> Result<(), Failure> {
        let day = |at: Timestamp| self.hub.rules.tz.to_datetime(at).date();
        // A clock that is years ahead is not doubted, and what it takes for old would be gone for good: a year is
        // counted from where it stood a day or a run before, so a mistake that is put right by then removes nothing.
        let believed = self.believed.map_or(now, |believed| now.min(believed));
        let (today, before) = (day(now), believed.checked_sub(KEEP)?);
        if self.pruned != Some(today) {
            match self.hub.records.prune(before, day(before)).await {
                Ok(rows) => {
                    tracing::debug!(rows, "what is older than a year is removed");
                    self.pruned = Some(today);
                    self.believed = Some(now);
                }
                // The rules are enforced all the same.
                Err(error) => tracing::warn!(%error, "what is older than a year could not be removed"),
            }
        }
        Ok(())
    }

    /// Computes every ruling, tells followers if one changed, and returns the next change.
    async fn rule(&mut self, world: &World) -> Result<Option<Timestamp>, Failure> {
        let rulings: BTreeMap<String, Ruling> =
            world.policy.subjects.iter().map(|(id, subject)| (id.clone(), world.decide(subject))).collect();
        let (strangers_blocked, door) = newcomers(&world.policy, &world.ledger, world.now);
        let change = rulings.values().filter_map(|ruling| ruling.until).chain(door).min();
        if self.rulings.as_ref() != Some(&rulings) {
            let mut blocked: Vec<String> = rulings
                .iter()
                .filter(|(_, ruling)| ruling.blocked.is_some())
                .map(|(id, _)| id.clone())
                .collect();
            if strangers_blocked {
                let strangers = self.hub.look(|state| {
                    state.devices.keys().filter(|id| !rulings.contains_key(*id)).cloned().collect::<Vec<_>>()
                });
                blocked.extend(strangers);
            }
            self.hub.records.close_all_but(blocked).await?;
            self.rulings = Some(rulings);
            self.hub.feed.publish("changed", &sanctum_api::screen::ScreenEvent::Changed);
        }
        Ok(change)
    }

    async fn declare(&mut self, world: &World) -> (Applied, Option<String>) {
        let wanted = wanted(&self.hub.rules.config, world);
        let guest = |id: &str| !self.hub.rules.house.device.contains_key(id);
        let (mut enforced, mut detail) = enforce(&self.hub.firewall, &wanted, guest).await;
        if enforced == Applied::Applied {
            let bad =
                self.hub.look(|state| state.devices.values().find_map(|device| broken(device, &wanted)));
            if let Some((worse, why)) = bad {
                (enforced, detail) = (worse, Some(why));
            }
            // What is declared is also what is in force only while a person lets it be.
            let shows = self.hub.rules.config.mode != Mode::Agreement;
            if shows && self.hub.firewall.router().await.is_ok_and(|router| router.off) {
                let why = "enforcement is switched off at the firewall; `sanctum firewall on` puts it back";
                (enforced, detail) = (Applied::NotApplied, Some(why.to_owned()));
            }
        }
        let before = self.hub.look(|state| {
            let before = std::mem::replace(&mut state.enforced, enforced);
            state.detail.clone_from(&detail);
            before
        });
        let (status, text) = match enforced {
            Applied::Applied => (Status::Well, "the firewall holds what the rules want".to_owned()),
            Applied::NotApplied => (Status::Unwell, detail.clone().unwrap_or_default()),
            Applied::Unknown => (Status::Degraded, detail.clone().unwrap_or_default()),
        };
        self.hub.shared.well.set("firewall", status, text);
        if before != enforced {
            self.hub.feed.publish("changed", &sanctum_api::screen::ScreenEvent::Changed);
        }
        (enforced, detail)
    }

    /// The last declaration stays, a parent is told once a day, and nothing is guessed.
    async fn doubtful(&mut self, why: Why, now: Timestamp) -> Result<Timestamp, Failure> {
        let text = why.said(Language::En);
        self.hub.look(|state| {
            state.enforced = Applied::Unknown;
            state.detail = Some(text.clone());
        });
        self.hub.shared.well.set_hint(
            "clock",
            Status::Unwell,
            text,
            "set the clock, or let it be set by the network (NTP)",
        );
        let key = format!("clock-{}", now.strftime("%Y-%m-%d"));
        let notice = self.hub.notice(Severity::Error, self.hub.words().clock(why), "clock", now);
        if self.hub.records.post(Letter { key, at: now, trace: Trace::start().id(), notice }).await? {
            self.hub.teller.nudge();
        }
        Ok(now.checked_add(SignedDuration::from_secs(10))?)
    }

    fn soon(&mut self) -> Timestamp {
        let now = self.hub.shared.clock.now();
        let retry = SignedDuration::try_from(self.retry).unwrap_or(SignedDuration::ZERO);
        self.retry = (self.retry * 2).min(LAST_RETRY);
        now.checked_add(retry).unwrap_or(now)
    }

    /// Until `next`, a nudge, or a step of the clock in either direction since the round began.
    async fn wait(&self, next: Timestamp, (wall, monotonic): (Timestamp, Instant)) {
        let clock = &self.hub.shared.clock;
        loop {
            tokio::select! {
                () = self.hub.keeper.nudged() => return,
                () = clock.until(next) => return,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            let passed = SignedDuration::try_from(monotonic.elapsed()).unwrap_or(SignedDuration::MAX);
            let drift = clock.now().duration_since(wall) - passed;
            if drift.unsigned_abs() > STEP {
                tracing::info!(drift = %drift, "the clock was stepped: every night is computed again");
                return;
            }
        }
    }
}

/// What is wrong with a block that should be in force.
fn broken(device: &Device, wanted: &sanctum_api::firewall::Desired) -> Option<(Applied, String)> {
    wanted.blocks.get(&device.id)?;
    match device.block.as_ref()?.verdict {
        Verdict::Leaking => {
            Some((Applied::NotApplied, format!("packets of {} pass although it is blocked", device.name)))
        }
        Verdict::Missing => {
            Some((Applied::NotApplied, format!("the block of {} is missing on the router", device.name)))
        }
        _ => None,
    }
}
