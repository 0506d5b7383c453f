//! Sums by day, agent and model: all that questions about usage need.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::line::{Finish, Line, Source, Tokens, usd};
use crate::kinds::Nano;

/// Whoever was not answered was answered by no model.
pub(crate) const NOBODY: &str = "none";

/// Sums of some requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) estimated: u64,
    pub(crate) input: u64,
    pub(crate) cached: u64,
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
    pub(crate) nanos: u64,
}

impl Sums {
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.requests, other.requests),
            (&mut self.failed, other.failed),
            (&mut self.estimated, other.estimated),
            (&mut self.input, other.input),
            (&mut self.cached, other.cached),
            (&mut self.output, other.output),
            (&mut self.reasoning, other.reasoning),
            (&mut self.nanos, other.nanos),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    pub(crate) const fn cost(&self) -> Nano {
        Nano(self.nanos)
    }
}

/// The fields of a line that are summed, read without the others.
#[derive(Debug, Deserialize)]
pub(crate) struct Brief<'l> {
    pub(crate) reservation: Option<u64>,
    pub(crate) time: Option<jiff::Timestamp>,
    pub(crate) day: Date,
    #[serde(borrow)]
    pub(crate) agent: Cow<'l, str>,
    #[serde(borrow, default)]
    provider: Option<Cow<'l, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'l, str>>,
    tokens: Tokens,
    #[serde(with = "usd")]
    pub(crate) cost_usd: Nano,
    source: Source,
    finish: Finish,
    status: u16,
}

impl<'l> From<&'l Line> for Brief<'l> {
    fn from(line: &'l Line) -> Self {
        Self {
            reservation: line.reservation,
            time: Some(line.time),
            day: line.day,
            agent: Cow::Borrowed(&line.agent),
            provider: line.provider.as_deref().map(Cow::Borrowed),
            model: line.model.as_deref().map(Cow::Borrowed),
            tokens: line.tokens,
            cost_usd: line.cost_usd,
            source: line.source,
            finish: line.finish,
            status: line.status,
        }
    }
}

impl Brief<'_> {
    fn sums(&self) -> Sums {
        Sums {
            requests: 1,
            failed: u64::from(self.status >= 400 || self.finish.is_failure()),
            // Nobody counts the tokens of a request that nobody was asked.
            estimated: u64::from(self.source == Source::Estimated && self.provider.is_some()),
            input: self.tokens.input,
            cached: self.tokens.cached,
            output: self.tokens.output,
            reasoning: self.tokens.reasoning,
            nanos: self.cost_usd.0,
        }
    }
}

/// The sums of the whole log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cells {
    days: BTreeMap<Date, HashMap<String, HashMap<String, Sums>>>,
    key: String,
}

/// One sum, as a checkpoint keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) day: Date,
    pub(crate) agent: String,
    /// `provider/model`.
    pub(crate) model: String,
    pub(crate) sums: Sums,
}

impl Cells {
    pub(crate) fn add(&mut self, brief: &Brief<'_>) {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        match (&brief.provider, &brief.model) {
            (Some(provider), Some(model)) => {
                for word in [provider, "/", model] {
                    key.push_str(word);
                }
            }
            _ => key.push_str(NOBODY),
        }
        self.put(brief.day, &brief.agent, &key, &brief.sums());
        self.key = key;
    }

    pub(crate) fn put(&mut self, day: Date, agent: &str, model: &str, sums: &Sums) {
        let agents = self.days.entry(day).or_default();
        // Looked up by reference first: only a new name is worth a string of its own.
        let models = match agents.get_mut(agent) {
            Some(models) => models,
            None => agents.entry(agent.to_owned()).or_default(),
        };
        match models.get_mut(model) {
            Some(cell) => cell.add(sums),
            None => models.entry(model.to_owned()).or_default().add(sums),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for cell in other.list(None) {
            self.put(cell.day, &cell.agent, &cell.model, &cell.sums);
        }
    }

    /// Forgets every day before `first`.
    pub(crate) fn forget_before(&mut self, first: Date) {
        self.days = self.days.split_off(&first);
    }

    /// Every sum, or those of a span of days, both ends included; ordered.
    pub(crate) fn list(&self, span: Option<(Date, Date)>) -> Vec<Cell> {
        let (first, last) = span.unwrap_or((Date::MIN, Date::MAX));
        let mut cells = Vec::new();
        if first > last {
            return cells;
        }
        for (day, agents) in self.days.range(first..=last) {
            for (agent, models) in agents {
                for (model, sums) in models {
                    cells.push(Cell { day: *day, agent: agent.clone(), model: model.clone(), sums: *sums });
                }
            }
        }
        cells.sort_by(|a, b| (a.day, &a.agent, &a.model).cmp(&(b.day, &b.agent, &b.model)));
        cells
    }
}
