//! When a provider is left alone: after failures in a row, when it has become slow, and when it asks for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config;

/// The weight of the newest value in the mean of the time to the first byte.
const WEIGHT: f64 = 0.3;
/// Nobody is left alone for longer because of what it asks for itself.
const LONGEST_REST: Duration = Duration::from_mins(10);

/// How a provider stands. Kept through reloads.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: Mutex<State>,
    /// Whether `state.resting` holds anything; spares most requests the look.
    rests: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    slow: u32,
    mean_ms: Option<f64>,
    open: Option<Timestamp>,
    probing: bool,
    because: String,
    /// Models whose provider has said when to come back (`Retry-After`).
    resting: HashMap<Box<str>, Timestamp>,
}

/// Whether a provider may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Closed,
    /// Not before then.
    Open(Timestamp),
    /// One request is finding out.
    Probing,
    /// The provider itself has said not to ask for this model before then.
    Resting(Timestamp),
}

/// What is told of a provider.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) word: &'static str,
    pub(crate) because: Option<String>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) mean_ms: f64,
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be asked for `model` now; asking changes nothing.
    pub(crate) fn standing(&self, model: &str, now: Timestamp) -> Standing {
        let state = self.state();
        if self.rests.load(Ordering::Relaxed)
            && let Some(until) = state.resting.get(model).filter(|until| **until > now)
        {
            return Standing::Resting(*until);
        }
        match state.open {
            Some(until) if until > now => Standing::Open(until),
            Some(_) if state.probing => Standing::Probing,
            _ => Standing::Closed,
        }
    }

    /// A request is about to be made: whether it may. In an open breaker whose time is over it is the one probe.
    pub(crate) fn enter(&self, model: &str, now: Timestamp) -> bool {
        if self.standing(model, now) != Standing::Closed {
            return false;
        }
        let mut state = self.state();
        if state.open.is_some() {
            if state.probing {
                return false;
            }
            state.probing = true;
        }
        true
    }

    /// It has begun to answer after this long. Whether that closed or opened it.
    pub(crate) fn answered(
        &self,
        took: Duration,
        slow: Option<Duration>,
        now: Timestamp,
        rules: &config::Breaker,
    ) -> bool {
        let ms = took.as_secs_f64() * 1e3;
        let mut state = self.state();
        let was_open = state.open.is_some();
        let mean = state.mean_ms.map_or(ms, |mean| mean + WEIGHT * (ms - mean));
        state.mean_ms = Some(mean);
        state.failures = 0;
        state.open = None;
        state.probing = false;
        match slow {
            Some(limit) if mean > limit.as_secs_f64() * 1e3 => {
                state.slow += 1;
                if state.slow >= rules.slow_in_a_row {
                    state.slow = 0;
                    // What is measured next must not be judged by what was before.
                    state.mean_ms = None;
                    state.trip(now, rules.open.0, format!("its first byte takes {mean:.0} ms"));
                    return !was_open;
                }
            }
            _ => state.slow = 0,
        }
        was_open
    }

    /// It has failed. Whether that opened it.
    pub(crate) fn failed(&self, why: &str, now: Timestamp, rules: &config::Breaker) -> bool {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        let was_open = state.open.is_some();
        if state.probing || state.failures >= rules.failures {
            state.probing = false;
            state.trip(now, rules.open.0, why.to_owned());
            return !was_open;
        }
        false
    }

    /// The request that might have been a probe came to nothing: the next one finds out.
    pub(crate) fn left(&self) {
        self.state().probing = false;
    }

    /// It has said when to come back for a model.
    pub(crate) fn rest(&self, model: &str, wait: Duration, now: Timestamp) {
        let wait = SignedDuration::try_from(wait.min(LONGEST_REST)).unwrap_or(SignedDuration::ZERO);
        let mut state = self.state();
        state.resting.retain(|_, until| *until > now);
        state.resting.insert(model.into(), now + wait);
        self.rests.store(true, Ordering::Relaxed);
    }

    pub(crate) fn look(&self, now: Timestamp) -> Look {
        let state = self.state();
        let word = match state.open {
            None => "closed",
            Some(until) if until > now => "open",
            Some(_) => "probing",
        };
        let because = state.open.map(|_| state.because.clone());
        Look { word, because, until: state.open, mean_ms: state.mean_ms.unwrap_or(0.0) }
    }
}

impl State {
    fn trip(&mut self, now: Timestamp, rest: Duration, why: String) {
        self.open = Some(now + SignedDuration::try_from(rest).unwrap_or(SignedDuration::ZERO));
        self.because = why;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn five_failures_open_it_and_one_probe_closes_it() {
        let (breaker, rules) = (Breaker::default(), config::Breaker::default());
        for _ in 0..4 {
            assert!(!breaker.failed("500", at(0), &rules));
        }
        assert!(breaker.enter("m", at(0)));
        assert!(breaker.failed("500", at(0), &rules));
        assert_eq!(breaker.standing("m", at(1)), Standing::Open(at(30)));
        assert!(!breaker.enter("m", at(29)));
        assert!(breaker.enter("m", at(31)), "one may find out");
        assert!(!breaker.enter("m", at(31)), "only one");
        assert!(
            breaker.failed("500", at(31), &rules) || breaker.standing("m", at(32)) == Standing::Open(at(61))
        );
        assert!(breaker.enter("m", at(62)));
        assert!(breaker.answered(Duration::from_millis(5), None, at(62), &rules));
        assert_eq!(breaker.standing("m", at(62)), Standing::Closed);
    }

    #[test]
    fn success_forgets_failures_and_a_lost_probe_is_made_again() {
        let (breaker, rules) = (Breaker::default(), config::Breaker::default());
        for _ in 0..20 {
            breaker.failed("500", at(0), &rules);
            breaker.answered(Duration::from_millis(1), None, at(0), &rules);
        }
        assert_eq!(breaker.standing("m", at(0)), Standing::Closed);
        for _ in 0..5 {
            breaker.failed("500", at(0), &rules);
        }
        assert!(breaker.enter("m", at(40)));
        breaker.left();
        assert!(breaker.enter("m", at(40)));
    }

    #[test]
    fn three_slow_means_in_a_row_open_it() {
        let (breaker, rules) = (Breaker::default(), config::Breaker::default());
        let limit = Some(Duration::from_millis(100));
        for _ in 0..2 {
            assert!(!breaker.answered(Duration::from_secs(1), limit, at(0), &rules));
        }
        assert!(breaker.answered(Duration::from_secs(1), limit, at(0), &rules));
        assert_eq!(breaker.look(at(1)).word, "open");
    }

    #[test]
    fn a_model_rests_as_its_provider_asked_and_others_do_not() {
        let breaker = Breaker::default();
        breaker.rest("m", Duration::from_secs(20), at(0));
        assert_eq!(breaker.standing("m", at(1)), Standing::Resting(at(20)));
        assert_eq!(breaker.standing("other", at(1)), Standing::Closed);
        assert_eq!(breaker.standing("m", at(21)), Standing::Closed);
    }
}
