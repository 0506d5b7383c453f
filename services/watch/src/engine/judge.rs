//! From answers to states, from states to roots.

use std::time::Duration;

use sanctum_api::watch::{Stage, State};
use sanctum_kernel::inventory::Plane;
use sanctum_probe::{Answer, Finding};

use super::incident::Phase;
use super::node::is_down;
use super::posture::Strain;
use super::{Check, Command, Engine, Instant, NodeView, Timer};

/// A check that was asked out of turn and never answered is asked again after this.
const FORGOTTEN: Duration = Duration::from_mins(1);
/// While a step is being verified, what had failed is asked this often.
const VERIFYING: Duration = Duration::from_secs(2);
/// While what depended on something that has come back may still come back, it is asked this often.
const RETURNING: Duration = Duration::from_secs(5);
/// So many dependents at least, if something beyond the house that cannot be asked is to be suspected; one more, and all of them, inside
/// the house, or if its own check passes.
const BEHIND: usize = 2;
const BEHIND_A_GOOD_ANSWER: usize = 3;
/// An incident that is older than this is no sign of what its requirement does now.
const OLD: Duration = Duration::from_mins(2);
/// Failures that are further apart than this did not come at once.
const AT_ONCE: Duration = Duration::from_mins(10);

impl Engine {
    pub(super) fn is_down(&self, at: usize) -> bool {
        self.nodes.get(at).is_some_and(|node| is_down(node.state))
    }

    /// An answer; says whether anything is to be judged anew.
    pub(super) fn answered(&mut self, at: usize, index: usize, answer: &Answer) -> bool {
        if self.blind.is_some() {
            return false;
        }
        let question = self.members.get(at).and_then(|member| member.checks.get(index));
        let (Some(node), Some(question)) = (self.nodes.get_mut(at), question) else { return false };
        let (pending, own) = (node.pending.is_some(), node.own);
        let spared = node.is_spared(self.now);
        let Some(check) = node.checks.get_mut(index) else { return false };
        let awaited = check.asked.is_some();
        let heard = check.hear(answer, question, &self.rules, self.now);
        let own_phase = own.and_then(|id| self.incidents.get(&id)).map(|incident| incident.phase);
        let verifying = matches!(own_phase, Some(Phase::Verifying { .. }));
        let soon = if verifying {
            Some(VERIFYING)
        } else {
            (spared && check.state == State::Failed).then_some(RETURNING)
        };
        let again = heard.again.or(soon.filter(|_| answer.finding != Finding::Pass));
        if let Some(after) = again {
            self.out.push(Command::Ask { node: at, check: index, after });
        }
        heard.turned || awaited || pending || own.is_some()
    }

    /// Asks out of turn, unless it was asked already.
    pub(super) fn ask(&mut self, at: usize, index: usize, after: Duration) {
        let now = self.now;
        let check = self.nodes.get_mut(at).and_then(|node| node.checks.get_mut(index));
        if let Some(check) = check.filter(|check| check.asked.is_none_or(|asked| asked + FORGOTTEN <= now)) {
            check.asked = Some(now);
            self.out.push(Command::Ask { node: at, check: index, after });
        }
    }

    pub(super) fn ask_all(&mut self, at: usize, after: Duration) {
        let count = self.nodes.get(at).map_or(0, |node| node.checks.len());
        for index in 0..count {
            self.ask(at, index, after);
        }
    }

    /// Looks at everything there is.
    pub(super) fn judge(&mut self) {
        self.expire();
        if self.blind.is_none() {
            self.suspect();
            let (fallen, risen) = self.turn();
            self.explain();
            self.count_turns(&fallen, &risen);
            for at in risen {
                self.risen(at);
            }
            self.settle();
            self.follow();
            self.belong();
        }
        self.feel();
        self.schedule();
    }

    /// Something of which nothing can be known, or that lies beyond the house, is suspected when what is behind it fails.
    fn suspect(&mut self) {
        for at in self.graph.order().to_vec().into_iter().rev() {
            let suspect = self.is_suspect(at);
            let began = self.behind(at).into_iter().filter_map(|by| self.first_bad(by)).min();
            let now = self.now;
            let Some(node) = self.nodes.get_mut(at).filter(|node| node.suspect != suspect) else { continue };
            node.suspect = suspect;
            if suspect {
                node.began = Some(began.unwrap_or(now));
            }
        }
    }

    fn first_bad(&self, at: usize) -> Option<Instant> {
        let node = self.nodes.get(at).filter(|node| is_down(node.believed()))?;
        node.first_trouble().and_then(|check| check.bad_since).or(node.began)
    }

    /// What requires it, is known, and has no other reason to fail, old troubles aside.
    fn behind(&self, at: usize) -> Vec<usize> {
        let telling = |&by: &usize| {
            let Some(node) = self.nodes.get(by) else { return false };
            let old =
                |id: u64| self.incidents.get(&id).is_some_and(|incident| incident.detected + OLD <= self.now);
            let others = self.graph.requires(by).iter().filter(|&&on| on != at);
            let excused = others.filter_map(|&on| self.nodes.get(on)).any(|on| is_down(on.believed()));
            node.believed() != State::Unknown && !excused && !node.own.is_some_and(old)
        };
        self.graph.dependents(at).iter().copied().filter(telling).collect()
    }

    fn is_suspect(&self, at: usize) -> bool {
        let (Some(node), Some(member)) = (self.nodes.get(at), self.members.get(at)) else { return false };
        let measured = node.measured();
        let outside = member.plane == Plane::Outside;
        if node.locked || measured == State::Failed || (measured != State::Unknown && !outside) {
            return false;
        }
        let behind = self.behind(at);
        let failing: Vec<Instant> = behind.iter().filter_map(|&by| self.first_bad(by)).collect();
        let count = failing.len();
        if self.is_contradicted(&behind, &failing) {
            return false;
        }
        if node.suspect {
            return count * 2 > behind.len();
        }
        if measured == State::Unknown && outside {
            let most = count > BEHIND && count * 2 > behind.len();
            return most || (count >= BEHIND && count == behind.len());
        }
        if measured == State::Unknown {
            return count > BEHIND && count == behind.len();
        }
        let spread =
            failing.iter().max().zip(failing.iter().min()).map(|(last, first)| last.saturating_sub(*first));
        count >= BEHIND_A_GOOD_ANSWER
            && count == behind.len()
            && spread.is_some_and(|spread| spread <= AT_ONCE)
    }

    /// One of them has come back for good while others have not: it is not what they have in common that fails.
    fn is_contradicted(&self, behind: &[usize], failing: &[Instant]) -> bool {
        let Some(&last) = failing.iter().max() else { return false };
        let back = |node: &NodeView| {
            node.state == State::Healthy
                && node.since > last
                && node.since + self.rules.recovery_grace <= self.now
        };
        behind.iter().filter_map(|&by| self.nodes.get(by)).any(back)
    }

    /// States as the evidence is; who went down, who came up.
    pub(super) fn turn(&mut self) -> (Vec<usize>, Vec<usize>) {
        let (mut fallen, mut risen) = (Vec::new(), Vec::new());
        for at in 0..self.nodes.len() {
            let Some(node) = self.nodes.get(at) else { continue };
            let given_up = node
                .own
                .and_then(|id| self.incidents.get(&id))
                .is_some_and(|incident| incident.stage == Stage::Escalated);
            let state = match node.believed() {
                State::Failed if given_up => State::Blocked,
                state => state,
            };
            let was = node.state;
            if state == was {
                continue;
            }
            if is_down(state) && !is_down(was) {
                fallen.push(at);
                let began = if node.suspect { node.began } else { self.first_bad(at) };
                if let Some(node) = self.nodes.get_mut(at) {
                    node.began = began.or(Some(self.now));
                }
            } else if is_down(was) && !is_down(state) {
                risen.push(at);
            }
            self.turn_to(at, state);
        }
        (fallen, risen)
    }

    pub(super) fn turn_to(&mut self, at: usize, state: State) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(at).filter(|node| node.state != state) else { return };
        let from = std::mem::replace(&mut node.state, state);
        node.since = now;
        let why = self.detail(at);
        if let Some(node) = self.nodes.get_mut(at) {
            node.detail.clone_from(&why);
        }
        self.out.push(Command::Turned { node: at, from, to: state, why });
    }

    /// For every failing service the roots of it: failing requirements, seen through those of which nothing is known.
    pub(super) fn explain(&mut self) {
        let mut through: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for at in self.graph.order().to_vec() {
            let mut roots = Vec::new();
            for &on in self.graph.requires(at) {
                let Some(required) = self.nodes.get(on) else { continue };
                if is_down(required.state) {
                    roots.extend(&required.roots);
                } else if required.state == State::Unknown {
                    roots.extend(through.get(on).into_iter().flatten());
                }
            }
            roots.sort_unstable();
            roots.dedup();
            let Some(node) = self.nodes.get_mut(at) else { continue };
            if is_down(node.state) {
                node.roots = if roots.is_empty() { vec![at] } else { roots };
                continue;
            }
            node.roots.clear();
            if let Some(place) = through.get_mut(at) {
                *place = roots;
            }
        }
    }

    /// Failing services that are why this one fails: required directly, or beyond something of which nothing is known.
    pub(super) fn causes(&self, at: usize) -> Vec<usize> {
        let mut causes = Vec::new();
        let mut seen = Vec::new();
        let mut next = self.graph.requires(at).to_vec();
        while let Some(on) = next.pop() {
            let Some(node) = self.nodes.get(on).filter(|_| !seen.contains(&on)) else { continue };
            seen.push(on);
            if is_down(node.state) {
                causes.push(on);
            } else if node.state == State::Unknown {
                next.extend(self.graph.requires(on));
            }
        }
        causes.sort_unstable();
        causes
    }

    /// Only what a service does by itself is counted: it does not flap because what it requires does.
    fn count_turns(&mut self, fallen: &[usize], risen: &[usize]) {
        let alone = |&at: &usize| {
            self.causes(at).is_empty() && !self.nodes.get(at).is_some_and(|node| node.is_spared(self.now))
        };
        let counted: Vec<usize> = fallen.iter().chain(risen).copied().filter(alone).collect();
        for at in counted {
            if let Some(node) = self.nodes.get_mut(at) {
                node.turned(self.now, &self.rules);
            }
        }
    }

    /// It has come back: what depends on it is asked at once, and has a while to come back as well.
    fn risen(&mut self, at: usize) {
        let until = self.now + self.rules.recovery_grace;
        for by in self.graph.below(at) {
            if let Some(node) = self.nodes.get_mut(by) {
                node.grace = node.grace.max(Some(until));
                node.pending = None;
            }
            self.ask_all(by, Duration::ZERO);
        }
    }

    /// Which incident each service belongs to.
    fn belong(&mut self) {
        let incident: Vec<Option<u64>> = self.nodes.iter().map(|node| node.own).collect();
        for node in &mut self.nodes {
            let roots = node.roots.iter().filter_map(|&root| incident.get(root).copied().flatten());
            node.incident = node.own.or_else(|| roots.min());
        }
    }

    fn feel(&mut self) {
        let uneasy = |node: &NodeView| {
            node.flapping
                || node.state == State::Drift
                || is_down(node.state)
                || (node.state == State::Unknown && node.checks.iter().any(|check| check.at.is_some()))
        };
        let open = self.open().count() > 0;
        let strain = Strain {
            healing: self
                .open()
                .any(|incident| !matches!(incident.phase, Phase::Exhausted) && !self.rests(incident)),
            open,
            uneasy: open || self.blind.is_some() || self.nodes.iter().any(uneasy),
        };
        if let Some(posture) = self.mood.feel(strain, self.now, &self.rules) {
            self.out.push(Command::Posture(posture));
        }
    }

    /// Asks to be woken when the next of its times is over.
    fn schedule(&mut self) {
        let now = self.now;
        if self.wake.is_some_and(|wake| wake <= now) {
            self.wake = None;
        }
        let nodes = self.nodes.iter().flat_map(|node| self.times(node));
        let incidents = self.open().flat_map(|incident| self.deadlines(incident));
        let own =
            [self.hold, self.attention.as_ref().map(|(_, until)| *until), self.mood.deadline(&self.rules)];
        let next = nodes.chain(incidents).chain(own.into_iter().flatten()).filter(|&at| at > now).min();
        let Some(next) = next.filter(|&next| self.wake.is_none_or(|wake| next < wake)) else { return };
        self.wake = Some(next);
        self.serial += 1;
        let timer = Timer { serial: self.serial };
        self.out.push(Command::After { delay: next.saturating_sub(now), timer });
    }

    fn times(&self, node: &NodeView) -> Vec<Instant> {
        let rules = &self.rules;
        let mut times: Vec<Instant> = node.hold.into_iter().chain(node.grace).collect();
        times.push(node.since + rules.recovery_grace);
        if let Some(pending) = &node.pending {
            let within = [rules.settle, rules.look_within, rules.settle_max];
            times.extend(within.map(|within| pending.since + within));
        }
        if node.state == State::Drift && node.own.is_none() {
            times.push(node.since + rules.drift_patience);
        }
        if node.flapping {
            times.extend(node.turns.back().map(|&at| at + rules.flap_calm));
            times.push(node.since + rules.flap_confirm);
        }
        if node.own.is_some() {
            times.extend(node.checks.iter().filter_map(|check: &Check| check.starting));
        }
        times
    }
}
