//! An incident on its way: symptoms join, steps are taken and verified, it is told, it is over.

use std::time::Duration;

use sanctum_api::watch::{Stage, State};
use sanctum_kernel::Tier;

use super::incident::{Phase, Step};
use super::ladder::Next;
use super::node::is_down;
use super::{Acted, Action, Command, Engine, Instant, Turn};

/// So many that are over are kept for whoever asks.
const KEPT: usize = 64;
/// A step that was refused is followed by the next after this; one that was rehearsed has to see the trouble once more.
const SOON: Duration = Duration::from_millis(200);

impl Engine {
    /// Every open incident, requirements first.
    pub(super) fn follow(&mut self) {
        let mut open: Vec<(usize, u64)> =
            self.open().map(|incident| (self.graph.depth(incident.root), incident.id)).collect();
        open.sort_unstable();
        for (_, id) in open {
            self.follow_one(id);
        }
    }

    fn follow_one(&mut self, id: u64) {
        let Some(incident) = self.incidents.get(&id).filter(|incident| incident.is_open()) else { return };
        let (root, was, drift, suspected) =
            (incident.root, incident.state, incident.drift, incident.suspected);
        let Some(node) = self.nodes.get(root) else { return };
        let (state, flapping, since) = (node.state, node.flapping, node.since);
        // Nothing is asked of it: what had failed was its lock, and that is gone.
        let unasked = node.checks.is_empty();
        let worse = is_down(state) && drift;
        if state != was
            && (is_down(state) || state == State::Drift)
            && let Some(incident) = self.incidents.get_mut(&id)
        {
            incident.state = state;
            incident.drift &= !is_down(state);
        }
        let well = match state {
            State::Healthy => true,
            State::Drift => !drift,
            State::Unknown => suspected || unasked,
            State::Failed | State::Blocked => false,
        };
        if well {
            return self.recover(id, since, flapping);
        }
        if self.gather(id) || worse {
            self.retitle(id);
            self.out.push(Command::Incident { incident: id, what: Turn::Changed });
        }
        self.relapse(id);
        self.step(id);
    }

    fn recover(&mut self, id: u64, since: Instant, flapping: bool) {
        let (now, linger) = (self.now, self.rules.linger);
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let recovering = *incident.recovering.get_or_insert(since);
        if let Phase::Verifying { .. } = incident.phase {
            incident.phase = Phase::Ready { at: now };
            if let Some(step) = incident.tried.last_mut() {
                step.helped = Some(true);
            }
            self.out.push(Command::Incident { incident: id, what: Turn::Changed });
        }
        let Some(incident) = self.incidents.get(&id) else { return };
        let acting = matches!(incident.phase, Phase::Acting { .. });
        if recovering + linger <= now && !flapping && !acting {
            self.close(id, recovering);
        }
    }

    /// It was well, and is not any more: what had helped has not.
    fn relapse(&mut self, id: u64) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        if incident.recovering.take().is_none() {
            return;
        }
        if incident.tried.last().is_some_and(|step| step.helped == Some(true)) {
            self.useless(id);
        }
    }

    /// Where its ladder stands, and what follows.
    fn step(&mut self, id: u64) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let (root, phase) = (incident.root, incident.phase);
        let age = self.now.saturating_sub(incident.detected);
        let flaps = self.nodes.get(root).is_some_and(|node| node.flapping) && age >= self.rules.flap_window;
        let passing =
            self.nodes.get(root).is_some_and(|node| node.troubled().any(|(_, check)| check.is_passing()));
        match phase {
            Phase::Acting { until } if until <= self.now => {
                self.ended(id, Acted::Failed("nothing was heard of it".to_owned()));
            }
            Phase::Verifying { until } if until <= self.now && !passing => self.useless(id),
            Phase::Ready { at } if at <= self.now => match self.next(id) {
                Next::Take(action, on) => self.take(id, action, on),
                Next::Wait if flaps => self.escalate(id),
                Next::Wait => {}
                Next::Nothing => {
                    if let Some(incident) = self.incidents.get_mut(&id) {
                        incident.phase = Phase::Exhausted;
                    }
                    self.escalate(id);
                }
            },
            Phase::Exhausted => self.escalate(id),
            _ => {}
        }
    }

    fn take(&mut self, id: u64, action: Action, on: Vec<usize>) {
        let (now, until) = (self.now, self.now + self.rules.act_within);
        let restarts = !matches!(action, Action::Recipe(_));
        for &at in on.iter().filter(|_| restarts) {
            self.start(at, true);
        }
        // Only the root pays: what is touched because of another keeps its own tries.
        let root = self.incidents.get(&id).map(|incident| incident.root);
        if let Some(node) = root.and_then(|root| self.nodes.get_mut(root)) {
            node.spent.push_back(now);
            while node.spent.front().is_some_and(|&spent| spent + self.rules.window <= now) {
                node.spent.pop_front();
            }
        }
        self.mood.step(now);
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.phase = Phase::Acting { until };
        let (step, node) = (incident.tried.len(), incident.root);
        incident.tried.push(Step {
            at: now,
            action: action.clone(),
            on: on.clone(),
            outcome: None,
            helped: None,
        });
        self.out.push(Command::Act { incident: id, step, node, action, on });
        self.out.push(Command::Incident { incident: id, what: Turn::Changed });
    }

    pub(super) fn acted(&mut self, id: u64, step: usize, outcome: Acted) -> bool {
        let Some(incident) = self.incidents.get(&id).filter(|incident| incident.is_open()) else {
            return false;
        };
        let last = incident.tried.len() == step + 1;
        let waits = matches!(incident.phase, Phase::Acting { .. });
        if last && waits {
            self.ended(id, outcome);
        }
        last && waits
    }

    /// The step under way has ended.
    fn ended(&mut self, id: u64, outcome: Acted) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let Some(step) = incident.tried.last_mut() else { return };
        step.outcome = Some(outcome.clone());
        let (on, restarts) = (step.on.clone(), !matches!(step.action, Action::Recipe(_)));
        match outcome {
            Acted::Done(_) => self.verify(id, &on, restarts),
            Acted::Failed(_) => self.useless(id),
            Acted::Rehearsed(_) | Acted::Refused(_) => {
                let wait = if matches!(outcome, Acted::Refused(_)) { SOON } else { self.rules.backoff };
                incident.phase = Phase::Ready { at: self.now + wait };
                let root = incident.root;
                if let Some(node) = self.nodes.get_mut(root) {
                    node.spent.pop_back();
                }
            }
        }
        self.out.push(Command::Incident { incident: id, what: Turn::Changed });
    }

    /// The checks that failed are asked until they pass, or for long enough.
    fn verify(&mut self, id: u64, on: &[usize], restarts: bool) {
        if restarts {
            for &at in on {
                self.start(at, true);
            }
        }
        let Some(root) = self.incidents.get(&id).map(|incident| incident.root) else { return };
        let within = self.members.get(root).into_iter().flat_map(|member| &member.checks);
        let within = within.map(|question| question.start_within).max().unwrap_or_default();
        let until = self.now + within.max(self.rules.verify_within);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.phase = Phase::Verifying { until };
        }
        let asked: Vec<usize> = self
            .nodes
            .get(root)
            .into_iter()
            .flat_map(|node| node.troubled().map(|(index, _)| index))
            .collect();
        for index in asked {
            self.out.push(Command::Ask { node: root, check: index, after: self.rules.confirm_good });
        }
    }

    /// The last step did not help: it is not tried again in this incident, and the next has to wait.
    fn useless(&mut self, id: u64) {
        let chance = self.draw();
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let tries = u32::try_from(incident.tries()).unwrap_or(u32::MAX);
        let doublings = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait = self.rules.backoff.saturating_mul(doublings).min(self.rules.backoff_max);
        let at = self.now + wait.mul_f64(0.25_f64.mul_add(chance, 1.0));
        incident.phase = Phase::Ready { at };
        let Some(step) = incident.tried.last_mut() else { return };
        step.helped = Some(false);
        let action = step.action.clone();
        self.learn(id, &action, false);
        self.out.push(Command::Incident { incident: id, what: Turn::Changed });
    }

    fn learn(&mut self, id: u64, action: &Action, helped: bool) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let Some(node) = self.nodes.get(incident.root) else { return };
        let pattern = incident.kind_of_trouble();
        let outcome = self.memory.learn(&node.name, &pattern, action, helped);
        self.out.push(Command::Learned(outcome));
    }

    /// A person is asked, once.
    fn escalate(&mut self, id: u64) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let root = incident.root;
        let spared = self.nodes.get(root).is_some_and(|node| node.is_spared(self.now));
        let critical = self.members.get(root).is_some_and(|member| member.tier == Tier::Critical);
        let sleeps = !critical && self.heeds("asleep");
        let again = incident.stage == Stage::Escalated;
        if again || spared || sleeps || self.rests(incident) {
            return;
        }
        let told = incident.told;
        self.gather(id);
        self.retitle(id);
        let advice = self.incidents.get(&id).map(|incident| self.advice(incident));
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.stage = Stage::Escalated;
            incident.told = true;
            incident.phase = Phase::Exhausted;
            incident.advice = advice;
        }
        if self.is_down(root) {
            self.turn_to(root, State::Blocked);
            if let Some(incident) = self.incidents.get_mut(&id) {
                incident.state = State::Blocked;
            }
        }
        let what = if told { Turn::Changed } else { Turn::Escalated };
        self.out.push(Command::Incident { incident: id, what });
    }

    /// It is over since `end`.
    pub(super) fn close(&mut self, id: u64, end: Instant) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.resolved = Some(end);
        incident.stage = Stage::Resolved;
        incident.state = State::Healthy;
        let root = incident.root;
        let helped =
            incident.tried.last().filter(|step| step.helped == Some(true)).map(|step| step.action.clone());
        if let Some(action) = helped.filter(|_| incident.merged.is_none()) {
            self.learn(id, &action, true);
        }
        if let Some(node) = self.nodes.get_mut(root).filter(|node| node.own == Some(id)) {
            node.own = None;
        }
        self.out.push(Command::Incident { incident: id, what: Turn::Resolved });
        let over: Vec<u64> = self
            .incidents
            .values()
            .filter(|incident| !incident.is_open())
            .map(|incident| incident.id)
            .collect();
        for id in over.iter().take(over.len().saturating_sub(KEPT)) {
            self.incidents.remove(id);
        }
    }

    /// Somebody did something about it: the ladder begins anew.
    pub(super) fn retry(&mut self, id: u64) -> bool {
        let now = self.now;
        let Some(incident) = self.incidents.get_mut(&id).filter(|incident| incident.is_open()) else {
            return false;
        };
        if incident.phase.is_in_flight() {
            return false;
        }
        incident.round = incident.tried.len();
        incident.stage = Stage::Healing;
        incident.phase = Phase::Ready { at: now };
        let root = incident.root;
        if let Some(node) = self.nodes.get_mut(root) {
            node.spent.clear();
            node.flapping = false;
            node.turns.clear();
        }
        self.ask_all(root, Duration::ZERO);
        self.out.push(Command::Incident { incident: id, what: Turn::Changed });
        true
    }
}

impl super::IncidentView {
    /// The check and the shape of what it saw: what the memory of outcomes goes by.
    pub(super) fn kind_of_trouble(&self) -> String {
        format!("{}/{}", self.check, self.pattern)
    }
}
