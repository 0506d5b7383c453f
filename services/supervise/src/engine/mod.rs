//! The decisions of the supervisor, as a value: events and a monotonic time go in, commands come out. It touches
//! no process, clock or file, so every rule can be tried in virtual time.

mod breaker;
mod exit;
#[cfg(test)]
mod laws;
mod order;
#[cfg(test)]
mod tests;
mod unit;
mod wishes;
mod words;

use std::time::Duration;

pub(crate) use breaker::Rules;
pub(crate) use exit::Exit;
use sanctum_api::supervise::Phase;
use sanctum_kernel::inventory::Kind;
pub(crate) use unit::Unit;
use unit::{Ending, Renew};
pub(crate) use words::{Bond, Command, Event, Fate, Member, Past, Shape, Timer};

/// All of them.
#[derive(Debug)]
pub(crate) struct Engine {
    units: Vec<Unit>,
    rules: Rules,
    leaving: bool,
    chance: u64,
    out: Vec<Command>,
}

impl Engine {
    /// Bonds name members by position and go in no circle; `seed` is for jitter.
    pub(crate) fn new(members: Vec<(Member, Past)>, rules: Rules, seed: u64, now: Duration) -> Self {
        let units = members.into_iter().map(|(member, past)| Unit::new(member, past, now, &rules)).collect();
        let mut engine = Self { units, rules, leaving: false, chance: seed | 1, out: Vec::new() };
        engine.link();
        engine
    }

    /// Tells everybody who leans on them.
    fn link(&mut self) {
        let bonds: Vec<_> = self.units.iter().map(|unit| unit.member.bonds.clone()).collect();
        for (at, unit) in self.units.iter_mut().enumerate() {
            let by =
                bonds.iter().enumerate().flat_map(|(by, bonds)| bonds.iter().map(move |bond| (by, *bond)));
            unit.dependants = by.filter(|(_, (to, _))| *to == at).map(|(by, (_, bond))| (by, bond)).collect();
        }
    }

    /// Other rules from now on; waits that have begun go on as they are.
    pub(crate) fn revise(&mut self, rules: Rules) {
        self.rules = rules;
    }

    pub(crate) fn unit(&self, at: usize) -> Option<&Unit> {
        self.units.get(at)
    }

    /// Failures that still count.
    pub(crate) fn failures(&self, at: usize, now: Duration) -> u32 {
        self.units.get(at).map_or(0, |unit| unit.history.count(now, &self.rules))
    }

    /// What the next supervisor must know of its failures.
    pub(crate) fn past(&self, at: usize, now: Duration) -> Past {
        self.units.get(at).map_or_else(Past::default, |unit| Past {
            trial: unit.trial,
            locked: unit.phase == Phase::Locked,
            ..unit.history.past(now, &self.rules)
        })
    }

    /// Nothing runs and nothing will.
    pub(crate) fn is_over(&self) -> bool {
        self.leaving && !self.units.iter().any(|unit| unit.alive)
    }

    /// Takes note of what happened at `now` and says what to do.
    pub(crate) fn handle(&mut self, event: Event, now: Duration) -> Vec<Command> {
        match event {
            Event::Begin => (0..self.units.len()).for_each(|at| self.cool_down(at)),
            Event::Ready { unit, run } => self.ready(unit, run),
            Event::Exited { unit, run, exit } => self.exited(unit, run, exit, now),
            Event::Timer { unit, run, timer } => self.timer(unit, run, timer),
            Event::Due { unit } => self.due(unit),
            Event::Start { unit } => self.start(unit),
            Event::Stop { unit } => self.stop(unit),
            Event::Restart { unit } => self.restart(unit),
            Event::Reload { units } => self.reload(&units),
            Event::Unlock { unit } => self.unlock(unit),
            Event::Down => self.down(),
        }
        self.settle();
        std::mem::take(&mut self.out)
    }

    fn turn(&mut self, at: usize, phase: Phase) {
        if let Some(unit) = self.units.get_mut(at)
            && unit.phase != phase
        {
            unit.phase = phase;
            self.out.push(Command::Changed { unit: at });
        }
    }

    fn current(&mut self, at: usize, run: u64) -> Option<&mut Unit> {
        self.units.get_mut(at).filter(|unit| unit.run == run && unit.alive)
    }

    fn ready(&mut self, at: usize, run: u64) {
        let delay = self.rules.reset_after;
        if let Some(unit) = self.current(at, run).filter(|unit| unit.phase == Phase::Starting) {
            unit.once = true;
            self.out.push(Command::After { unit: at, run, timer: Timer::Stable, delay });
            self.turn(at, Phase::Ready);
        }
    }

    fn exited(&mut self, at: usize, run: u64, exit: Exit, now: Duration) {
        let Some(unit) = self.current(at, run) else { return };
        unit.alive = false;
        unit.renew = None;
        self.lose(at);
        let Some(unit) = self.units.get_mut(at) else { return };
        let ending = unit.ending.take();
        let exit = match ending {
            Some(Ending::Overdue) => Exit::Overdue,
            Some(Ending::TooLong) => Exit::TooLong,
            Some(Ending::Asked) | None => exit,
        };
        unit.last_exit = Some(exit.clone());
        let (asked, job) = (ending == Some(Ending::Asked), unit.is_job());
        match (asked, job) {
            (true, _) => {
                let next = if unit.wanted { Phase::Waiting } else { unit.rest() };
                self.turn(at, next);
            }
            (false, true) => self.finished(at, exit.is_well()),
            (false, false) => self.failed(at, &exit, now),
        }
    }

    /// Those that require it must end, however soon it is back: what they had of it is gone.
    fn lose(&mut self, at: usize) {
        let by: Vec<usize> = self.units.get(at).map_or_else(Vec::new, |unit| {
            unit.dependants.iter().filter(|(_, bond)| *bond == Bond::Requires).map(|(by, _)| *by).collect()
        });
        for by in by {
            if let Some(unit) =
                self.units.get_mut(by).filter(|unit| unit.alive && unit.phase != Phase::Stopping)
            {
                unit.renew = Some(Renew::Now);
            }
        }
    }

    /// A job has ended by itself, or took too long.
    fn finished(&mut self, at: usize, well: bool) {
        let Some(unit) = self.units.get_mut(at) else { return };
        unit.once |= well;
        let scheduled = unit.member.kind == Kind::Scheduled;
        unit.wanted &= !scheduled;
        let next = match (well, scheduled) {
            _ if unit.gone => Phase::Stopped,
            (false, _) => Phase::Failed,
            (true, true) => unit.rest(),
            (true, false) => Phase::Done,
        };
        self.out.push(Command::Finished { unit: at, well });
        self.turn(at, next);
    }

    fn failed(&mut self, at: usize, exit: &Exit, now: Duration) {
        let chance = self.draw();
        let Some(unit) = self.units.get_mut(at) else { return };
        unit.history.fail(now, &self.rules);
        let count = unit.history.count(now, &self.rules);
        if !unit.wanted {
            return self.turn(at, Phase::Stopped);
        }
        let trial = std::mem::take(&mut unit.trial);
        let delay = unit.history.delay(&self.rules, chance);
        let run = unit.run;
        self.out.push(Command::Counted { unit: at });
        if exit.is_config() {
            return self
                .lock(at, format!("{exit}: its configuration is wrong, and trying again would not mend it"));
        }
        if trial {
            return self.lock(at, format!("it failed again when it was tried once more, with {exit}"));
        }
        if count >= self.rules.failures {
            let window = sanctum_kernel::Period(self.rules.window);
            return self
                .lock(at, format!("it failed {count} times within {window}, the last time with {exit}"));
        }
        if delay.is_zero() {
            return self.turn(at, Phase::Waiting);
        }
        if let Some(unit) = self.units.get_mut(at) {
            unit.wait = Some(delay);
        }
        self.out.push(Command::After { unit: at, run, timer: Timer::Retry, delay });
        self.turn(at, Phase::BackingOff);
    }

    fn lock(&mut self, at: usize, reason: String) {
        self.out.push(Command::Lock { unit: at, reason });
        self.turn(at, Phase::Locked);
        self.cool_down(at);
    }

    /// A locked one is tried again after a while, if the rules say so.
    fn cool_down(&mut self, at: usize) {
        let locked = self.units.get(at).filter(|unit| unit.phase == Phase::Locked);
        if let (Some(unit), Some(delay)) = (locked, self.rules.cool_down) {
            self.out.push(Command::After { unit: at, run: unit.run, timer: Timer::CoolDown, delay });
        }
    }

    fn timer(&mut self, at: usize, run: u64, timer: Timer) {
        let Some(unit) = self.units.get_mut(at).filter(|unit| unit.run == run) else { return };
        match (timer, unit.phase) {
            (Timer::Retry, Phase::BackingOff) => self.turn(at, Phase::Waiting),
            (Timer::Start, Phase::Starting) => self.terminate(at, Ending::Overdue),
            (Timer::Limit, Phase::Running) => self.terminate(at, Ending::TooLong),
            (Timer::Grace, Phase::Stopping) => self.out.push(Command::Kill { unit: at, run }),
            (Timer::Stable, Phase::Ready) => {
                unit.history.settle();
                unit.trial = false;
                self.out.push(Command::Counted { unit: at });
            }
            (Timer::CoolDown, Phase::Locked) if self.rules.cool_down.is_some() => self.unlock(at),
            _ => {}
        }
    }

    fn terminate(&mut self, at: usize, ending: Ending) {
        let Some(unit) = self.units.get_mut(at) else { return };
        unit.ending = Some(ending);
        let (run, delay) = (unit.run, unit.member.grace);
        self.out.push(Command::Terminate { unit: at, run });
        self.out.push(Command::After { unit: at, run, timer: Timer::Grace, delay });
        self.turn(at, Phase::Stopping);
    }

    /// A number from 0 to below 1 (xorshift64: enough to keep services from rising in step).
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit into a double")]
    fn draw(&mut self) -> f64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 32) as f64 / (1_u64 << 32) as f64
    }
}
