//! What is there and should not be, or the other way round, in words.

use std::collections::BTreeSet;

use sanctum_kernel::Mac;

use crate::backend::{Intent, Observation, Rules};

/// What was read back as in force at the end of a round: only what was there can have been taken away.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub cuts: BTreeSet<Mac>,
    pub known: BTreeSet<Mac>,
    pub closed: bool,
}

impl Held {
    pub(super) fn of(seen: &Observation) -> Self {
        let cuts = seen.cuts.iter().filter(|(_, found)| found.whole).map(|(mac, _)| *mac).collect();
        Self { cuts, known: seen.known.clone(), closed: seen.closed }
    }
}

/// Everything that somebody else changed since the last look.
pub(super) fn drifts(held: Option<&Held>, intent: &Intent, seen: &Observation) -> Vec<String> {
    let mut drifts = Vec::new();
    match &seen.rules {
        Rules::Whole => {}
        // Before the first round nothing of ours is expected.
        Rules::Gone(_) if held.is_none() => return drifts,
        Rules::Gone(what) => {
            drifts.push(what.clone());
            return drifts;
        }
        Rules::Broken(what) | Rules::Foreign(what) => drifts.push(what.clone()),
    }
    let Some(held) = held else { return drifts };
    for mac in intent.cuts.keys().filter(|mac| held.cuts.contains(*mac)) {
        match seen.cuts.get(mac) {
            None => drifts.push(format!("the block of {mac} was removed on the router")),
            Some(found) if !found.whole => {
                drifts.push(format!("half of the block of {mac} was removed on the router"));
            }
            Some(_) => {}
        }
    }
    for mac in seen.cuts.keys().filter(|mac| !held.cuts.contains(*mac) && !intent.cuts.contains_key(*mac)) {
        drifts.push(format!("somebody else blocked {mac} on the router"));
    }
    for mac in intent.known.iter().filter(|mac| held.known.contains(*mac) && !seen.known.contains(*mac)) {
        drifts.push(format!("{mac} was made a stranger on the router"));
    }
    for mac in seen.known.iter().filter(|mac| !held.known.contains(*mac) && !intent.known.contains(*mac)) {
        drifts.push(format!("somebody else made {mac} known on the router"));
    }
    if held.closed == intent.closed && (seen.closed != intent.closed || seen.half_closed) {
        let what = if intent.closed { "opened" } else { "closed" };
        drifts.push(format!("somebody {what} the gate for strangers"));
    }
    drifts
}

/// The differences to mend.
#[derive(Debug, Default)]
pub(super) struct Mend {
    pub block: std::collections::BTreeMap<Mac, crate::backend::Cut>,
    pub unblock: Vec<Mac>,
    pub gate: Option<crate::backend::Gate>,
}

impl Mend {
    pub(super) fn between(intent: &Intent, seen: &Observation) -> Self {
        let missing = intent
            .cuts
            .iter()
            .filter(|(mac, cut)| !seen.cuts.get(mac).is_some_and(|found| found.whole && found.cut == **cut));
        let gate = crate::backend::Gate {
            know: intent.known.difference(&seen.known).copied().collect(),
            forget: seen.known.difference(&intent.known).copied().collect(),
            closed: intent.closed,
        };
        let turn = !gate.know.is_empty()
            || !gate.forget.is_empty()
            || seen.closed != intent.closed
            || seen.half_closed;
        Self {
            block: missing.map(|(mac, cut)| (*mac, cut.clone())).collect(),
            unblock: seen.cuts.keys().filter(|mac| !intent.cuts.contains_key(*mac)).copied().collect(),
            gate: turn.then_some(gate),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.block.is_empty() && self.unblock.is_empty() && self.gate.is_none()
    }
}
