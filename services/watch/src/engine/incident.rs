//! One trouble with one root.

use std::time::Duration;

use sanctum_api::watch::{Stage, State};
use serde::{Deserialize, Serialize};

use super::{Acted, Action, Instant};

/// What is known of one incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentView {
    pub id: u64,
    /// The service that is the cause.
    pub root: usize,
    /// The check that failed first, and the shape of what it saw.
    pub check: String,
    pub pattern: String,
    /// Same trouble, same fingerprint: service, check, shape.
    pub fingerprint: String,
    pub title: String,
    pub stage: Stage,
    pub state: State,
    /// Services that failed because of it, in the order in which that was seen.
    pub symptoms: Vec<usize>,
    /// When the first bad answer came, when it was believed, when the incident opened, when it was over.
    pub began: Instant,
    pub detected: Instant,
    pub opened: Instant,
    pub resolved: Option<Instant>,
    pub tried: Vec<Step>,
    /// What a person may do now.
    pub advice: Option<String>,
    /// It turned out to be part of this one.
    pub merged: Option<u64>,
    /// A person was asked; that happens once.
    pub told: bool,
    /// Its root has no check that failed: everything behind it does.
    pub suspected: bool,
    /// Its root was alive but wrong when it opened.
    pub(super) drift: bool,
    pub(super) phase: Phase,
    /// Well since then, and soon over.
    pub(super) recovering: Option<Instant>,
    /// Steps before this one do not count: a person began anew.
    pub(super) round: usize,
}

/// One step of healing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub at: Instant,
    pub action: Action,
    /// What it might touch.
    pub on: Vec<usize>,
    /// Absent: it is under way.
    pub outcome: Option<Acted>,
    /// Whether what had failed is well since; absent while that is not known.
    pub helped: Option<bool>,
}

/// Where its ladder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// The next step may be taken from then on.
    Ready { at: Instant },
    /// The last step is under way; it must have ended by then.
    Acting { until: Instant },
    /// It was done, and must have helped by then.
    Verifying { until: Instant },
    /// Nothing is left that may be tried.
    Exhausted,
}

impl Phase {
    pub(super) const fn is_in_flight(self) -> bool {
        matches!(self, Self::Acting { .. } | Self::Verifying { .. })
    }

    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Ready { at } => Some(at),
            Self::Acting { until } | Self::Verifying { until } => Some(until),
            Self::Exhausted => None,
        }
    }
}

impl Step {
    /// It may have changed something.
    pub(super) const fn counts(&self) -> bool {
        !matches!(self.outcome, Some(Acted::Rehearsed(_) | Acted::Refused(_)))
    }
}

impl IncidentView {
    pub fn is_open(&self) -> bool {
        self.resolved.is_none()
    }

    /// From the first bad answer to the end.
    pub fn lasted(&self) -> Option<Duration> {
        self.resolved.map(|end| end.saturating_sub(self.began))
    }

    /// Steps since the ladder last began.
    pub fn round(&self) -> &[Step] {
        self.tried.get(self.round..).unwrap_or_default()
    }

    pub(super) fn tries(&self) -> usize {
        self.round().iter().filter(|step| step.counts()).count()
    }
}
