//! Looks at the firewall's devices once a minute: who is new, who was online, whose block does not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::firewall::{Device, Standing};
use sanctum_api::notify::{Action, Severity};
use sanctum_api::screen::Pass;
use sanctum_kernel::house::DeviceTier;
use sanctum_kernel::{Failure, Stop, Trace, reconcile::reconcile};

use crate::hub::Hub;
use crate::records::{Letter, Sighting};

const EVERY: Duration = Duration::from_mins(1);
/// Looks that come closer together are one.
const SHORTEST: SignedDuration = SignedDuration::from_secs(30);
/// Between two looks that are further apart the machine slept, its clock was set, or the firewall was away: nobody is
/// charged for it.
const LONGEST: SignedDuration = SignedDuration::from_secs(150);

/// Bytes of a device when it was looked at.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    at: Option<Timestamp>,
    bytes: BTreeMap<String, u64>,
}

/// Who was online, and for how long, since the look before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Online {
    pub(crate) seconds: u32,
    pub(crate) devices: Vec<String>,
}

/// Runs until stopped.
pub(crate) async fn watch(hub: Hub, stop: Stop) -> Result<(), Failure> {
    let counters = std::sync::Arc::new(tokio::sync::Mutex::new(Counters::default()));
    let nudge = hub.watch.clone();
    reconcile(&stop, EVERY, &nudge, || {
        let (hub, counters) = (hub.clone(), counters.clone());
        async move {
            let devices = hub.firewall.devices().await?;
            let online = counters.lock().await.count(
                &devices,
                hub.shared.clock.now(),
                hub.rules.config.limits.active_bytes,
            );
            charge(&hub, online).await?;
            take(&hub, devices).await
        }
    })
    .await;
    Ok(())
}

impl Counters {
    /// A device counts if it moved enough bytes a minute. The first look, and one after a counter went back, count nothing.
    pub(crate) fn count(&mut self, devices: &[Device], now: Timestamp, active_bytes: u64) -> Online {
        let passed = self.at.map(|at| now.duration_since(at));
        // Nudged looks come close together: their bytes belong to the next whole one.
        if passed.is_some_and(|passed| !passed.is_negative() && passed < SHORTEST) {
            return Online::default();
        }
        self.at = Some(now);
        let bytes: BTreeMap<String, u64> =
            devices.iter().map(|device| (device.id.clone(), device.bytes)).collect();
        let before = std::mem::replace(&mut self.bytes, bytes);
        let Some(passed) = passed.filter(|passed| SHORTEST <= *passed && *passed <= LONGEST) else {
            return Online::default();
        };
        let passed = passed.unsigned_abs();
        let enough = u128::from(active_bytes) * passed.as_millis() / EVERY.as_millis();
        let moved =
            |device: &&Device| before.get(&device.id).and_then(|before| device.bytes.checked_sub(*before));
        let active = devices
            .iter()
            .filter(|device| moved(device).is_some_and(|moved| moved > 0 && u128::from(moved) >= enough));
        let seconds = u32::try_from((passed.as_millis() + 500) / 1000).unwrap_or(0);
        Online { seconds, devices: active.map(|device| device.id.clone()).collect() }
    }
}

/// Writes the time down: once a device, and once a person however many devices they used.
async fn charge(hub: &Hub, online: Online) -> Result<(), Failure> {
    if online.devices.is_empty() {
        return Ok(());
    }
    let world = hub.world().await?;
    let subjects = online.devices.iter().filter_map(|id| world.policy.subjects.get(id));
    let counted: Vec<_> =
        subjects.filter(|subject| matches!(subject.tier, DeviceTier::Gaming | DeviceTier::Screen)).collect();
    let people: BTreeSet<String> = counted.iter().filter_map(|subject| subject.owner.clone()).collect();
    let devices = counted.iter().map(|subject| subject.id.clone()).collect();
    let day = hub.rules.tz.to_datetime(world.now).date();
    hub.records.add_usage(world.now, day, online.seconds, devices, people.into_iter().collect()).await?;
    hub.keeper.nudge();
    Ok(())
}

/// Takes what was seen, and greets who is new.
async fn take(hub: &Hub, devices: Vec<Device>) -> Result<(), Failure> {
    let nameless = |device: &&Device| {
        device.tier.is_none()
            && device.standing != Standing::Known
            && !hub.rules.house.device.contains_key(&device.id)
    };
    // What is there when screen first looks is the house, not its guests; a block of its own kind says otherwise.
    let first = hub.records.get("settled").await?.is_none();
    let pass = |device: &Device| {
        if first && device.standing == Standing::Seen { Pass::Resident } else { Pass::Waiting }
    };
    let seen = devices.iter().filter(nameless).map(|device| Sighting {
        device: device.id.clone(),
        name: device.name.clone(),
        pass: pass(device),
    });
    let now = hub.shared.clock.now();
    let new = hub.records.discover(now, seen.collect()).await?;
    if first {
        hub.records.set("settled", now.to_string()).await?;
    }
    let guests = hub.records.guests().await?;
    let named = devices.iter().filter(|device| !nameless(device) && device.tier != Some(DeviceTier::Guest));
    let named: Vec<String> = named
        .map(|device| device.id.clone())
        .filter(|id| guests.iter().any(|guest| guest.device == *id))
        .collect();
    if !named.is_empty() {
        hub.records.forget_guests(named).await?;
    }
    let (changed, map) =
        (!new.is_empty(), devices.into_iter().map(|device| (device.id.clone(), device)).collect());
    let differs = hub.look(|state| {
        let shape = |devices: &BTreeMap<String, Device>| {
            devices
                .values()
                .map(|device| {
                    (
                        device.id.clone(),
                        device.tier,
                        device.owner.clone(),
                        device.block.as_ref().map(|block| block.verdict),
                    )
                })
                .collect::<Vec<_>>()
        };
        let before = std::mem::replace(&mut state.devices, map);
        shape(&before) != shape(&state.devices)
    });
    if changed || differs {
        hub.keeper.nudge();
    }
    for guest in new.into_iter().filter(|guest| guest.pass == Pass::Waiting) {
        greet(hub, &guest).await?;
    }
    Ok(())
}

async fn greet(hub: &Hub, guest: &Sighting) -> Result<(), Failure> {
    let now = hub.shared.clock.now();
    let mut notice = hub.notice(Severity::Info, hub.words().guest(&guest.name), "guest", now);
    notice.labels.insert("device".to_owned(), guest.device.clone());
    if let Some(url) = hub.url() {
        notice.actions =
            vec![Action { label: "Approve".to_owned(), url: format!("{url}#guest-{}", guest.device) }];
    }
    let key = format!("guest-{}-{}", guest.device, now.as_second());
    hub.records.post(Letter { key, at: now, trace: Trace::start().id(), notice }).await?;
    hub.teller.nudge();
    Ok(())
}
