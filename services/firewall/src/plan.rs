//! What the router should hold: a pure function of devices, intentions and the time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sanctum_api::firewall::{Block, Desired, Newcomers, Scope, Standing};
use sanctum_kernel::Mac;

use crate::backend::{Cut, Intent};
use crate::record::Record;

/// The newcomer policy in force at `now`.
pub(crate) fn newcomers(desired: &Desired, now: Timestamp) -> Newcomers {
    match desired.newcomers_until {
        Some(until) if until <= now => Newcomers::Allow,
        _ => desired.newcomers,
    }
}

/// The block that a device should have at `now`: a person's before the rules', everything before single services.
pub(crate) fn wanted(record: &Record, desired: &Desired, now: Timestamp) -> Option<Block> {
    let alive = |block: &&Block| block.until.is_none_or(|until| until > now);
    let by_hand = record.by_hand.as_ref().filter(alive);
    let ruled = desired.blocks.get(&record.device.id).filter(alive);
    let waiting = match record.device.standing {
        Standing::Automatic => {
            let policy = newcomers(desired, now) != Newcomers::Allow;
            policy.then(|| Block {
                scope: Scope::All,
                reason: "not approved".to_owned(),
                until: desired.newcomers_until,
            })
        }
        Standing::Quarantined => {
            Some(Block { scope: Scope::All, reason: "waits for approval".to_owned(), until: None })
        }
        Standing::Known | Standing::Seen => None,
    };
    let candidates: Vec<&Block> = [by_hand, ruled, waiting.as_ref()].into_iter().flatten().collect();
    let full = candidates.iter().find(|block| block.scope == Scope::All);
    let first = full.or(candidates.first()).copied()?;
    let mut block = first.clone();
    if let Scope::Services(_) = block.scope {
        let names: BTreeSet<String> =
            candidates.iter().flat_map(|block| services(&block.scope)).cloned().collect();
        block.scope = Scope::Services(names.into_iter().collect());
    }
    Some(block)
}

fn services(scope: &Scope) -> &[String] {
    match scope {
        Scope::All => &[],
        Scope::Services(names) => names,
    }
}

/// How a wanted block is made on this router; `None` if it cannot be made as it is.
pub(crate) fn cut(record: &Record, block: &Block, per_service: bool) -> Option<Cut> {
    match &block.scope {
        Scope::All => Some(Cut::All),
        Scope::Services(_) if record.closed_since.is_some() => Some(Cut::All),
        Scope::Services(names) if per_service => Some(Cut::Services(names.iter().cloned().collect())),
        Scope::Services(_) => None,
    }
}

/// Everything the router should hold.
pub(crate) fn intent(
    records: &BTreeMap<String, Record>,
    desired: &Desired,
    now: Timestamp,
    per_service: bool,
    canary: Option<Mac>,
) -> Intent {
    let mut intent = Intent { closed: newcomers(desired, now) != Newcomers::Allow, ..Intent::default() };
    for record in records.values() {
        if record.is_known() {
            intent.known.extend(&record.device.macs);
        }
        if let Some(cut) = wanted(record, desired, now).and_then(|block| cut(record, &block, per_service)) {
            intent.cuts.extend(record.device.macs.iter().map(|mac| (*mac, cut.clone())));
        }
    }
    intent.cuts.extend(canary.map(|mac| (mac, Cut::All)));
    intent
}

/// The next moment at which the intention changes by itself.
pub(crate) fn next_change(
    records: &BTreeMap<String, Record>,
    desired: &Desired,
    grace: jiff::SignedDuration,
    now: Timestamp,
) -> Option<Timestamp> {
    let ends = desired.blocks.values().chain(records.values().filter_map(|record| record.by_hand.as_ref()));
    let graces = records
        .values()
        .filter(|record| record.closed_since.is_none())
        .filter_map(|record| record.missing_since?.checked_add(grace).ok());
    ends.filter_map(|block| block.until)
        .chain(desired.newcomers_until)
        .chain(graces)
        .filter(|at| *at > now)
        .min()
}
