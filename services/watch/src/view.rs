//! What is believed, as it crosses to others.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sanctum_api::watch::{Body, CheckView, Hold, Incident, Link, Node, State, Tried, Why};

use crate::brain::{ALL, Brain};
use crate::engine::{Acted, Check, IncidentView, NodeView, Step};
use crate::words;

/// How the detail of a step begins that a guard, or the recipe itself, has refused: nothing was done.
pub(crate) const REFUSED: &str = "refused: ";

impl Brain {
    /// One service, by a wall clock that shows `wall` now.
    pub(crate) fn view(&self, at: usize, wall: Timestamp) -> Option<Node> {
        let (item, node) = (self.item(at)?, self.engine.node(at)?);
        let checks = item.check.iter().zip(&node.checks);
        Some(Node {
            name: item.name.clone(),
            house_name: item.house_name.clone(),
            summary: item.summary.clone(),
            ours: item.ours,
            plane: item.plane,
            kind: item.kind,
            tier: item.tier,
            port: item.port,
            requires: item.requires.clone(),
            wants: item.wants.clone(),
            state: node.state,
            since: self.wall(node.since, wall),
            detail: detail(node),
            checks: checks.map(|((_, asked), check)| self.check(asked.kind(), check, wall)).collect(),
            roots: self.names(&node.roots),
            incident: node.incident.and_then(|id| i64::try_from(id).ok()),
            flapping: node.flapping,
            hold: self.hold(&item.name, wall),
            anomalies: self
                .anomalies
                .get(&item.name)
                .map(|all| all.values().cloned().collect())
                .unwrap_or_default(),
        })
    }

    /// A person's own hold, or else that of the whole house, or that somebody stopped it.
    pub(crate) fn hold(&self, name: &str, wall: Timestamp) -> Option<Hold> {
        let held =
            [name, ALL].into_iter().filter_map(|name| self.holds.get(name)).find(|hold| hold.until > wall);
        held.cloned().or_else(|| {
            self.stopped.contains(name).then(|| Hold {
                until: Timestamp::MAX,
                by: "supervise".to_owned(),
                why: "somebody stopped it".to_owned(),
            })
        })
    }

    fn check(&self, kind: &str, check: &Check, wall: Timestamp) -> CheckView {
        CheckView {
            name: check.name.clone(),
            kind: kind.to_owned(),
            state: check.state,
            detail: check.detail.clone(),
            at: check.at.map(|at| self.wall(at, wall)),
            took_ms: check.at.map(|_| check.took.as_secs_f64() * 1000.0),
            bad: check.bad,
        }
    }

    pub(crate) fn nodes(&self, wall: Timestamp) -> Vec<Node> {
        (0..self.inventory.0.len()).filter_map(|at| self.view(at, wall)).collect()
    }

    /// Everything at one glance.
    pub(crate) fn body(&self, wall: Timestamp) -> Body {
        let open = self.book.values().filter(|record| record.wire.resolved.is_none());
        Body {
            posture: self.engine.posture(),
            attention: self.attention.clone().filter(|attention| attention.until > wall),
            blind: self
                .engine
                .blind()
                .map(str::to_owned)
                .or_else(|| self.blind.as_ref().map(|(_, why)| why.clone())),
            nodes: self.nodes(wall),
            incidents: open.map(|record| Incident { timeline: Vec::new(), ..record.wire.clone() }).collect(),
            sentinels: self.verdicts.values().cloned().collect(),
            drift: self.drift.clone(),
        }
    }

    /// From a symptom to its root, with the evidence.
    pub(crate) fn why(&self, at: usize, wall: Timestamp) -> Option<Why> {
        let (item, node) = (self.item(at)?, self.engine.node(at)?);
        let mut seen = BTreeSet::new();
        let mut path = self.engine.chain(at);
        if path.first() != Some(&at) {
            path.insert(0, at);
        }
        let chain: Vec<Link> =
            path.into_iter().filter(|at| seen.insert(*at)).filter_map(|at| self.link(at, wall)).collect();
        let incident = node.incident.and_then(|id| self.book.get(&i64::try_from(id).ok()?));
        Some(Why {
            service: item.name.clone(),
            state: node.state,
            sentence: self.sentence(node, &chain, wall),
            chain,
            incident: incident.map(|record| record.wire.clone()),
        })
    }

    fn link(&self, at: usize, wall: Timestamp) -> Option<Link> {
        let (item, node) = (self.item(at)?, self.engine.node(at)?);
        let line = |check: &Check| {
            let when = check.at.map_or_else(
                || "not asked yet".to_owned(),
                |at| format!("{} ago", words::span(self.now().saturating_sub(at))),
            );
            format!("{}: {} ({}, {when})", check.name, check.detail, check.state.word())
        };
        let mut evidence: Vec<String> = node.checks.iter().map(line).collect();
        if node.locked {
            evidence.push("the supervisor has locked it".to_owned());
        }
        if evidence.is_empty() {
            evidence.push(detail(node));
        }
        Some(Link {
            service: item.name.clone(),
            state: node.state,
            since: self.wall(node.since, wall),
            evidence,
        })
    }

    fn sentence(&self, node: &NodeView, chain: &[Link], wall: Timestamp) -> String {
        let name = &node.name;
        let since = words::span(words::between(self.wall(node.since, wall), wall));
        let held = self.hold(name, wall).map(|hold| held(&hold)).unwrap_or_default();
        match (node.state, chain.last().filter(|last| last.service != *name)) {
            (State::Healthy, _) => format!("{name} has done its work for {since}{held}"),
            (State::Unknown, _) => format!("nothing is known of {name}: {}{held}", detail(node)),
            (_, Some(root)) => {
                let cause = root.evidence.first().cloned().unwrap_or_default();
                format!("{name} has failed for {since} because {} does: {cause}{held}", root.service)
            }
            (State::Drift, None) => {
                format!("{name} has been alive but wrong for {since}: {}{held}", node.detail)
            }
            (_, None) => format!("{name} has failed by itself for {since}: {}{held}", node.detail),
        }
    }

    /// An incident; what was written of it before keeps its times.
    pub(crate) fn incident(
        &self,
        seen: &IncidentView,
        before: Option<&Incident>,
        wall: Timestamp,
    ) -> Incident {
        let id = i64::try_from(seen.id).unwrap_or(i64::MAX);
        let tried = seen.tried.iter().enumerate().map(|(number, step)| {
            let known = before.and_then(|before| before.tried.get(number));
            self.tried(step, known, wall)
        });
        Incident {
            id,
            root: self.name(seen.root),
            fingerprint: seen.fingerprint.clone(),
            title: seen.title.clone(),
            stage: seen.stage,
            state: seen.state,
            symptoms: self.names(&seen.symptoms),
            began: before.map_or_else(|| self.wall(seen.began, wall), |before| before.began),
            detected: before.map_or_else(|| self.wall(seen.detected, wall), |before| before.detected),
            resolved: seen
                .resolved
                .map(|at| before.and_then(|before| before.resolved).unwrap_or_else(|| self.wall(at, wall))),
            tried: tried.collect(),
            advice: seen.advice.clone(),
            memory: before.and_then(|before| before.memory.clone()),
            timeline: before.map(|before| before.timeline.clone()).unwrap_or_default(),
        }
    }

    fn tried(&self, step: &Step, known: Option<&Tried>, wall: Timestamp) -> Tried {
        let detail = match &step.outcome {
            None => String::new(),
            Some(Acted::Done(detail) | Acted::Rehearsed(detail) | Acted::Failed(detail)) => detail.clone(),
            Some(Acted::Refused(detail)) => format!("{REFUSED}{detail}"),
        };
        Tried {
            at: known.map_or_else(|| self.wall(step.at, wall), |known| known.at),
            action: self.action(step),
            rehearsal: matches!(step.outcome, Some(Acted::Rehearsed(_))),
            helped: match &step.outcome {
                Some(Acted::Failed(_)) => Some(false),
                Some(Acted::Refused(_)) => None,
                _ => step.helped,
            },
            detail,
            undo: known.and_then(|known| known.undo.clone()),
        }
    }

    /// `restart c`, `recipe full-log-disk`, `restart b, c`.
    fn action(&self, step: &Step) -> String {
        let on = self.names(&step.on).join(", ");
        match &step.action {
            crate::engine::Action::Recipe(id) => format!("recipe {id}"),
            _ => format!("restart {on}"),
        }
    }
}

/// `; it is left alone (a new disk)`
fn held(hold: &Hold) -> String {
    match (hold.by.as_str(), hold.why.as_str()) {
        ("supervise", _) => "; the supervisor was told to stop it, so it is left alone".to_owned(),
        (_, "") => "; it is left alone, as somebody asked".to_owned(),
        (_, why) => format!("; it is left alone, as somebody asked ({why})"),
    }
}

fn detail(node: &NodeView) -> String {
    if node.checks.is_empty() && node.detail.is_empty() {
        "nothing is asked of it".to_owned()
    } else {
        node.detail.clone()
    }
}
