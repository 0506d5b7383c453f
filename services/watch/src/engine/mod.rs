//! What is believed, why, and what is to be done about it: decisions without input or output, in time that is handed in.

mod act;
mod care;
mod check;
mod graph;
mod incident;
mod judge;
mod keep;
mod ladder;
mod member;
mod memory;
mod node;
mod posture;
mod rules;
mod settle;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use sanctum_api::watch::{Posture, State};
use sanctum_kernel::Tier;
use sanctum_kernel::inventory::{Kind, Plane};
use sanctum_probe::Answer;
use serde::{Deserialize, Serialize};

pub use check::Check;
pub use graph::cycle;
pub use incident::{IncidentView, Step};
pub use keep::Snapshot;
pub use memory::{Outcome, Outcomes, shape};
pub use node::NodeView;
pub use rules::{Budget, Rules};

use graph::Graph;
use posture::Mood;

/// Time since the engine first began; the shell knows which wall time that was. It never runs backwards: an engine that is restored
/// goes on from [`Snapshot::at`].
pub type Instant = Duration;

/// One service, as the engine needs to know it; positions are indices into the list it was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    pub name: String,
    pub plane: Plane,
    pub kind: Kind,
    pub tier: Tier,
    /// Without these it cannot work.
    pub requires: Vec<usize>,
    /// It runs without these.
    pub wants: Vec<usize>,
    pub checks: Vec<Question>,
    /// What may be tried, in this order.
    pub ladder: Vec<Action>,
    /// Somebody else brings it back within this: until then nothing is tried, and nobody is asked.
    pub left: Duration,
}

/// One check of it.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The supervisor restarts it.
    Restart,
    /// A vetted recipe, by its id.
    Recipe(String),
    /// The services it requires, one level up, are restarted.
    RestartRequirement,
    /// It and everything that fails because of it is restarted in order.
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
    /// It sees again, or it sees at all: the answer to [`Command::LookAround`].
    Sees,
    /// Somebody wants the house to heed something (`recording`, `asleep`) until then; `None` ends it.
    Attention {
        word: String,
        until: Option<Instant>,
    },
    /// How much of the last while work had to wait for the processor, memory or disks: the greatest share, 0 to 1 (PSI).
    Pressure {
        share: f64,
    },
    /// Somebody did something about an incident: the ladder begins anew.
    Retry {
        incident: u64,
    },
    Timer(Timer),
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// What the shell is to wake the engine with. One that comes late or twice does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    pub serial: u64,
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
        /// What it may touch, in this order: for a restart, exactly these are restarted.
        on: Vec<usize>,
    },
    /// Something fails: prove that it is not the watch that is blind (gateway, loopback, two places beyond), and say
    /// [`Event::Sees`] or [`Event::Blind`]. Until then, or for [`Rules::look_within`], nobody is told of many failures at once.
    LookAround,
    /// What a step was good for is known: to be kept.
    Learned(Outcome),
    /// How tense the house is has changed, and with it [`Engine::budget`].
    Posture(Posture),
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

/// All of it.
#[derive(Debug, Clone)]
pub struct Engine {
    members: Vec<Member>,
    graph: Graph,
    rules: Rules,
    nodes: Vec<NodeView>,
    /// Open ones, and the last ones that are over.
    incidents: BTreeMap<u64, IncidentView>,
    next: u64,
    memory: Outcomes,
    hold: Option<Instant>,
    blind: Option<String>,
    attention: Option<(String, Instant)>,
    mood: Mood,
    chance: u64,
    now: Instant,
    /// When it was last asked to look around, and when it last said that it sees.
    looked: Option<Instant>,
    seen: Option<Instant>,
    wake: Option<Instant>,
    serial: u64,
    out: Vec<Command>,
}

impl Engine {
    /// All of it unknown. `memory` is what was kept of [`Command::Learned`]; `seed` is for jitter.
    pub fn new(members: Vec<Member>, rules: Rules, memory: Outcomes, seed: u64) -> Self {
        let nodes = members.iter().map(|member| NodeView::new(member, Instant::ZERO)).collect();
        Self {
            graph: Graph::new(&members),
            members,
            rules,
            nodes,
            incidents: BTreeMap::new(),
            next: 1,
            memory,
            hold: None,
            blind: None,
            attention: None,
            mood: Mood::default(),
            chance: seed | 1,
            now: Instant::ZERO,
            looked: None,
            seen: None,
            wake: None,
            serial: 0,
            out: Vec::new(),
        }
    }

    /// Takes note of what happened at `now` and says what to do. What must survive a restart has changed whenever the answer
    /// has anything but `Ask`, `After` and `LookAround` in it: [`Engine::snapshot`].
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Command> {
        self.leap(&event, now);
        self.now = self.now.max(now);
        let judge = match event {
            Event::Answered { node, check, answer } => self.answered(node, check, &answer),
            Event::Started { node } => self.started(node),
            Event::Locked { node, locked } => self.locked(node, locked),
            Event::Acted { incident, step, outcome } => self.acted(incident, step, outcome),
            Event::Held { node, until } => self.held(node, until),
            Event::Blind { since, why } => self.blinded(since, why),
            Event::Sees => self.sees(),
            Event::Attention { word, until } => self.attend(word, until),
            Event::Pressure { share } => self.mood.press(share),
            Event::Retry { incident } => self.retry(incident),
            Event::Timer(_) => true,
        };
        if judge {
            self.judge();
        }
        std::mem::take(&mut self.out)
    }

    pub fn node(&self, at: usize) -> Option<&NodeView> {
        self.nodes.get(at)
    }

    /// Open, or over not long ago.
    pub fn incident(&self, id: u64) -> Option<&IncidentView> {
        self.incidents.get(&id)
    }

    pub fn open(&self) -> impl Iterator<Item = &IncidentView> {
        self.incidents.values().filter(|incident| incident.is_open())
    }

    pub fn posture(&self) -> Posture {
        self.mood.posture()
    }

    /// What may be spent now: how often to look, how much to do at once.
    pub fn budget(&self) -> Budget {
        Budget::of(self.posture())
    }

    /// Why nothing that is seen now is believed.
    pub fn blind(&self) -> Option<&str> {
        self.blind.as_deref()
    }

    /// Until when everything is held.
    pub fn hold(&self) -> Option<Instant> {
        self.hold.filter(|&until| until > self.now)
    }

    /// What it learned of its steps.
    pub fn outcomes(&self) -> &Outcomes {
        &self.memory
    }

    /// From `at` down to a root, each failing because of the next; only itself if it is a root, empty if it does not fail.
    pub fn chain(&self, at: usize) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut next = Some(at).filter(|&at| self.is_down(at));
        while let Some(at) = next {
            chain.push(at);
            next = self.causes(at).into_iter().find(|cause| !chain.contains(cause));
        }
        chain
    }

    /// A number from 0 to below 1 (xorshift64: enough to keep steps from falling together).
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit into a double")]
    fn draw(&mut self) -> f64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 32) as f64 / (1_u64 << 32) as f64
    }
}
