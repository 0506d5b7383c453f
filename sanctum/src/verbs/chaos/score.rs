//! What the house made of it.

use std::fmt::Write;

use serde::Serialize;

use super::plan::{Hurt, Plan};
use crate::paint::Paint;

/// One hurt and what became of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Outcome {
    pub(super) round: usize,
    pub(super) whom: String,
    pub(super) how: &'static str,
    /// Seconds until it was believed, where it was to be noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detected: Option<f64>,
    /// Seconds until it was over, or a person was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) settled: Option<f64>,
    /// What is wrong with that.
    pub(super) wrong: Vec<String>,
}

impl Outcome {
    pub(super) fn of(plan: &Plan, round: usize, hurt: &Hurt) -> Self {
        let (whom, how) = (plan.name(hurt.whom).to_owned(), hurt.how.word());
        Self { round: round + 1, whom, how, detected: None, settled: None, wrong: Vec::new() }
    }
}

/// All of it.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Score {
    pub(super) seed: u64,
    pub(super) outcomes: Vec<Outcome>,
    /// Incidents with a root that nobody hurt.
    pub(super) wrong_roots: Vec<String>,
    /// Services that were started again though they had nothing to do with it.
    pub(super) innocents: Vec<String>,
    /// People were asked about what nobody had hurt, or twice about one thing.
    pub(super) false_alarms: Vec<String>,
    /// Requests answered meanwhile, and those that were not.
    pub(super) asked: (u64, u64),
}

impl Score {
    pub(super) fn is_clean(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.wrong.is_empty())
            && self.wrong_roots.is_empty()
            && self.innocents.is_empty()
            && self.false_alarms.is_empty()
    }

    pub(super) fn tell(&self, paint: Paint) -> String {
        let mut text = String::new();
        let mut line = |words: String| if writeln!(text, "  {words}").is_err() {};
        let right = self.outcomes.iter().filter(|outcome| outcome.wrong.is_empty()).count();
        let mut detected: Vec<f64> = self.outcomes.iter().filter_map(|outcome| outcome.detected).collect();
        detected.sort_by(f64::total_cmp);
        let median = detected.get(detected.len() / 2).copied().unwrap_or_default();
        line(String::new());
        line(format!("hurts handled right   {right} of {}", self.outcomes.len()));
        line(format!("believed after        {median:.1} s (median), {:.1} s at most", detected.last().copied().unwrap_or_default()));
        line(format!("wrong roots           {}", self.wrong_roots.len()));
        line(format!("innocents restarted   {}", self.innocents.len()));
        line(format!("false alarms          {}", self.false_alarms.len()));
        line(format!("asked meanwhile       {}, of which {} found a door closed", self.asked.0, self.asked.1));
        let all = [&self.wrong_roots, &self.innocents, &self.false_alarms];
        for wrong in all.into_iter().flatten() {
            line(paint.red(wrong));
        }
        line(String::new());
        if self.is_clean() {
            line(paint.green("The house noticed everything, named it right, and touched nobody else."));
        } else {
            line(format!("{}  `sanctum chaos run --seed {}` does it again.", paint.red("Not as it should be."), self.seed));
        }
        text
    }
}
