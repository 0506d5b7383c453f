//! What people and the machine say: holds, attention, blindness, starts, the supervisor's breaker.

use std::time::Duration;

use sanctum_api::watch::State;
use sanctum_kernel::Tier;

use super::incident::Phase;
use super::{Engine, Event, Instant};

impl Engine {
    /// Nothing at all was heard for so long that time itself has leapt: what was believed is asked anew.
    pub(super) fn leap(&mut self, event: &Event, now: Instant) {
        let longest =
            self.members.iter().flat_map(|member| &member.checks).map(|question| question.every).max();
        let limit = self.rules.leap.max(longest.unwrap_or_default() * 4);
        let before = self.now;
        let quiet = now.saturating_sub(before) > limit;
        if quiet && !before.is_zero() && self.blind.is_none() && !matches!(event, Event::Blind { .. }) {
            self.now = now;
            self.blinded(before, "time has leapt".to_owned());
            self.sees();
        }
    }

    pub(super) fn blinded(&mut self, since: Instant, why: String) -> bool {
        self.blind = Some(why);
        self.seen = None;
        for node in &mut self.nodes {
            node.pending = None;
            for check in &mut node.checks {
                check.doubt(since);
            }
        }
        drop(self.turn());
        self.explain();
        true
    }

    pub(super) fn sees(&mut self) -> bool {
        let now = self.now;
        self.seen = Some(now);
        if self.blind.take().is_none() {
            return true;
        }
        let until = now + self.rules.recovery_grace;
        for at in 0..self.nodes.len() {
            if let Some(node) = self.nodes.get_mut(at) {
                node.grace = node.grace.max(Some(until));
                for check in &mut node.checks {
                    check.forget();
                    check.asked = None;
                }
            }
            self.ask_all(at, Duration::ZERO);
        }
        for incident in self.incidents.values_mut() {
            incident.phase = match incident.phase {
                Phase::Ready { at } => Phase::Ready { at: at.max(until) },
                Phase::Acting { .. } => Phase::Acting { until: now + self.rules.act_within },
                Phase::Verifying { .. } => Phase::Verifying { until: until + self.rules.verify_within },
                Phase::Exhausted => Phase::Exhausted,
            };
        }
        true
    }

    /// Bad answers do not count for a while.
    pub(super) fn start(&mut self, at: usize, ours: bool) {
        let (Some(node), Some(member)) = (self.nodes.get_mut(at), self.members.get(at)) else { return };
        for (check, question) in node.checks.iter_mut().zip(&member.checks) {
            check.start(question, &self.rules, self.now, ours);
        }
    }

    pub(super) fn started(&mut self, at: usize) -> bool {
        self.start(at, false);
        true
    }

    /// The supervisor's breaker. When it is closed again somebody has done something: the ladder begins anew.
    pub(super) fn locked(&mut self, at: usize, locked: bool) -> bool {
        let Some(node) = self.nodes.get_mut(at).filter(|node| node.locked != locked) else { return false };
        node.locked = locked;
        let own = node.own;
        if !locked {
            self.start(at, true);
            self.ask_all(at, self.rules.confirm_good);
            if let Some(id) = own {
                self.retry(id);
            }
        }
        true
    }

    pub(super) fn held(&mut self, node: Option<usize>, until: Option<Instant>) -> bool {
        match node {
            Some(at) => {
                if let Some(node) = self.nodes.get_mut(at) {
                    node.hold = until;
                }
            }
            None => self.hold = until,
        }
        true
    }

    pub(super) fn attend(&mut self, word: String, until: Option<Instant>) -> bool {
        self.attention = until.map(|until| (word, until));
        true
    }

    /// Whether somebody said this of the house.
    pub(super) fn heeds(&self, word: &str) -> bool {
        self.attention.as_ref().is_some_and(|(said, until)| said == word && *until > self.now)
    }

    /// What is over by itself.
    pub(super) fn expire(&mut self) {
        let now = self.now;
        self.hold = self.hold.filter(|&until| until > now);
        if self.attention.as_ref().is_some_and(|(_, until)| *until <= now) {
            self.attention = None;
        }
        for node in &mut self.nodes {
            node.hold = node.hold.filter(|&until| until > now);
            node.grace = node.grace.filter(|&until| until > now);
            node.calm(now, &self.rules);
        }
    }

    /// Something does not work and nobody may be asked because of what somebody said: why, for people.
    pub fn waits_for(&self, at: usize) -> Option<String> {
        let (node, member) = (self.nodes.get(at)?, self.members.get(at)?);
        if self.is_held(at) {
            Some("it is held".to_owned())
        } else if !self.causes(at).is_empty() {
            Some(format!("it waits for {}", self.names(self.causes(at).into_iter())))
        } else if node.state != State::Healthy && node.is_spared(self.now) {
            Some("something it requires has just come back".to_owned())
        } else {
            let word = self.attention.as_ref().map(|(word, _)| word);
            word.filter(|_| member.tier != Tier::Critical).map(|word| format!("somebody said `{word}`"))
        }
    }
}
