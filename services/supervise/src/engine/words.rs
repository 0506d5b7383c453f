//! What goes into the engine and what comes out of it.

use std::time::Duration;

use sanctum_kernel::inventory::Kind;

use super::Exit;

/// How one leans on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bond {
    /// The other is ready when this one is started; its later end does not touch it. What services of the house need.
    Needs,
    /// The other is ready for as long as this one runs: when it ends this one is ended, and started again when it returns.
    Requires,
    /// The other has been ready once.
    After,
    /// The other is started before, if it can be.
    Wants,
}

/// What there is to know of one program.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) bonds: Vec<(usize, Bond)>,
    pub(crate) kind: Kind,
    pub(crate) grace: Duration,
    /// How long it may take to become ready; the rule of the house if absent.
    pub(crate) start_within: Option<Duration>,
    /// How long a run of a job may take.
    pub(crate) limit: Option<Duration>,
    /// It is started when somebody asks for it and not before.
    pub(crate) on_demand: bool,
}

/// What is remembered of it from before this supervisor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    pub(crate) locked: bool,
    /// It was unlocked and has not yet shown that it works.
    pub(crate) trial: bool,
    /// A job that has run already.
    pub(crate) done: bool,
    /// A job, or one that is started on demand, whose process was found.
    pub(crate) running: bool,
    /// How long ago it failed, the oldest first.
    pub(crate) failures: Vec<Duration>,
    pub(crate) in_a_row: u32,
}

/// What becomes of a program when the file changes.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) member: Member,
    pub(crate) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its process goes on, whatever else is said of it now.
    Same,
    /// It is to run otherwise: a process is ended and another started.
    Changed,
    /// It is declared no more.
    Gone,
    /// It was not there before.
    New,
}

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
    /// The time of a scheduled job has come.
    Due {
        unit: usize,
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
    /// Restart these, each when those it leans on are up again.
    Reload {
        units: Vec<usize>,
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
    /// A job had long enough.
    Limit,
    /// It had long enough to end.
    Grace,
    /// It was ready for so long that earlier failures no longer count for its waits.
    Stable,
    /// A locked one may be tried again.
    CoolDown,
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
    /// A job's run is over.
    Finished {
        unit: usize,
        well: bool,
    },
    /// Its failures are others now: to be remembered.
    Counted {
        unit: usize,
    },
    /// Its phase is another one now.
    Changed {
        unit: usize,
    },
}
