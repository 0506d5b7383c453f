//! From roots to incidents: nothing is one before what it requires was asked, so that the order of the checks decides nothing.

use std::time::Duration;

use sanctum_api::watch::{Stage, State};
use sanctum_kernel::inventory::Plane;

use super::incident::{IncidentView, Phase};
use super::node::{Pending, is_down};
use super::{Check, Command, Engine, Instant, NodeView, Turn, shape};

/// What was bad for this long is not asked once more before its incident opens.
const LONG: Duration = Duration::from_secs(5);
/// What began this much earlier still began at once.
const SLACK: Duration = Duration::from_secs(1);
/// A proof that the watch sees is good for so long.
const SEEN: Duration = Duration::from_secs(3);

impl Engine {
    /// Opens what has settled.
    pub(super) fn settle(&mut self) {
        let all = self.graph.order().to_vec();
        let (wanted, others): (Vec<usize>, Vec<usize>) =
            all.into_iter().partition(|&at| self.wants_incident(at));
        for at in others {
            if let Some(node) = self.nodes.get_mut(at) {
                node.pending = None;
            }
        }
        for &at in &wanted {
            if self.nodes.get(at).is_some_and(|node| node.pending.is_none()) {
                self.begin(at);
            }
        }
        for &at in &wanted {
            let since =
                self.nodes.get(at).and_then(|node| node.pending.as_ref()).map(|pending| pending.since);
            if since.is_some_and(|since| since + self.rules.settle / 2 < self.now) {
                self.inquire(at, Duration::ZERO);
            }
        }
        let many = wanted.len() >= self.rules.many;
        for at in wanted {
            if self.wants_incident(at) && self.has_settled(at, many) {
                self.open_for(at);
            }
        }
    }

    /// It is a root without an incident, and nobody asked to leave it alone.
    fn wants_incident(&self, at: usize) -> bool {
        let Some(node) = self.nodes.get(at) else { return false };
        let drifts = node.state == State::Drift
            && node.since + self.rules.drift_patience <= self.now
            && self.causes(at).is_empty();
        let root = is_down(node.state) && node.roots == [at];
        (root || drifts) && node.own.is_none() && !self.is_held(at) && !node.is_spared(self.now)
    }

    /// Asks everything whose failing would explain this one's, and what would tell whether something beyond is to blame: not at once, as
    /// what fails may show later than what fails because of it.
    fn begin(&mut self, at: usize) {
        let now = self.now;
        let mut awaits = Vec::new();
        let mut above = self.graph.above(at);
        if self.nodes.get(at).is_some_and(|node| node.suspect) {
            // What fails behind it may have another reason.
            above.extend(self.graph.dependents(at).iter().flat_map(|&by| self.graph.above(by)));
        }
        for on in above {
            awaits.extend(self.checks_of(on));
            if self.may_be_suspected(on) {
                for &by in self.graph.dependents(on).iter().filter(|&&by| by != at) {
                    awaits.extend(self.checks_of(by));
                }
            }
        }
        let recent = |time: Option<Instant>| time.is_some_and(|time| time + LONG > now);
        let young = |check: &Check| recent(check.bad_since) || !recent(check.at);
        let own = self.nodes.get(at).into_iter().flat_map(NodeView::troubled);
        awaits.extend(own.filter(|(_, check)| young(check)).map(|(index, _)| (at, index)));
        awaits.sort_unstable();
        awaits.dedup();
        if let Some(node) = self.nodes.get_mut(at) {
            node.pending = Some(Pending { since: now, awaits });
        }
        self.inquire(at, self.rules.settle / 2);
        if self.looked.is_none_or(|looked| looked + SEEN <= now) {
            self.looked = Some(now);
            self.out.push(Command::LookAround);
        }
    }

    /// Puts the questions it waits for.
    fn inquire(&mut self, at: usize, after: Duration) {
        let Some(pending) = self.nodes.get(at).and_then(|node| node.pending.as_ref()) else { return };
        let missing: Vec<(usize, usize)> = pending
            .awaits
            .iter()
            .copied()
            .filter(|&asked| !self.is_answered(at, asked, pending.since))
            .collect();
        for (node, index) in missing {
            let check = self.nodes.get(node).and_then(|node| node.checks.get(index));
            // One that is being confirmed is asked again anyway.
            if check.is_some_and(|check| !check.is_confirming()) {
                self.ask(node, index, after);
            }
        }
    }

    /// It has answered late enough to tell, or is known to fail.
    fn is_answered(&self, at: usize, (node, check): (usize, usize), since: Instant) -> bool {
        let Some(check) = self.nodes.get(node).and_then(|node| node.checks.get(check)) else { return true };
        let late = check.at.is_some_and(|at| at >= since + self.rules.settle / 2);
        if node == at {
            return late && !check.is_passing();
        }
        check.state == State::Failed || (late && check.is_decided())
    }

    fn may_be_suspected(&self, at: usize) -> bool {
        let outside = self.members.get(at).is_some_and(|member| member.plane == Plane::Outside);
        outside || self.nodes.get(at).is_some_and(|node| node.measured() == State::Unknown)
    }

    fn checks_of(&self, at: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let count = self.nodes.get(at).map_or(0, |node| node.checks.len());
        (0..count).map(move |index| (at, index))
    }

    fn has_settled(&self, at: usize, many: bool) -> bool {
        let Some(pending) = self.nodes.get(at).and_then(|node| node.pending.as_ref()) else { return false };
        let (now, since, rules) = (self.now, pending.since, &self.rules);
        let decided = |&asked: &(usize, usize)| self.is_answered(at, asked, since);
        let looked = !many
            || since + rules.look_within <= now
            || self
                .seen
                .is_some_and(|seen| seen + SEEN >= since && seen + SEEN > self.looked.unwrap_or(since));
        let asked = since + rules.settle_max <= now || pending.awaits.iter().all(decided);
        since + rules.settle <= now && asked && looked
    }

    /// A root has settled: it takes over the incidents of what fails because of it, or it is a new one.
    fn open_for(&mut self, at: usize) {
        let same = |incident: &&IncidentView| self.is_same(at, incident);
        let same: Vec<u64> = self.open().filter(same).map(|incident| incident.id).collect();
        if let Some(node) = self.nodes.get_mut(at) {
            node.pending = None;
        }
        let Some((&first, others)) = same.split_first() else { return self.open_new(at) };
        self.take_over(first, at);
        for &id in others {
            self.merge(id, first);
        }
    }

    /// The incident of something that fails because of `at`, and that did not fail before it.
    fn is_same(&self, at: usize, incident: &IncidentView) -> bool {
        let (Some(root), Some(node)) = (self.nodes.get(incident.root), self.nodes.get(at)) else {
            return false;
        };
        let began = node.began.unwrap_or(self.now);
        let before = incident.began + SLACK < began;
        let unseen = node.last_good().is_some_and(|good| good <= incident.began);
        incident.root != at && root.roots.contains(&at) && (!before || unseen)
    }

    fn open_new(&mut self, at: usize) {
        let id = self.next;
        self.next += 1;
        let Some(node) = self.nodes.get(at) else { return };
        let (check, seen) = self.evidence(at);
        let pattern = shape(&seen);
        let incident = IncidentView {
            id,
            root: at,
            fingerprint: format!("{}/{check}/{pattern}", node.name),
            check,
            pattern,
            title: String::new(),
            stage: Stage::Healing,
            state: node.state,
            symptoms: Vec::new(),
            began: node.began.filter(|_| is_down(node.state)).unwrap_or(node.since),
            detected: node.since,
            opened: self.now,
            resolved: None,
            tried: Vec::new(),
            advice: None,
            merged: None,
            told: false,
            suspected: node.suspect,
            drift: node.state == State::Drift,
            phase: Phase::Ready { at: node.since + self.patience(at) },
            recovering: None,
            round: 0,
        };
        self.incidents.insert(id, incident);
        if let Some(node) = self.nodes.get_mut(at) {
            node.own = Some(id);
        }
        self.gather(id);
        self.retitle(id);
        self.out.push(Command::Incident { incident: id, what: Turn::Opened });
    }

    /// Whoever else looks after it has the first try.
    fn patience(&self, at: usize) -> Duration {
        let left = self.members.get(at).map_or(Duration::ZERO, |member| member.left);
        self.rules.patience.max(left)
    }

    /// The check that failed first, and what it saw.
    fn evidence(&self, at: usize) -> (String, String) {
        let Some(node) = self.nodes.get(at) else { return Default::default() };
        if node.locked {
            return ("supervisor".to_owned(), "given up".to_owned());
        }
        if node.suspect {
            return ("behind".to_owned(), "everything behind it fails".to_owned());
        }
        node.first_trouble().map(|check| (check.name.clone(), check.trouble.clone())).unwrap_or_default()
    }

    /// One level up is the cause: the same incident, told anew.
    fn take_over(&mut self, id: u64, at: usize) {
        let (check, seen) = self.evidence(at);
        let Some(node) = self.nodes.get(at) else { return };
        let (name, state, began, detected, suspect) =
            (node.name.clone(), node.state, node.began, node.since, node.suspect);
        let now = self.now;
        let patience = now + self.patience(at);
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        let old = std::mem::replace(&mut incident.root, at);
        incident.pattern = shape(&seen);
        incident.fingerprint = format!("{name}/{check}/{}", incident.pattern);
        incident.check = check;
        incident.state = state;
        incident.began = incident.began.min(began.unwrap_or(now));
        incident.detected = incident.detected.min(detected);
        incident.suspected = suspect;
        incident.drift = false;
        incident.recovering = None;
        incident.round = incident.tried.len();
        incident.symptoms.retain(|&symptom| symptom != at);
        if !incident.phase.is_in_flight() {
            incident.phase = Phase::Ready { at: patience };
        }
        if let Some(node) = self.nodes.get_mut(old) {
            node.own = None;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.own = Some(id);
        }
        self.gather(id);
        self.retitle(id);
        self.out.push(Command::Incident { incident: id, what: Turn::Changed });
    }

    fn merge(&mut self, id: u64, into: u64) {
        let Some(incident) = self.incidents.get_mut(&id) else { return };
        incident.merged = Some(into);
        incident.advice = None;
        self.close(id, self.now);
    }

    /// Symptoms, as far as they are seen now; says whether there are new ones.
    pub(super) fn gather(&mut self, id: u64) -> bool {
        let Some(root) = self.incidents.get(&id).map(|incident| incident.root) else { return false };
        let fails =
            |at: &usize| *at != root && self.nodes.get(*at).is_some_and(|node| node.roots.contains(&root));
        let found: Vec<usize> = (0..self.nodes.len()).filter(fails).collect();
        let Some(incident) = self.incidents.get_mut(&id) else { return false };
        let before = incident.symptoms.len();
        for at in found {
            if !incident.symptoms.contains(&at) {
                incident.symptoms.push(at);
            }
        }
        incident.symptoms.len() > before
    }

    pub(super) fn retitle(&mut self, id: u64) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let title = self.title(incident);
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.title = title;
        }
    }

    /// Until when nothing is done about it, by anybody's wish.
    pub(super) fn is_held(&self, at: usize) -> bool {
        self.hold().is_some() || self.nodes.get(at).is_some_and(|node| node.is_held(self.now))
    }

    /// Its times are of no interest: somebody holds it, or something else must come back first.
    pub(super) fn rests(&self, incident: &IncidentView) -> bool {
        self.is_held(incident.root) || !self.causes(incident.root).is_empty()
    }

    pub(super) fn deadlines(&self, incident: &IncidentView) -> Vec<Instant> {
        let mut times: Vec<Instant> = incident.phase.deadline().into_iter().collect();
        times.extend(incident.recovering.map(|since| since + self.rules.linger));
        times.push(incident.detected + self.rules.flap_window);
        times
    }
}
