//! How long to wait after a failure, and when to stop trying.

use std::collections::VecDeque;
use std::time::Duration;

use super::words::Past;
use crate::Config;

/// The longest wait is this much longer by chance at most.
const JITTER: f64 = 0.25;

/// The numbers of the section, as the engine needs them.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) start_timeout: Duration,
    pub(crate) first: Duration,
    pub(crate) max: Duration,
    pub(crate) reset_after: Duration,
    pub(crate) failures: u32,
    pub(crate) window: Duration,
    /// How long a locked one stays so before it is tried once more; for ever if absent.
    pub(crate) cool_down: Option<Duration>,
}

impl From<&Config> for Rules {
    fn from(config: &Config) -> Self {
        Self {
            start_timeout: config.start_timeout.0,
            first: config.backoff.first.0,
            max: config.backoff.max.0,
            reset_after: config.backoff.reset_after.0,
            failures: config.breaker.failures,
            window: config.breaker.window.0,
            cool_down: config.breaker.cool_down.map(|period| period.0),
        }
    }
}

/// The failures of one unit.
#[derive(Debug, Default)]
pub(crate) struct History {
    failures: VecDeque<Duration>,
    in_a_row: u32,
}

impl History {
    /// As it was when an earlier supervisor wrote it down.
    pub(super) fn recall(past: &Past, now: Duration, rules: &Rules) -> Self {
        let failures = past.failures.iter().filter(|age| **age < rules.window);
        Self { failures: failures.map(|age| now.saturating_sub(*age)).collect(), in_a_row: past.in_a_row }
    }

    /// What there is to write down.
    pub(super) fn past(&self, now: Duration, rules: &Rules) -> Past {
        let ages = self.failures.iter().map(|&at| now.saturating_sub(at));
        Past {
            failures: ages.filter(|age| *age < rules.window).collect(),
            in_a_row: self.in_a_row,
            ..Past::default()
        }
    }

    pub(crate) fn fail(&mut self, now: Duration, rules: &Rules) {
        while self.failures.front().is_some_and(|&at| now.saturating_sub(at) >= rules.window) {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        self.in_a_row = self.in_a_row.saturating_add(1);
    }

    /// Failures within the window.
    pub(crate) fn count(&self, now: Duration, rules: &Rules) -> u32 {
        let count = self.failures.iter().filter(|&&at| now.saturating_sub(at) < rules.window).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// It has been ready for long enough: the next failure is a first one.
    pub(crate) fn settle(&mut self) {
        self.in_a_row = 0;
    }

    /// The wait after the last failure: none after the first in a row, then doubling. `chance` is in 0..1.
    pub(crate) fn delay(&self, rules: &Rules, chance: f64) -> Duration {
        let Some(doublings) = self.in_a_row.checked_sub(2) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        rules.first.saturating_mul(factor).min(rules.max).mul_f64(JITTER.mul_add(chance, 1.0))
    }
}
