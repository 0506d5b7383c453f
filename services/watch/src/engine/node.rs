//! One service as it is believed to be.

use std::collections::VecDeque;
use std::time::Duration;

use sanctum_api::watch::State;
use serde::{Deserialize, Serialize};

use super::{Check, Instant, Member, Rules};

/// What is known of one service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeView {
    pub name: String,
    pub state: State,
    pub since: Instant,
    /// What was seen, for people.
    pub detail: String,
    pub checks: Vec<Check>,
    /// The services that are the root of its failing; itself, if it is one; none, if it does not fail.
    pub roots: Vec<usize>,
    /// The incident that it is the root of, or else one it belongs to.
    pub incident: Option<u64>,
    /// It changes its mind too often to be believed.
    pub flapping: bool,
    /// Until when somebody asked that nothing be done about it.
    pub hold: Option<Instant>,
    /// The supervisor has given it up.
    pub locked: bool,
    /// Nothing is known of it but that everything behind it fails.
    pub suspect: bool,
    /// The first of the bad answers for which it is believed to fail.
    pub began: Option<Instant>,
    /// Steps that count against its budget.
    pub spent: VecDeque<Instant>,
    /// The incident it is the root of.
    pub(super) own: Option<u64>,
    /// What fails in it opens nothing before: something it requires has just come back.
    pub(super) grace: Option<Instant>,
    #[serde(skip)]
    pub(super) pending: Option<Pending>,
    pub(super) turns: VecDeque<Instant>,
}

/// It is believed to fail; what it requires is asked before that is an incident.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    pub(super) since: Instant,
    /// Checks that must be decided first.
    pub(super) awaits: Vec<(usize, usize)>,
}

/// Not healthy, not unknown: it does not do its work.
pub(super) const fn is_down(state: State) -> bool {
    matches!(state, State::Failed | State::Blocked)
}

impl NodeView {
    pub(super) fn new(member: &Member, now: Instant) -> Self {
        let checks = member.checks.iter().map(|question| Check::new(question, now)).collect();
        Self { name: member.name.clone(), since: now, checks, ..Self::default() }
    }

    /// What its checks say, whatever else is known.
    pub(super) fn measured(&self) -> State {
        let any = |state: State| self.checks.iter().any(|check| check.state == state);
        if any(State::Failed) {
            State::Failed
        } else if any(State::Drift) {
            State::Drift
        } else if self.checks.is_empty() || any(State::Unknown) {
            State::Unknown
        } else {
            State::Healthy
        }
    }

    /// What is to be believed of it.
    pub(super) fn believed(&self) -> State {
        if self.locked || self.suspect { State::Failed } else { self.measured() }
    }

    /// The checks for which it is not well.
    pub(super) fn troubled(&self) -> impl Iterator<Item = (usize, &Check)> {
        let worst = self.measured();
        let bad = matches!(worst, State::Failed | State::Drift);
        self.checks.iter().enumerate().filter(move |(_, check)| bad && check.state == worst)
    }

    /// The check that failed first.
    pub(super) fn first_trouble(&self) -> Option<&Check> {
        self.troubled().map(|(_, check)| check).min_by_key(|check| check.bad_since)
    }

    /// When all that fails now was last seen to work.
    pub(super) fn last_good(&self) -> Option<Instant> {
        self.troubled().filter_map(|(_, check)| check.last_good).max()
    }

    pub(super) fn is_held(&self, now: Instant) -> bool {
        self.hold.is_some_and(|until| until > now)
    }

    pub(super) fn is_spared(&self, now: Instant) -> bool {
        self.grace.is_some_and(|until| until > now)
    }

    /// It went down or came up by itself: too often, and it flaps.
    pub(super) fn turned(&mut self, now: Instant, rules: &Rules) {
        self.turns.push_back(now);
        while self.turns.front().is_some_and(|&at| at + rules.flap_window < now) {
            self.turns.pop_front();
        }
        self.flapping |= self.turns.len() >= rules.flap_turns;
    }

    /// Whether it has calmed down.
    pub(super) fn calm(&mut self, now: Instant, rules: &Rules) {
        if self.flapping && self.turns.back().is_none_or(|&at| at + rules.flap_calm <= now) {
            self.flapping = false;
            self.turns.clear();
        }
    }

    /// Steps about it that still count.
    pub(super) fn spent(&self, now: Instant, window: Duration) -> usize {
        self.spent.iter().filter(|&&at| at + window > now).count()
    }
}
