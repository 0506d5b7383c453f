//! How to look at a service: one file for each kind of check, one answer for all of them.

use std::time::Duration;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    Pass,
    /// It is alive but wrong: slow, nearly full, about to expire.
    Drift,
    Fail,
    /// The question could not be put: never the same as passing.
    Unknown,
}

/// An answer to one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub finding: Finding,
    /// What was seen, for people: `answered 503`, `connection refused`, `full in 2 GiB`.
    pub detail: String,
    pub took: Duration,
    /// What was measured, for the detectors of anomalies; its unit is the check's own.
    pub value: Option<f64>,
}
