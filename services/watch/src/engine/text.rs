//! What an incident says to people.

use sanctum_api::watch::State;

use super::{Engine, IncidentView};

/// Names in a title; the others are counted.
const NAMED: usize = 4;

impl Engine {
    /// What is seen of it, in one line.
    pub(super) fn detail(&self, at: usize) -> String {
        let Some(node) = self.nodes.get(at) else { return String::new() };
        if node.locked {
            return "the supervisor has given it up".to_owned();
        }
        if node.suspect {
            let behind = self.graph.dependents(at).iter().filter(|&&by| self.is_down(by));
            return format!("everything behind it fails: {}", self.names(behind.copied()));
        }
        let line = |check: &super::Check| match check.state {
            State::Failed | State::Drift => format!("{}: {}", check.name, check.trouble),
            _ => format!("{}: {}", check.name, check.detail),
        };
        let trouble =
            node.first_trouble().or_else(|| node.checks.iter().find(|check| check.state == node.state));
        trouble.map(line).unwrap_or_default()
    }

    /// `a, b, c, d and 7 more`.
    pub(super) fn names(&self, list: impl Iterator<Item = usize>) -> String {
        let names: Vec<&str> =
            list.filter_map(|at| self.members.get(at)).map(|member| member.name.as_str()).collect();
        let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        match names.len().saturating_sub(NAMED) {
            0 => shown,
            more => format!("{shown} and {more} more"),
        }
    }

    pub(super) fn title(&self, incident: &IncidentView) -> String {
        let name = self.nodes.get(incident.root).map_or("", |node| node.name.as_str());
        let what = match incident.state {
            State::Drift => "is alive but wrong",
            _ => "does not work",
        };
        let detail = self.detail(incident.root);
        let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
        let behind = match incident.symptoms.len() {
            0 => String::new(),
            1 => format!("; {} fails because of it", self.names(incident.symptoms.iter().copied())),
            _ => format!("; because of it fail {}", self.names(incident.symptoms.iter().copied())),
        };
        format!("{name} {what}{detail}{behind}")
    }

    pub(super) fn advice(&self, incident: &IncidentView) -> String {
        let Some(node) = self.nodes.get(incident.root) else { return String::new() };
        let name = &node.name;
        if node.locked {
            return format!("see why with `sanctum logs {name}`; `sanctum unlock {name}` starts it again");
        }
        if node.suspect {
            return format!(
                "nothing in the house can mend it; `sanctum why {name}` lists what fails behind it"
            );
        }
        if node.flapping {
            return format!("it comes and goes, so nothing was restarted: see `sanctum logs {name}`");
        }
        let rehearsed = incident.tried.iter().rev().find_map(|step| match &step.outcome {
            Some(super::Acted::Rehearsed(what)) => {
                Some(format!("; {} would have: {what}", step.action.word()))
            }
            _ => None,
        });
        let budget = usize::try_from(self.rules.budget).unwrap_or(usize::MAX);
        let spent = node.spent(self.now, self.rules.window);
        let tried = match incident.tries() {
            _ if spent >= budget && incident.tries() < budget => {
                let window = sanctum_kernel::Period(self.rules.window);
                format!("it was touched {spent} times within {window} and fails again, so it is left alone")
            }
            0 => "nothing that may be tried by itself can mend it".to_owned(),
            1 => "one thing was tried and did not help".to_owned(),
            tries => format!("{tries} things were tried and did not help"),
        };
        format!("{tried}{}; see `sanctum why {name}`", rehearsed.unwrap_or_default())
    }
}
