//! The decisions of the supervisor, as a value: events and a monotonic time go in, commands come out. It touches
//! no process, clock or file, so every rule can be tried in virtual time.

mod breaker;
mod exit;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use breaker::Rules;
pub(crate) use exit::Exit;
use sanctum_api::supervise::Phase;

use crate::order::Needs;
use breaker::History;

/// What happened. `run` numbers the processes of one unit: what comes late from an earlier one is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Start everything that is wanted.
    Begin,
    /// Its readiness check passed.
    Ready {
        unit: usize,
        run: u64,
    },
    /// The process, and all that belonged to it, is gone.
    Exited {
        unit: usize,
        run: u64,
        exit: Exit,
    },
    Timer {
        unit: usize,
        run: u64,
        timer: Timer,
    },
    Start {
        unit: usize,
    },
    Stop {
        unit: usize,
    },
    Restart {
        unit: usize,
    },
    Unlock {
        unit: usize,
    },
    /// The whole house, dependants first.
    Down,
}

/// What a waiting time was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Start it again.
    Retry,
    /// It had long enough to become ready.
    Start,
    /// It had long enough to end.
    Grace,
    /// It was ready for so long that earlier failures no longer count for its waits.
    Stable,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Spawn {
        unit: usize,
        run: u64,
    },
    Terminate {
        unit: usize,
        run: u64,
    },
    Kill {
        unit: usize,
        run: u64,
    },
    /// Say [`Event::Timer`] after this time.
    After {
        unit: usize,
        run: u64,
        timer: Timer,
        delay: Duration,
    },
    /// The breaker opened.
    Lock {
        unit: usize,
        reason: String,
    },
    Unlocked {
        unit: usize,
    },
    /// Its phase is another one now.
    Changed {
        unit: usize,
    },
}

/// One program as the engine sees it.
#[derive(Debug)]
pub(crate) struct Unit {
    needs: Vec<usize>,
    dependants: Vec<usize>,
    grace: Duration,
    pub(crate) phase: Phase,
    /// Someone wants it to run.
    wanted: bool,
    /// It has a process, or one is on its way.
    pub(crate) alive: bool,
    pub(crate) run: u64,
    ending: Option<Ending>,
    history: History,
    pub(crate) last_exit: Option<Exit>,
    /// When the present wait began and how long it is, for people.
    pub(crate) wait: Option<Duration>,
}

/// Why a process is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Somebody asked; `again` if it is to be started afterwards.
    Asked { again: bool },
    /// It did not become ready.
    Overdue,
}

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
    /// `graces` and `needs` by position; `locked` are those whose breaker was open before; `seed` is for jitter.
    pub(crate) fn new(needs: &Needs, graces: &[Duration], locked: &[bool], rules: Rules, seed: u64) -> Self {
        let dependants = |at: usize| {
            needs.iter().enumerate().filter(move |(_, needs)| needs.contains(&at)).map(|(by, _)| by)
        };
        let unit = |(at, needs): (usize, &Vec<usize>)| Unit {
            needs: needs.clone(),
            dependants: dependants(at).collect(),
            grace: graces.get(at).copied().unwrap_or_default(),
            phase: if locked.get(at) == Some(&true) { Phase::Locked } else { Phase::Waiting },
            wanted: true,
            alive: false,
            run: 0,
            ending: None,
            history: History::default(),
            last_exit: None,
            wait: None,
        };
        Self {
            units: needs.iter().enumerate().map(unit).collect(),
            rules,
            leaving: false,
            chance: seed | 1,
            out: Vec::new(),
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

    /// What `at` waits for.
    pub(crate) fn missing(&self, at: usize) -> impl Iterator<Item = usize> {
        let needs = self.units.get(at).map_or(&[][..], |unit| &unit.needs);
        needs.iter().copied().filter(|&need| !self.is_ready(need))
    }

    /// Nothing runs and nothing will.
    pub(crate) fn is_over(&self) -> bool {
        self.leaving && !self.units.iter().any(|unit| unit.alive)
    }

    /// Takes note of what happened at `now` and says what to do.
    pub(crate) fn handle(&mut self, event: Event, now: Duration) -> Vec<Command> {
        match event {
            Event::Begin => {}
            Event::Ready { unit, run } => self.ready(unit, run),
            Event::Exited { unit, run, exit } => self.exited(unit, run, exit, now),
            Event::Timer { unit, run, timer } => self.timer(unit, run, timer),
            Event::Start { unit } => self.start(unit),
            Event::Stop { unit } => self.stop(unit, false),
            Event::Restart { unit } => self.stop(unit, true),
            Event::Unlock { unit } => self.unlock(unit),
            Event::Down => self.down(),
        }
        if self.leaving {
            self.lower();
        } else {
            self.raise();
        }
        std::mem::take(&mut self.out)
    }

    fn is_ready(&self, at: usize) -> bool {
        self.units.get(at).is_some_and(|unit| unit.phase == Phase::Ready)
    }

    /// Starts everything whose needs are met.
    fn raise(&mut self) {
        let able = |(at, unit): (usize, &Unit)| {
            let able = unit.wanted
                && unit.phase == Phase::Waiting
                && unit.needs.iter().all(|&need| self.is_ready(need));
            able.then_some(at)
        };
        let able: Vec<usize> = self.units.iter().enumerate().filter_map(able).collect();
        let delay = self.rules.start_timeout;
        for at in able {
            let Some(unit) = self.units.get_mut(at) else { continue };
            unit.alive = true;
            unit.run += 1;
            unit.ending = None;
            let run = unit.run;
            self.out.push(Command::Spawn { unit: at, run });
            self.out.push(Command::After { unit: at, run, timer: Timer::Start, delay });
            self.turn(at, Phase::Starting);
        }
    }

    /// Ends everything that nobody alive depends on.
    fn lower(&mut self) {
        let free = |(at, unit): (usize, &Unit)| {
            let held = unit.dependants.iter().any(|&by| self.units.get(by).is_some_and(|by| by.alive));
            (unit.alive && unit.phase != Phase::Stopping && !held).then_some(at)
        };
        let free: Vec<usize> = self.units.iter().enumerate().filter_map(free).collect();
        for at in free {
            self.terminate(at, Ending::Asked { again: false });
        }
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
        if self.current(at, run).is_some_and(|unit| unit.phase == Phase::Starting) {
            self.out.push(Command::After { unit: at, run, timer: Timer::Stable, delay });
            self.turn(at, Phase::Ready);
        }
    }

    fn exited(&mut self, at: usize, run: u64, exit: Exit, now: Duration) {
        let Some(unit) = self.current(at, run) else { return };
        unit.alive = false;
        let ending = unit.ending.take();
        let exit = if ending == Some(Ending::Overdue) { Exit::Overdue } else { exit };
        unit.last_exit = Some(exit.clone());
        match ending {
            Some(Ending::Asked { again }) => {
                let wanted = again && unit.wanted;
                self.turn(at, if wanted { Phase::Waiting } else { Phase::Stopped });
            }
            Some(Ending::Overdue) | None => self.failed(at, &exit, now),
        }
    }

    fn failed(&mut self, at: usize, exit: &Exit, now: Duration) {
        let chance = self.draw();
        let Some(unit) = self.units.get_mut(at) else { return };
        unit.history.fail(now, &self.rules);
        let count = unit.history.count(now, &self.rules);
        if !unit.wanted {
            return self.turn(at, Phase::Stopped);
        }
        if exit.is_config() {
            return self
                .lock(at, format!("{exit}: its configuration is wrong, and trying again would not mend it"));
        }
        if count >= self.rules.failures {
            let window = sanctum_kernel::Period(self.rules.window);
            return self
                .lock(at, format!("it failed {count} times within {window}, the last time with {exit}"));
        }
        let delay = unit.history.delay(&self.rules, chance);
        if delay.is_zero() {
            return self.turn(at, Phase::Waiting);
        }
        unit.wait = Some(delay);
        let run = unit.run;
        self.out.push(Command::After { unit: at, run, timer: Timer::Retry, delay });
        self.turn(at, Phase::BackingOff);
    }

    fn lock(&mut self, at: usize, reason: String) {
        self.out.push(Command::Lock { unit: at, reason });
        self.turn(at, Phase::Locked);
    }

    fn timer(&mut self, at: usize, run: u64, timer: Timer) {
        let Some(unit) = self.units.get_mut(at).filter(|unit| unit.run == run) else { return };
        match (timer, unit.phase) {
            (Timer::Retry, Phase::BackingOff) => self.turn(at, Phase::Waiting),
            (Timer::Start, Phase::Starting) => self.terminate(at, Ending::Overdue),
            (Timer::Grace, Phase::Stopping) => self.out.push(Command::Kill { unit: at, run }),
            (Timer::Stable, Phase::Ready) => unit.history.settle(),
            _ => {}
        }
    }

    fn terminate(&mut self, at: usize, ending: Ending) {
        let Some(unit) = self.units.get_mut(at) else { return };
        unit.ending = Some(ending);
        let (run, delay) = (unit.run, unit.grace);
        self.out.push(Command::Terminate { unit: at, run });
        self.out.push(Command::After { unit: at, run, timer: Timer::Grace, delay });
        self.turn(at, Phase::Stopping);
    }

    fn start(&mut self, at: usize) {
        let Some(unit) = self.units.get_mut(at) else { return };
        unit.wanted = true;
        match unit.phase {
            Phase::Stopped | Phase::BackingOff => self.turn(at, Phase::Waiting),
            Phase::Stopping => unit.ending = Some(Ending::Asked { again: true }),
            _ => {}
        }
    }

    fn stop(&mut self, at: usize, again: bool) {
        let Some(unit) = self.units.get_mut(at) else { return };
        unit.wanted = again;
        match unit.phase {
            Phase::Starting | Phase::Ready => self.terminate(at, Ending::Asked { again }),
            Phase::Stopping => unit.ending = Some(Ending::Asked { again }),
            Phase::Waiting | Phase::BackingOff | Phase::Stopped => {
                self.turn(at, if again { Phase::Waiting } else { Phase::Stopped });
            }
            Phase::Locked | Phase::Done | Phase::Failed | Phase::Scheduled => {}
        }
    }

    fn unlock(&mut self, at: usize) {
        let Some(unit) = self.units.get_mut(at).filter(|unit| unit.phase == Phase::Locked) else { return };
        unit.wanted = true;
        unit.history = History::default();
        self.out.push(Command::Unlocked { unit: at });
        self.turn(at, Phase::Waiting);
    }

    fn down(&mut self) {
        self.leaving = true;
        for at in 0..self.units.len() {
            let Some(unit) = self.units.get_mut(at) else { continue };
            unit.wanted = false;
            match unit.phase {
                Phase::Waiting | Phase::BackingOff => self.turn(at, Phase::Stopped),
                Phase::Stopping => unit.ending = Some(Ending::Asked { again: false }),
                _ => {}
            }
        }
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
