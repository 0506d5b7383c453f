//! What is believed, why, and what is to be done about it: decisions without input or output, in time that is handed in.

use std::time::Duration;

use sanctum_api::watch::State;
use sanctum_kernel::Tier;
use sanctum_kernel::inventory::Kind;
use sanctum_probe::Answer;

/// Time since the engine began; the shell knows which wall time that was.
pub type Instant = Duration;

/// One service, as the engine needs to know it; positions are indices into the list it was made of.
#[derive(Debug, Clone)]
pub struct Member {
    pub name: String,
    pub kind: Kind,
    pub tier: Tier,
    /// Without these it cannot work.
    pub requires: Vec<usize>,
    /// It runs without these.
    pub wants: Vec<usize>,
    pub checks: Vec<Question>,
    /// What may be tried, in this order.
    pub ladder: Vec<Action>,
}

/// One check of it.
#[derive(Debug, Clone)]
pub struct Question {
    pub name: String,
    pub every: Duration,
    /// Bad answers in a row until it counts.
    pub fails: u32,
    /// Good answers in a row until it counts again.
    pub passes: u32,
    /// What a start may take before its answers count.
    pub start_within: Duration,
}

/// What may be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The supervisor restarts it.
    Restart,
    /// A vetted recipe, by its id.
    Recipe(String),
    /// The services it requires, one level up, are restarted.
    RestartRequirement,
    /// Everything below it is restarted in order.
    RestartSubtree,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    Answered {
        node: usize,
        check: usize,
        answer: Answer,
    },
    /// It was started again, by whomever: what is seen of it now is its start.
    Started {
        node: usize,
    },
    /// The supervisor has given it up (its breaker is open), or has taken it up again.
    Locked {
        node: usize,
        locked: bool,
    },
    /// A step that was ordered has ended.
    Acted {
        incident: u64,
        step: usize,
        outcome: Acted,
    },
    /// Somebody asks that nothing be done about it (or about anything) until then; `None` ends it.
    Held {
        node: Option<usize>,
        until: Option<Instant>,
    },
    /// Nothing that was seen since then can be believed: the machine slept, its own network was gone.
    Blind {
        since: Instant,
        why: String,
    },
    /// It sees again.
    Sees,
    /// Somebody did something about an incident: the ladder begins anew.
    Retry {
        incident: u64,
    },
    Timer(Timer),
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acted {
    /// It was done, and reading back showed it.
    Done(String),
    /// It was only rehearsed.
    Rehearsed(String),
    /// A guard refused it.
    Refused(String),
    /// It was tried and did not work.
    Failed(String),
}

/// What the shell is to wake the engine with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The next step of an incident may be taken, or its last one must have helped by now.
    Incident { incident: u64, serial: u64 },
    /// A node's grace after its root's recovery, its quarantine, its hold is over.
    Node { node: usize, serial: u64 },
    /// The posture may change.
    Posture,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Put this question again, out of turn.
    Ask {
        node: usize,
        check: usize,
        after: Duration,
    },
    After {
        delay: Duration,
        timer: Timer,
    },
    /// A node's state has turned.
    Turned {
        node: usize,
        from: State,
        to: State,
        why: String,
    },
    /// An incident is new, or has something new to say; look it up.
    Incident {
        incident: u64,
        what: Turn,
    },
    /// Take this step.
    Act {
        incident: u64,
        step: usize,
        node: usize,
        action: Action,
    },
}

/// What is new about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Opened,
    /// Symptoms, tries or the stage have changed: the one notification is updated.
    Changed,
    /// A person is needed.
    Escalated,
    Resolved,
}
