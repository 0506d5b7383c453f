//! The accounts in memory: pure bookkeeping, without files or clocks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sanctum_kernel::trace::TraceId;

use super::record::{HEADER, Record};
use super::{Caps, Day, Level, Spent};
use crate::kinds::Nano;

/// Days with spend that are remembered: a clock that steps back further than this finds fresh money.
const DAYS: usize = 8;

/// Sums of one agent, or of the house.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) settled: u128,
    pub(crate) reserved: u128,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.settled = self.settled.saturating_add(other.settled);
        self.reserved = self.reserved.saturating_add(other.reserved);
    }
}

/// A request whose line is not known to be in the usage log.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) agent: usize,
    pub(crate) slot: i64,
    pub(crate) amount: u64,
    pub(crate) trace: TraceId,
    /// What it cost, once that is known.
    pub(crate) real: Option<u64>,
    /// Whether the journal knows of it.
    pub(crate) kept: bool,
    /// From a process that has died.
    pub(crate) stranded: bool,
    /// Its line came before its settlement.
    pub(crate) logged: bool,
}

#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) zone: TimeZone,
    pub(crate) day: Day,
    caps: Caps,
    names: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, usize>,
    /// By agent: its cap, and its sums of `day`.
    today: Vec<(Option<Nano>, Sums)>,
    house: Sums,
    /// By quarter of an hour, then by agent.
    slots: BTreeMap<i64, Vec<Sums>>,
    pub(crate) open: BTreeMap<u64, Open>,
    pub(crate) next: u64,
    warned: BTreeSet<(Date, String, Level)>,
    /// Agents that were refused for want of money on `day`; the house by its empty name.
    refused: BTreeSet<String>,
}

impl Book {
    pub(crate) fn new(now: Timestamp, zone: TimeZone, caps: Caps) -> Self {
        Self {
            day: Day::of(now, &zone),
            zone,
            caps,
            names: Vec::new(),
            by_name: HashMap::new(),
            today: Vec::new(),
            house: Sums::default(),
            slots: BTreeMap::new(),
            open: BTreeMap::new(),
            next: 0,
            warned: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    /// Makes the day of `now` the current one.
    pub(crate) fn turn(&mut self, now: Timestamp) {
        if !self.day.holds(now.as_second()) {
            self.day = Day::of(now, &self.zone);
            self.refused.clear();
            self.sum_up();
        }
    }

    pub(crate) fn set_zone(&mut self, zone: TimeZone, now: Timestamp) {
        self.zone = zone;
        self.day = Day::of(now, &self.zone);
        self.sum_up();
    }

    pub(crate) fn set_caps(&mut self, caps: Caps) {
        self.caps = caps;
        self.refused.clear();
        for (name, today) in self.names.iter().zip(&mut self.today) {
            today.0 = self.caps.of(name);
        }
    }

    fn sum_up(&mut self) {
        self.house = Sums::default();
        self.today.iter_mut().for_each(|(_, sums)| *sums = Sums::default());
        for (_, agents) in self.slots.range(self.day.start..self.day.end) {
            for ((_, today), sums) in self.today.iter_mut().zip(agents) {
                today.add(sums);
                self.house.add(sums);
            }
        }
    }

    /// The place of an agent in the tables.
    pub(crate) fn agent(&mut self, name: &str) -> usize {
        if let Some(at) = self.by_name.get(name) {
            return *at;
        }
        let name: Arc<str> = name.into();
        self.today.push((self.caps.of(&name), Sums::default()));
        self.names.push(Arc::clone(&name));
        self.by_name.insert(name, self.names.len() - 1);
        self.names.len() - 1
    }

    pub(crate) fn name(&self, agent: usize) -> &str {
        self.names.get(agent).map_or("", |name| name)
    }

    /// Whether `more` may be reserved today, beside what is.
    pub(crate) fn fits(&mut self, agent: usize, more: u64) -> Result<(), Spent> {
        let (cap, sums) = self.today.get(agent).copied().unwrap_or_default();
        self.judge(agent, cap, sums, self.house, Nano(more))
    }

    /// The same for the day `slot` lies in.
    pub(crate) fn fits_in(&mut self, agent: usize, slot: i64, more: u64) -> Result<(), Spent> {
        if self.day.holds(slot) {
            return self.fits(agent, more);
        }
        let cap = self.today.get(agent).and_then(|(cap, _)| *cap);
        let day = Day::of(Timestamp::from_second(slot).unwrap_or_default(), &self.zone);
        let (mut own, mut house) = (Sums::default(), Sums::default());
        for agents in self.slots.range(day.start..day.end).map(|(_, agents)| agents) {
            agents.get(agent).into_iter().for_each(|sums| own.add(sums));
            for sums in agents {
                house.add(sums);
            }
        }
        self.judge(agent, cap, own, house, Nano(more))
    }

    fn judge(
        &mut self,
        agent: usize,
        cap: Option<Nano>,
        sums: Sums,
        house: Sums,
        needed: Nano,
    ) -> Result<(), Spent> {
        if needed == Nano(0) {
            return Ok(());
        }
        if let Some(cap) = cap.filter(|cap| left(*cap, sums) < needed) {
            let agent = self.name(agent).to_owned();
            self.refused.insert(agent.clone());
            return Err(Spent::Agent { agent, cap, left: left(cap, sums), needed });
        }
        if let Some(cap) = self.caps.house.filter(|cap| left(*cap, house) < needed) {
            self.refused.insert(String::new());
            return Err(Spent::House { cap, left: left(cap, house), needed });
        }
        Ok(())
    }

    /// The most that [`Book::fits`].
    pub(crate) fn room(&self, agent: &str) -> Nano {
        let known = self.by_name.get(agent).and_then(|at| self.today.get(*at)).copied();
        let (cap, sums) = known.unwrap_or_else(|| (self.caps.of(agent), Sums::default()));
        let own = cap.map_or(Nano(u64::MAX), |cap| left(cap, sums));
        own.min(self.caps.house.map_or(Nano(u64::MAX), |cap| left(cap, self.house)))
    }

    fn change(&mut self, agent: usize, slot: i64, with: impl Fn(&mut Sums)) {
        let agents = self.slots.entry(slot).or_default();
        if agents.len() <= agent {
            agents.resize(agent + 1, Sums::default());
        }
        agents.get_mut(agent).into_iter().for_each(&with);
        if self.day.holds(slot) {
            self.today.get_mut(agent).into_iter().for_each(|(_, sums)| with(sums));
            with(&mut self.house);
        }
    }

    pub(crate) fn add(&mut self, id: u64, open: Open) {
        let amount = u128::from(open.amount);
        self.change(open.agent, open.slot, |sums| sums.reserved = sums.reserved.saturating_add(amount));
        self.next = self.next.max(id.saturating_add(1));
        self.open.insert(id, open);
    }

    /// What was settled before this book was opened.
    pub(crate) fn total(&mut self, agent: usize, slot: i64, settled: u128) {
        self.change(agent, slot, |sums| sums.settled = sums.settled.saturating_add(settled));
    }

    pub(crate) fn resize(&mut self, id: u64, amount: u64, kept: bool) {
        let Some(open) = self.open.get_mut(&id).filter(|open| open.real.is_none()) else { return };
        open.kept = kept;
        let before = u128::from(std::mem::replace(&mut open.amount, amount));
        let (agent, slot) = (open.agent, open.slot);
        self.change(agent, slot, |sums| {
            sums.reserved = sums.reserved.saturating_sub(before).saturating_add(amount.into());
        });
    }

    /// What a request cost; said again, it corrects what was said before.
    pub(crate) fn settle(&mut self, id: u64, real: u64) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let before = open.real.replace(real);
        let (agent, slot, amount) = (open.agent, open.slot, u128::from(open.amount));
        self.change(agent, slot, |sums| {
            match before {
                Some(before) => sums.settled = sums.settled.saturating_sub(before.into()),
                None => sums.reserved = sums.reserved.saturating_sub(amount),
            }
            sums.settled = sums.settled.saturating_add(real.into());
        });
    }

    /// The line of a request is in the usage log. `true` when nothing more is to be remembered of it; a request that
    /// is not settled yet is remembered until it is.
    pub(crate) fn logged(&mut self, id: u64) -> bool {
        let Some(open) = self.open.get_mut(&id) else { return false };
        open.logged = true;
        let done = open.real.is_some();
        if done {
            self.open.remove(&id);
        }
        done
    }

    /// What the usage log knows of a quarter of an hour and this book does not.
    pub(crate) fn at_least(&mut self, agent: &str, slot: i64, settled: u128) -> u128 {
        let agent = self.agent(agent);
        let known = self.slots.get(&slot).and_then(|agents| agents.get(agent)).map_or(0, |sums| sums.settled);
        let missing = settled.saturating_sub(known);
        if missing > 0 {
            self.total(agent, slot, missing);
        }
        missing
    }

    /// Replays one act.
    pub(crate) fn replay(&mut self, record: Record) {
        match record {
            Record::Header => {}
            Record::Next(next) => self.next = self.next.max(next),
            Record::Total { slot, settled, agent } => {
                let agent = self.agent(&agent);
                self.total(agent, slot, settled);
            }
            Record::Open { id, slot, amount, trace, agent } => {
                let agent = self.agent(&agent);
                self.add(
                    id,
                    Open {
                        agent,
                        slot,
                        amount,
                        trace,
                        real: None,
                        kept: true,
                        stranded: true,
                        logged: false,
                    },
                );
            }
            Record::Unlogged { id, slot, real, trace, agent } => {
                let agent = self.agent(&agent);
                self.next = self.next.max(id.saturating_add(1));
                let open = Open {
                    agent,
                    slot,
                    amount: 0,
                    trace,
                    real: Some(real),
                    kept: true,
                    stranded: true,
                    logged: false,
                };
                self.open.insert(id, open);
            }
            Record::Change { id, amount } => self.resize(id, amount, true),
            Record::Settle { id, real } => self.settle(id, real),
            Record::Logged(ids) => {
                for id in ids {
                    self.logged(id);
                }
            }
            Record::Warned { date, level, agent } => {
                self.warned.insert((date, agent, level));
            }
        }
    }

    /// After a replay: nobody will settle what is still reserved, so it counts at its reservation.
    pub(crate) fn strand(&mut self) {
        let lost: Vec<(u64, u64)> = self
            .open
            .iter()
            .filter(|(_, open)| open.real.is_none())
            .map(|(id, open)| (*id, open.amount))
            .collect();
        for (id, amount) in lost {
            self.settle(id, amount);
        }
    }

    /// Forgets what is too old to matter, and writes down the rest.
    pub(crate) fn snapshot(&mut self) -> String {
        self.prune();
        let mut text = String::new();
        Record::Header.write(&mut text);
        Record::Next(self.next).write(&mut text);
        for (slot, agents) in &self.slots {
            for (agent, sums) in self.names.iter().zip(agents).filter(|(_, sums)| sums.settled > 0) {
                Record::Total { slot: *slot, settled: sums.settled, agent: agent.to_string() }
                    .write(&mut text);
            }
        }
        for (&id, open) in self.open.iter().filter(|(_, open)| open.kept) {
            let Open { slot, amount, trace, .. } = *open;
            let agent = self.name(open.agent).to_owned();
            match open.real {
                Some(real) => Record::Unlogged { id, slot, real, trace, agent },
                None => Record::Open { id, slot, amount, trace, agent },
            }
            .write(&mut text);
        }
        for (date, agent, level) in &self.warned {
            Record::Warned { date: *date, level: *level, agent: agent.clone() }.write(&mut text);
        }
        debug_assert!(text.starts_with(HEADER), "the header comes first");
        text
    }

    fn prune(&mut self) {
        let day = |slot: i64| slot.div_euclid(86_400);
        let days: BTreeSet<i64> = self.slots.keys().map(|slot| day(*slot)).collect();
        let keep: BTreeSet<i64> = days.into_iter().rev().take(DAYS).collect();
        let open: BTreeSet<i64> = self.open.values().map(|open| open.slot).collect();
        let today = self.day;
        self.slots.retain(|slot, _| keep.contains(&day(*slot)) || open.contains(slot) || today.holds(*slot));
        while self.warned.len() > DAYS * 4 * (self.names.len() + 1) {
            self.warned.pop_first();
        }
    }

    /// Name, cap and sums of today of every agent that has a cap of its own or spent something; the house comes first,
    /// without a name.
    pub(crate) fn look(&self) -> Vec<(String, Option<Nano>, Sums)> {
        let mut all: BTreeMap<&str, (Option<Nano>, Sums)> =
            self.caps.agents.iter().map(|(name, cap)| (name.as_str(), (*cap, Sums::default()))).collect();
        for (name, (cap, sums)) in self.names.iter().zip(&self.today) {
            if *sums != Sums::default() || all.contains_key(&**name) {
                all.insert(name, (*cap, *sums));
            }
        }
        let house = (String::new(), self.caps.house, self.house);
        let agents = all.into_iter().map(|(name, (cap, sums))| (name.to_owned(), cap, sums));
        std::iter::once(house).chain(agents).collect()
    }

    pub(crate) fn was_refused(&self, agent: &str) -> bool {
        self.refused.contains(agent)
    }

    pub(crate) fn was_warned(&self, agent: &str, level: Level) -> bool {
        self.warned.contains(&(self.day.date, agent.to_owned(), level))
    }

    pub(crate) fn warned(&mut self, date: Date, agent: String, level: Level) {
        self.warned.insert((date, agent, level));
    }
}

/// What a cap leaves.
fn left(cap: Nano, sums: Sums) -> Nano {
    let used = sums.settled.saturating_add(sums.reserved);
    Nano(u64::try_from(u128::from(cap.0).saturating_sub(used)).unwrap_or(u64::MAX))
}
