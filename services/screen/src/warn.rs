//! Warnings before bedtime: one a person, a bedtime and a stage.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::notify::Severity;
use sanctum_kernel::house::DeviceTier;
use sanctum_kernel::{Failure, Trace};

use crate::engine::next_lock;
use crate::hub::{Hub, World};
use crate::records::Letter;
use crate::rules::minutes;

/// Sends what is due and returns when the next warning is.
pub(crate) async fn round(hub: &Hub, world: &World) -> Result<Option<Timestamp>, Failure> {
    let stages: Vec<u32> = hub.rules.config.wind_down.warn.iter().map(|stage| minutes(*stage)).collect();
    let Some(first) = stages.iter().max() else { return Ok(None) };
    let horizon = SignedDuration::from_mins(i64::from(*first)) + SignedDuration::from_hours(24);
    let mut next: Option<Timestamp> = None;
    for ((whose, lock), devices) in bedtimes(world, horizon) {
        let before = |stage: u32| lock.checked_sub(SignedDuration::from_mins(stage.into())).unwrap_or(lock);
        let coming = stages.iter().map(|stage| before(*stage)).filter(|at| *at > world.now).min();
        next = next.into_iter().chain(coming).min();
        // Only the latest stage is said: after an outage nobody needs three warnings at once.
        let Some(due) = stages.iter().copied().filter(|stage| before(*stage) <= world.now).min() else {
            continue;
        };
        let key = format!("warning-{whose}-{}-{due}", lock.as_second());
        if !hub.records.is_posted(key.clone()).await? {
            send(hub, world.now, &key, (&whose, lock), &devices.join(", ")).await?;
        }
    }
    Ok(next)
}

type Bedtimes = BTreeMap<(String, Timestamp), Vec<String>>;

/// Bedtimes ahead: whose, when, and the names of the devices.
fn bedtimes(world: &World, horizon: SignedDuration) -> Bedtimes {
    let mut all = Bedtimes::new();
    for subject in world.policy.subjects.values() {
        if !matches!(subject.tier, DeviceTier::Gaming | DeviceTier::Screen) {
            continue;
        }
        if let Some(lock) = next_lock(&world.policy, &world.ledger, subject, world.now, horizon) {
            let whose = subject.owner.clone().unwrap_or_else(|| subject.name.clone());
            all.entry((whose, lock)).or_default().push(subject.name.clone());
        }
    }
    all
}

async fn send(
    hub: &Hub,
    now: Timestamp,
    key: &str,
    (whose, lock): (&str, Timestamp),
    devices: &str,
) -> Result<(), Failure> {
    // What is left when it is said: later than planned after an outage, and rounded up so that 30 is 30.
    let left = (lock.duration_since(now).as_secs() + 59) / 60;
    let text = hub.words().warning(&hub.rules.called(whose), devices, left, lock);
    let mut notice = hub.notice(Severity::Warn, text, "wind-down", now);
    notice.labels.insert("person".to_owned(), whose.to_owned());
    notice.force_channels.clone_from(&hub.rules.config.wind_down.channels);
    notice.dedup_key = Some(format!("wind-down-{whose}"));
    hub.records.post(Letter { key: key.to_owned(), at: now, trace: Trace::start().id(), notice }).await?;
    hub.teller.nudge();
    Ok(())
}
