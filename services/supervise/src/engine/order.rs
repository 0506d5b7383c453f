//! Who may begin and who must end, seen from the whole.

use sanctum_api::supervise::Phase;

use super::Engine;
use super::unit::{Ending, Renew};
use super::words::{Bond, Command, Timer};

impl Engine {
    /// Ends what must end and starts what may start.
    pub(super) fn settle(&mut self) {
        let coming = self.coming();
        let going = self.going(&coming);
        let free: Vec<usize> =
            (0..self.units.len()).filter(|&at| going.get(at) == Some(&true) && self.is_free(at)).collect();
        for at in free {
            self.terminate(at, Ending::Asked);
        }
        if !self.leaving {
            self.raise(&going, &coming);
        }
    }

    /// Which of those that run must end.
    pub(super) fn going(&self, coming: &[bool]) -> Vec<bool> {
        let mut known = vec![None; self.units.len()];
        (0..self.units.len()).map(|at| self.goes(at, coming, &mut known)).collect()
    }

    fn goes(&self, at: usize, coming: &[bool], known: &mut [Option<bool>]) -> bool {
        let Some(unit) = self.units.get(at).filter(|unit| unit.alive) else { return false };
        if let Some(goes) = known.get(at).copied().flatten() {
            return goes;
        }
        let asked = self.leaving || !unit.wanted || unit.phase == Phase::Stopping || self.renews(at, coming);
        let goes =
            asked || unit.requires().any(|other| !self.is_up(other) || self.goes(other, coming, known));
        if let Some(known) = known.get_mut(at) {
            *known = Some(goes);
        }
        goes
    }

    /// Whether its process is to be replaced now.
    fn renews(&self, at: usize, coming: &[bool]) -> bool {
        let Some(unit) = self.units.get(at) else { return false };
        match unit.renew {
            None => false,
            Some(Renew::Now) => true,
            Some(Renew::InOrder) => unit.member.bonds.iter().all(|(other, _)| {
                let renewing = self.units.get(*other).is_some_and(|other| other.renew.is_some());
                !renewing && (self.is_up(*other) || coming.get(*other) != Some(&true))
            }),
        }
    }

    /// Nobody who must end first still runs.
    fn is_free(&self, at: usize) -> bool {
        self.units.get(at).is_some_and(|unit| {
            let holds = |(by, bond): &(usize, Bond)| {
                (self.leaving || *bond == Bond::Requires) && self.units.get(*by).is_some_and(|by| by.alive)
            };
            unit.can_end() && !unit.dependants.iter().any(holds)
        })
    }

    /// Starts everything whose bonds allow it.
    fn raise(&mut self, going: &[bool], coming: &[bool]) {
        for at in 0..self.units.len() {
            if self.may_begin(at, going, coming) {
                self.begin(at);
            }
        }
    }

    fn may_begin(&self, at: usize, going: &[bool], coming: &[bool]) -> bool {
        let Some(unit) = self.units.get(at) else { return false };
        let stays = |other: usize| self.is_up(other) && going.get(other) != Some(&true);
        let met = |(other, bond): &(usize, Bond)| match bond {
            Bond::Needs | Bond::Requires => stays(*other),
            Bond::After => self.units.get(*other).is_some_and(|other| other.once),
            Bond::Wants => stays(*other) || coming.get(*other) != Some(&true),
        };
        unit.wanted && !unit.alive && unit.phase == Phase::Waiting && unit.member.bonds.iter().all(met)
    }

    fn begin(&mut self, at: usize) {
        let within = self.rules.start_timeout;
        let Some(unit) = self.units.get_mut(at) else { return };
        unit.alive = true;
        unit.run += 1;
        unit.ending = None;
        unit.renew = None;
        let (run, job) = (unit.run, unit.is_job());
        let (timer, delay) = match job {
            true => (Timer::Limit, unit.member.limit),
            false => (Timer::Start, Some(unit.member.start_within.unwrap_or(within))),
        };
        self.out.push(Command::Spawn { unit: at, run });
        self.out.extend(delay.map(|delay| Command::After { unit: at, run, timer, delay }));
        self.turn(at, if job { Phase::Running } else { Phase::Starting });
    }

    pub(super) fn is_up(&self, at: usize) -> bool {
        self.units.get(at).is_some_and(super::Unit::is_up)
    }

    /// Which will be up by themselves before long. One that has failed and is tried again is not waited for.
    pub(super) fn coming(&self) -> Vec<bool> {
        let mut known = vec![None; self.units.len()];
        (0..self.units.len()).map(|at| self.comes(at, &mut known)).collect()
    }

    fn comes(&self, at: usize, known: &mut [Option<bool>]) -> bool {
        let Some(unit) = self.units.get(at).filter(|unit| unit.wanted) else { return false };
        if let Some(comes) = known.get(at).copied().flatten() {
            return comes;
        }
        let comes = match unit.phase {
            Phase::Starting | Phase::Running | Phase::Stopping => true,
            Phase::Waiting => unit.member.bonds.iter().all(|(other, bond)| match bond {
                Bond::Needs | Bond::Requires => self.is_up(*other) || self.comes(*other, known),
                Bond::After => {
                    self.units.get(*other).is_some_and(|other| other.once) || self.comes(*other, known)
                }
                Bond::Wants => true,
            }),
            _ => false,
        };
        if let Some(known) = known.get_mut(at) {
            *known = Some(comes);
        }
        comes
    }

    /// What `at` waits for.
    pub(crate) fn missing(&self, at: usize) -> impl Iterator<Item = usize> {
        let mut known = vec![None; self.units.len()];
        let bonds = self.units.get(at).map_or(&[][..], |unit| &unit.member.bonds);
        let unmet = move |(other, bond): &&(usize, Bond)| match bond {
            Bond::Needs | Bond::Requires => !self.is_up(*other),
            Bond::After => !self.units.get(*other).is_some_and(|other| other.once),
            Bond::Wants => !self.is_up(*other) && self.comes(*other, &mut known),
        };
        bonds.iter().filter(unmet).map(|(other, _)| *other)
    }
}
