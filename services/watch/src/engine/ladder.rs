//! What may be tried next, and whether now.

use std::time::Duration;

use sanctum_api::watch::State;
use sanctum_kernel::Tier;
use sanctum_kernel::inventory::Kind;

use super::incident::Phase;
use super::node::is_down;
use super::{Acted, Action, Engine, IncidentView};

/// Nothing is done on evidence that is older than this.
const FRESH: Duration = Duration::from_secs(6);
/// So many failing dependents make a requirement that answers well suspicious.
const SUSPICIOUS: usize = 3;
/// A recipe may rehearse this often in one incident.
const REHEARSALS: usize = 1;

/// What helps comes first, what seldom helps comes last; between them what touches others comes after what touches only the root, and
/// what was rehearsed after what was not.
type Rank = (u8, bool, usize, u32);

/// What an incident does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Take(Action, Vec<usize>),
    /// Not now.
    Wait,
    /// Nothing is left.
    Nothing,
}

impl Engine {
    pub(super) fn next(&mut self, id: u64) -> Next {
        let Some(incident) = self.incidents.get(&id) else { return Next::Wait };
        let root = incident.root;
        if self.must_wait(incident) {
            return Next::Wait;
        }
        let spent = self.nodes.get(root).map_or(0, |node| node.spent(self.now, self.rules.window));
        let left = incident.tries() < usize::try_from(self.rules.tries).unwrap_or(usize::MAX)
            && spent < usize::try_from(self.rules.budget).unwrap_or(usize::MAX);
        let choice = left.then(|| self.choices(incident).into_iter().next()).flatten();
        let Some((action, on)) = choice else { return Next::Nothing };
        if self.is_disturbing(root, &action) || !self.is_free(id, &on) {
            return Next::Wait;
        }
        if self.is_stale(root) {
            return Next::Wait;
        }
        Next::Take(action, on)
    }

    /// Somebody holds it, something else must come first, or there is too much going on.
    fn must_wait(&self, incident: &IncidentView) -> bool {
        let (root, now) = (incident.root, self.now);
        let Some(node) = self.nodes.get(root) else { return true };
        let unsure = node.flapping && node.since + self.rules.flap_confirm > now;
        let starting = node.troubled().any(|(_, check)| check.starting.is_some_and(|until| until > now));
        let budget = self.budget();
        let in_flight = self.open().filter(|other| other.phase.is_in_flight()).count();
        let ordinary = self.members.get(root).is_some_and(|member| member.tier == Tier::Ordinary);
        let poor = in_flight >= budget.steps || (ordinary && !budget.ordinary);
        let above = self.graph.above(root);
        let first = |other: &IncidentView| {
            above.contains(&other.root) && other.phase != Phase::Exhausted && self.is_down(other.root)
        };
        self.rests(incident) || node.is_spared(now) || unsure || starting || poor || self.open().any(first)
    }

    /// One heal in flight for each chain of dependencies.
    fn is_free(&self, id: u64, on: &[usize]) -> bool {
        let busy = self.open().filter(|other| other.id != id && other.phase.is_in_flight());
        let touched = |other: &IncidentView| {
            let last = other.tried.last().map_or(&[][..], |step| &step.on);
            last.iter().chain([&other.root]).copied().collect::<Vec<usize>>()
        };
        let root = self.incidents.get(&id).map(|incident| incident.root);
        let mine: Vec<usize> = on.iter().copied().chain(root).collect();
        !busy.flat_map(touched).any(|other| mine.iter().any(|&at| self.graph.chained(at, other)))
    }

    /// What is left, the best first.
    fn choices(&self, incident: &IncidentView) -> Vec<(Action, Vec<usize>)> {
        let root = incident.root;
        let (Some(member), Some(node)) = (self.members.get(root), self.nodes.get(root)) else {
            return Vec::new();
        };
        let pattern = incident.kind_of_trouble();
        let mut ladder: Vec<(Rank, &Action, Vec<usize>)> = Vec::new();
        for action in &member.ladder {
            let Some(rehearsed) = rehearsals(incident, action) else { continue };
            let on = self.targets(root, action);
            if !on.is_empty() && !ladder.iter().any(|(_, known, _)| *known == action) {
                let (class, order) = self.memory.rank(&node.name, &pattern, action);
                let others = matches!(action, Action::RestartRequirement | Action::RestartSubtree);
                ladder.push(((class, others, rehearsed, order), action, on));
            }
        }
        ladder.sort_by_key(|(rank, ..)| *rank);
        ladder.into_iter().map(|(_, action, on)| (action.clone(), on)).collect()
    }

    /// What a step would touch, in order; nothing if it makes no sense now.
    fn targets(&self, root: usize, action: &Action) -> Vec<usize> {
        let down = self.is_down(root);
        let locked = self.nodes.get(root).is_some_and(|node| node.locked);
        match action {
            Action::Recipe(_) => vec![root],
            Action::Restart if down && self.may_restart(root) => vec![root],
            Action::RestartRequirement if down && !locked => {
                let suspicious = |&on: &usize| self.may_restart(on) && self.is_suspicious(on);
                self.graph.requires(root).iter().copied().filter(suspicious).collect()
            }
            Action::RestartSubtree if down && self.may_restart(root) => {
                let only = |at: &usize| {
                    *at != root
                        && self.nodes.get(*at).is_some_and(|node| node.roots == [root] && node.own.is_none())
                };
                let symptoms = self.graph.order().iter().copied().filter(only);
                let symptoms: Vec<usize> = symptoms.filter(|&at| self.may_restart(at)).collect();
                if symptoms.is_empty() { symptoms } else { [vec![root], symptoms].concat() }
            }
            _ => Vec::new(),
        }
    }

    /// It runs for as long as it is let, its supervisor would start it, nobody holds it, and somebody said that it may be restarted.
    fn may_restart(&self, at: usize) -> bool {
        let (Some(node), Some(member)) = (self.nodes.get(at), self.members.get(at)) else { return false };
        let declared = member.kind == Kind::Continuous && member.ladder.contains(&Action::Restart);
        let spent = node.spent(self.now, self.rules.window);
        let left = spent < usize::try_from(self.rules.budget).unwrap_or(usize::MAX);
        declared && left && !node.locked && !self.is_held(at)
    }

    /// A requirement that is alive but wrong, or behind which everything fails by itself. One that works for others is left alone.
    fn is_suspicious(&self, at: usize) -> bool {
        let Some(node) = self.nodes.get(at) else { return false };
        let dependents = self.graph.dependents(at);
        let works =
            dependents.iter().filter_map(|&by| self.nodes.get(by)).any(|by| by.state == State::Healthy);
        let alone = |by: usize| self.nodes.get(by).is_some_and(|node| node.roots == [by]);
        let all = dependents.len() >= SUSPICIOUS && dependents.iter().all(|&by| alone(by));
        !is_down(node.state) && !works && (node.state == State::Drift || all) && self.causes(at).is_empty()
    }

    /// A person records, and this would be heard.
    fn is_disturbing(&self, root: usize, action: &Action) -> bool {
        let critical = self.members.get(root).is_some_and(|member| member.tier == Tier::Critical);
        self.heeds("recording") && !critical && !matches!(action, Action::Recipe(_))
    }

    /// What failed was not looked at just now, or begins to pass: it is asked, and nothing is done before it answers.
    fn is_stale(&mut self, root: usize) -> bool {
        let now = self.now;
        let Some(node) = self.nodes.get(root) else { return true };
        if node.locked || node.suspect {
            return false;
        }
        let fresh = node
            .troubled()
            .any(|(_, check)| check.at.is_some_and(|at| at + FRESH > now) && !check.is_passing());
        if fresh {
            return false;
        }
        let asked: Vec<usize> = node.troubled().map(|(index, _)| index).collect();
        for index in asked {
            self.ask(root, index, Duration::ZERO);
        }
        true
    }
}

/// How often it was only rehearsed; none if it was done, or refused, or rehearsed often enough.
fn rehearsals(incident: &IncidentView, action: &Action) -> Option<usize> {
    let mut rehearsed = 0;
    for step in incident.round().iter().filter(|step| step.action == *action) {
        match step.outcome {
            Some(Acted::Rehearsed(_)) => rehearsed += 1,
            _ => return None,
        }
    }
    (rehearsed <= REHEARSALS).then_some(rehearsed)
}
