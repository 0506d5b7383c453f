//! What must survive a restart, and a list of services that has changed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::graph::Graph;
use super::incident::Phase;
use super::{Acted, Command, Engine, IncidentView, Instant, Member, NodeView, Outcome, Outcomes, Rules};

/// Everything that is believed, tried and promised. Times go on from `at`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    pub at: Instant,
    pub nodes: Vec<NodeView>,
    pub incidents: Vec<IncidentView>,
    pub next: u64,
    pub hold: Option<Instant>,
    pub attention: Option<(String, Instant)>,
    pub outcomes: Vec<Outcome>,
}

impl Engine {
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            at: self.now,
            nodes: self.nodes.clone(),
            incidents: self.incidents.values().cloned().collect(),
            next: self.next,
            hold: self.hold,
            attention: self.attention.clone(),
            outcomes: self.memory.iter().collect(),
        }
    }

    /// Goes on where another has stopped: what was suppressed stays so, what was told is not told again, what was tried is not tried
    /// again, and everything is asked. `now` is at or after [`Snapshot::at`]: the shell adds the time that has passed since.
    pub fn restore(
        members: Vec<Member>,
        rules: Rules,
        kept: Snapshot,
        seed: u64,
        now: Instant,
    ) -> (Self, Vec<Command>) {
        let mut engine = Self::new(members, rules, Outcomes::new(kept.outcomes), seed);
        engine.now = now.max(kept.at);
        engine.next = kept.next.max(1);
        engine.hold = kept.hold;
        engine.attention = kept.attention;
        engine.adopt(kept.nodes, kept.incidents);
        engine.resume();
        let commands = std::mem::take(&mut engine.out);
        (engine, commands)
    }

    /// Another list of services, or other rules: what is still there keeps its states, incidents, holds and budgets. Positions in
    /// events and commands are those of the new list from now on.
    pub fn revise(&mut self, members: Vec<Member>, rules: Rules) -> Vec<Command> {
        let nodes = std::mem::take(&mut self.nodes);
        let incidents = std::mem::take(&mut self.incidents).into_values().collect();
        self.graph = Graph::new(&members);
        self.nodes = members.iter().map(|member| NodeView::new(member, self.now)).collect();
        self.members = members;
        self.rules = rules;
        self.wake = None;
        self.adopt(nodes, incidents);
        self.judge();
        std::mem::take(&mut self.out)
    }

    /// Takes over what was known of services that are still there, by name.
    fn adopt(&mut self, old: Vec<NodeView>, incidents: Vec<IncidentView>) {
        let place = |node: &NodeView| self.members.iter().position(|member| member.name == node.name);
        let places: Vec<Option<usize>> = old.iter().map(place).collect();
        let moved = |list: &[usize]| -> Vec<usize> {
            list.iter().filter_map(|&at| places.get(at).copied().flatten()).collect()
        };
        let mut lost = Vec::new();
        for mut incident in incidents {
            let Some(root) = places.get(incident.root).copied().flatten() else {
                lost.push(incident);
                continue;
            };
            incident.root = root;
            incident.symptoms = moved(&incident.symptoms);
            for step in &mut incident.tried {
                step.on = moved(&step.on);
            }
            self.incidents.insert(incident.id, incident);
        }
        for (mut node, at) in old.into_iter().zip(&places) {
            node.roots = moved(&node.roots);
            if let Some(at) = *at {
                self.settle_in(at, node);
            }
        }
        // What is no longer declared is nobody's trouble any more.
        for mut incident in lost.into_iter().filter(IncidentView::is_open) {
            let id = incident.id;
            incident.root = usize::MAX;
            incident.advice = Some("it is no longer declared".to_owned());
            self.incidents.insert(id, incident);
            self.close(id, self.now);
        }
    }

    fn settle_in(&mut self, at: usize, mut node: NodeView) {
        let Some(place) = self.nodes.get_mut(at) else { return };
        for check in &mut place.checks {
            if let Some(known) = node.checks.iter().find(|known| known.name == check.name) {
                check.clone_from(known);
                check.asked = None;
            }
        }
        std::mem::swap(&mut node.checks, &mut place.checks);
        node.pending = None;
        node.own = node.own.filter(|id| self.incidents.get(id).is_some_and(IncidentView::is_open));
        *place = node;
    }

    /// After a restart: steps that were under way may have been done, so their effect is awaited; those that fail have a while to
    /// show that they still do.
    fn resume(&mut self) {
        let now = self.now;
        let until = now + self.rules.recovery_grace;
        for incident in self.incidents.values_mut().filter(|incident| incident.is_open()) {
            if let Phase::Acting { .. } = incident.phase {
                if let Some(step) = incident.tried.last_mut() {
                    step.outcome =
                        Some(Acted::Done("its end was not seen: the watch was started again".to_owned()));
                }
                incident.phase = Phase::Verifying { until: until + self.rules.verify_within };
            }
        }
        for at in 0..self.nodes.len() {
            if let Some(node) = self.nodes.get_mut(at) {
                if node.own.is_none() {
                    node.grace = node.grace.max(Some(until));
                }
                for check in &mut node.checks {
                    check.forget();
                }
            }
            self.ask_all(at, Duration::ZERO);
        }
        self.judge();
    }
}
