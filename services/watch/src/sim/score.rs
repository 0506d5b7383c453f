//! How well it did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sanctum_api::watch::State;

use super::house::{Fault, House, Trouble};
use super::{Chance, Noted, World};
use crate::engine::{Action, Instant, Rules, Turn};

/// The house is well for this long before anything happens.
const CALM: Duration = Duration::from_mins(12);
/// The faults of one run begin within this.
const TOGETHER: Duration = Duration::from_secs(20);
/// What there is to see is over by then.
const LENGTH: Duration = Duration::from_mins(90);
/// Later than its cadence by more than this is late.
const LATE: Duration = Duration::from_secs(1);

/// One run.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    pub services: usize,
    pub faults: usize,
    /// Faults that could be seen: nothing they required was at fault as long as they lasted.
    pub visible: usize,
    /// The roots that were named are the faults, no more and no fewer.
    pub right: bool,
    pub named: Vec<String>,
    pub wrong: Vec<String>,
    pub missed: Vec<String>,
    /// Of what died (crashes): how much later than its cadence it was seen, in seconds; negative is earlier.
    pub late: Vec<f64>,
    /// Restarts, and those of services that did their work.
    pub restarts: usize,
    pub innocents: usize,
    /// Incidents that were opened, those of them that turned out to be part of another, and people that were asked.
    pub incidents: usize,
    pub merged: usize,
    pub told: usize,
    /// Alarms beyond the first for the same fault.
    pub repeated: usize,
    pub probes: u64,
    pub broken: Option<String>,
}

/// Many of them.
#[derive(Debug, Clone, Default)]
pub struct Score {
    pub runs: usize,
    pub right: usize,
    pub faults: usize,
    pub visible: usize,
    pub dead: usize,
    pub in_time: usize,
    pub worst: f64,
    pub restarts: usize,
    pub innocents: usize,
    pub incidents: usize,
    pub merged: usize,
    pub told: usize,
    pub repeated: usize,
    pub probes: u64,
    /// Seeds that did not go as they should, and why.
    pub odd: Vec<(u64, String)>,
}

/// The run of a seed: a house of 10 to 60 services, 1 to 3 faults at once, one answer in a hundred lost.
pub fn one(seed: u64) -> Verdict {
    let mut chance = Chance::new(seed);
    let mut house = House::generate(&mut chance);
    for _ in 0..chance.within(1, 3) {
        let from = CALM + chance.time(Duration::ZERO, TOGETHER);
        let fault = house.some_fault(&mut chance, from);
        house.faults.push(fault);
    }
    let mut world = World::new(house, Rules::default(), seed);
    world.noise = 0.01;
    for index in 0..world.house.faults.len() {
        world.schedule(index);
    }
    let broken = world.run(LENGTH).err();
    judge(&world, broken)
}

fn judge(world: &World, broken: Option<String>) -> Verdict {
    let faults = &world.house.faults;
    let name = |at: usize| world.house.members.get(at).map_or_else(String::new, |member| member.name.clone());
    let mut roots: BTreeMap<u64, usize> = BTreeMap::new();
    let mut verdict = Verdict {
        services: world.house.members.len(),
        faults: faults.len(),
        probes: world.probes,
        broken,
        ..Verdict::default()
    };
    for (_, noted) in &world.noted {
        match noted {
            Noted::Incident { id, root, what } => {
                roots.insert(*id, *root);
                verdict.incidents += usize::from(*what == Turn::Opened);
                verdict.told += usize::from(*what == Turn::Escalated);
            }
            Noted::Restarted { action, on, worked, .. } if !matches!(action, Action::Recipe(_)) => {
                verdict.restarts += on.len();
                verdict.innocents += worked.len();
            }
            _ => {}
        }
    }
    let merged = |id: &u64| world.engine.incident(*id).is_some_and(|incident| incident.merged.is_some());
    verdict.merged = roots.keys().filter(|id| merged(id)).count();
    let named: BTreeSet<usize> = roots.iter().filter(|(id, _)| !merged(id)).map(|(_, root)| *root).collect();
    verdict.repeated = roots.len().saturating_sub(verdict.merged).saturating_sub(named.len());
    let at_fault: BTreeSet<usize> = faults.iter().map(|fault| fault.at).collect();
    let visible: BTreeSet<usize> =
        faults.iter().filter(|fault| is_visible(world, fault)).map(|fault| fault.at).collect();
    verdict.visible = visible.len();
    verdict.wrong = named.difference(&at_fault).map(|&at| name(at)).collect();
    verdict.missed = visible.difference(&named).map(|&at| name(at)).collect();
    verdict.named = named.iter().map(|&at| name(at)).collect();
    verdict.right = verdict.wrong.is_empty() && verdict.missed.is_empty();
    verdict.late = faults.iter().filter_map(|fault| lateness(world, fault)).collect();
    verdict
}

/// It lasted for longer than whatever it required was at fault.
fn is_visible(world: &World, fault: &Fault) -> bool {
    let end = |fault: &Fault| fault.until.unwrap_or(Duration::MAX);
    let above = above(world, fault.at);
    let hidden = |other: &&Fault| {
        above.contains(&other.at) && end(other).saturating_add(Duration::from_mins(1)) >= end(fault)
    };
    !world.house.faults.iter().any(|other| hidden(&other))
}

fn above(world: &World, at: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut next = vec![at];
    while let Some(at) = next.pop() {
        for &on in world.house.members.get(at).into_iter().flat_map(|member| &member.requires) {
            if found.insert(on) {
                next.push(on);
            }
        }
    }
    found
}

/// How much later than its cadence something dead was believed to be.
fn lateness(world: &World, fault: &Fault) -> Option<f64> {
    let member = world.house.members.get(fault.at)?;
    if fault.trouble != Trouble::Crash {
        return None;
    }
    let every = member.checks.iter().map(|question| question.every).min()?;
    let seen = |(at, noted): &(Instant, Noted)| {
        let down = Noted::Turned { node: fault.at, to: State::Failed };
        (*at >= fault.from && *noted == down).then_some(*at)
    };
    let seen = world.noted.iter().find_map(seen)?;
    Some((seen.saturating_sub(fault.from)).as_secs_f64() - every.as_secs_f64())
}

/// The runs of all these seeds.
pub fn graphs(seeds: impl IntoIterator<Item = u64>) -> Score {
    let mut score = Score { worst: f64::MIN, ..Score::default() };
    for seed in seeds {
        score.add(seed, &one(seed));
    }
    score
}

impl Score {
    pub fn add(&mut self, seed: u64, verdict: &Verdict) {
        let late = verdict.late.iter().filter(|late| **late > LATE.as_secs_f64()).count();
        self.runs += 1;
        self.right += usize::from(verdict.right);
        self.faults += verdict.faults;
        self.visible += verdict.visible;
        self.dead += verdict.late.len();
        self.in_time += verdict.late.len() - late;
        self.worst = verdict.late.iter().copied().fold(self.worst, f64::max);
        self.restarts += verdict.restarts;
        self.innocents += verdict.innocents;
        self.incidents += verdict.incidents;
        self.merged += verdict.merged;
        self.told += verdict.told;
        self.repeated += verdict.repeated;
        self.probes += verdict.probes;
        if !verdict.wrong.is_empty() || !verdict.missed.is_empty() {
            self.odd.push((seed, format!("wrong {:?}, missed {:?}", verdict.wrong, verdict.missed)));
        }
        if late > 0 {
            self.odd.push((seed, format!("late: {:?}", verdict.late)));
        }
        if verdict.innocents > 0 || verdict.repeated > 0 {
            let (innocents, repeated) = (verdict.innocents, verdict.repeated);
            self.odd.push((seed, format!("{innocents} innocents restarted, {repeated} alarms repeated")));
        }
        if let Some(law) = &verdict.broken {
            self.odd.push((seed, law.clone()));
        }
    }
}

/// A house in which nothing is ever wrong, for so long, with one answer in a hundred lost: every incident is a false alarm.
pub fn healthy(seed: u64, length: Duration) -> Verdict {
    let mut chance = Chance::new(seed);
    let mut world = World::new(House::generate(&mut chance), Rules::default(), seed);
    world.noise = 0.01;
    let broken = world.run(length).err();
    judge(&world, broken)
}
