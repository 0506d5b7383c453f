//! What people, schedules and the changed file ask for.

use std::time::Duration;

use sanctum_api::supervise::Phase;
use sanctum_kernel::inventory::Kind;

use super::Engine;
use super::breaker::History;
use super::unit::{Ending, Renew, Unit};
use super::words::{Command, Fate, Past, Shape};

impl Engine {
    /// Another file: `shapes` by position, those that were not there before at the end.
    pub(crate) fn reshape(&mut self, shapes: Vec<Shape>, now: Duration) -> Vec<Command> {
        for (at, Shape { member, fate }) in shapes.into_iter().enumerate() {
            if at >= self.units.len() {
                self.units.push(Unit::new(member, Past::default(), now, &self.rules));
                self.out.push(Command::Changed { unit: at });
                continue;
            }
            match fate {
                Fate::Gone => self.leave(at),
                Fate::Same | Fate::Changed | Fate::New => {
                    let Some(unit) = self.units.get_mut(at) else { continue };
                    let before = std::mem::replace(&mut unit.member, member).kind;
                    if fate != Fate::Same || unit.gone {
                        self.change(at, before);
                    }
                }
            }
        }
        self.link();
        self.settle();
        std::mem::take(&mut self.out)
    }

    /// It is declared no more. Its bonds stay: those it leans on end after it.
    fn leave(&mut self, at: usize) {
        let Some(unit) = self.units.get_mut(at).filter(|unit| !unit.gone) else { return };
        (unit.gone, unit.wanted, unit.renew, unit.trial) = (true, false, None, false);
        unit.history = History::default();
        if !unit.alive {
            if unit.phase == Phase::Locked {
                self.out.push(Command::Unlocked { unit: at });
            }
            self.turn(at, Phase::Stopped);
        }
    }

    /// It is to run otherwise.
    fn change(&mut self, at: usize, before: Kind) {
        let Some(unit) = self.units.get_mut(at) else { return };
        let returns = std::mem::take(&mut unit.gone);
        let turned = unit.member.kind != before;
        if returns || turned {
            (unit.wanted, unit.paused) = (unit.member.kind != Kind::Scheduled, false);
        }
        if unit.alive {
            // A job is not torn: what it does now it ends, and the next run is the new one.
            unit.renew = (turned || !unit.is_job()).then_some(Renew::InOrder);
            return;
        }
        match unit.phase {
            Phase::Locked => self.unlock(at),
            Phase::Stopped if !returns && !turned => {}
            _ if unit.member.kind == Kind::Scheduled => {
                let rest = unit.rest();
                self.turn(at, rest);
            }
            _ => self.turn(at, Phase::Waiting),
        }
    }

    pub(super) fn due(&mut self, at: usize) {
        let Some(unit) = self.units.get_mut(at) else { return };
        if !unit.paused && !unit.gone && matches!(unit.phase, Phase::Scheduled | Phase::Failed) {
            unit.wanted = true;
            self.turn(at, Phase::Waiting);
        }
    }

    pub(super) fn start(&mut self, at: usize) {
        let Some(unit) = self.units.get_mut(at).filter(|unit| !unit.gone && unit.phase != Phase::Locked)
        else {
            return;
        };
        (unit.wanted, unit.paused) = (true, false);
        let asleep = matches!(
            unit.phase,
            Phase::Stopped | Phase::BackingOff | Phase::Done | Phase::Failed | Phase::Scheduled
        );
        if asleep {
            self.turn(at, Phase::Waiting);
        }
    }

    pub(super) fn stop(&mut self, at: usize) {
        let Some(unit) = self.units.get_mut(at) else { return };
        (unit.wanted, unit.renew) = (false, None);
        unit.paused = unit.member.kind == Kind::Scheduled;
        if unit.phase == Phase::Stopping {
            unit.ending = Some(Ending::Asked);
        }
        if !unit.alive && unit.phase != Phase::Locked {
            self.turn(at, Phase::Stopped);
        }
    }

    pub(super) fn restart(&mut self, at: usize) {
        self.start(at);
        if let Some(unit) = self.units.get_mut(at).filter(|unit| unit.can_end()) {
            unit.renew = Some(Renew::Now);
        }
    }

    pub(super) fn reload(&mut self, units: &[usize]) {
        for &at in units {
            if let Some(unit) = self.units.get_mut(at).filter(|unit| unit.can_end() && unit.wanted) {
                unit.renew = Some(Renew::InOrder);
            }
        }
    }

    /// One more try, which must go well.
    pub(super) fn unlock(&mut self, at: usize) {
        let Some(unit) = self.units.get_mut(at).filter(|unit| unit.phase == Phase::Locked) else { return };
        (unit.wanted, unit.trial) = (true, true);
        unit.history = History::default();
        self.out.push(Command::Unlocked { unit: at });
        self.out.push(Command::Counted { unit: at });
        self.turn(at, Phase::Waiting);
    }

    pub(super) fn down(&mut self) {
        self.leaving = true;
        for at in 0..self.units.len() {
            let Some(unit) = self.units.get_mut(at) else { continue };
            unit.wanted = false;
            if matches!(unit.phase, Phase::Waiting | Phase::BackingOff | Phase::Scheduled) {
                self.turn(at, Phase::Stopped);
            }
        }
    }
}
