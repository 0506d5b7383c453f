//! Rate limits of a key: requests and tokens a minute, with a burst, by the generic cell rate algorithm (ITU-T I.371).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

/// How much a key may ask of the house in a minute; no limit where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Requests a minute of one key.
    pub requests: Option<u32>,
    /// Requests that may come at once; a minute's worth if absent.
    pub requests_burst: Option<u32>,
    /// Tokens a minute of one key, read and written.
    pub tokens: Option<u64>,
    /// Tokens that may be asked for at once; a minute's worth if absent.
    pub tokens_burst: Option<u64>,
    /// Other limits for some agents, by name: `[proxy.limits.agent.windu]`.
    pub agent: BTreeMap<String, Rate>,
}

/// The limits of one agent's keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Rate {
    /// Requests a minute.
    pub requests: Option<u32>,
    /// Requests that may come at once; a minute's worth if absent.
    pub requests_burst: Option<u32>,
    /// Tokens a minute, read and written.
    pub tokens: Option<u64>,
    /// Tokens that may be asked for at once; a minute's worth if absent.
    pub tokens_burst: Option<u64>,
}

impl Config {
    /// Whether there is any limit at all.
    pub fn is_on(&self) -> bool {
        self.requests.is_some() || self.tokens.is_some() || !self.agent.is_empty()
    }

    fn rate(&self, agent: &str) -> Rate {
        self.agent.get(agent).copied().unwrap_or(Rate {
            requests: self.requests,
            requests_burst: self.requests_burst,
            tokens: self.tokens,
            tokens_burst: self.tokens_burst,
        })
    }
}

/// Nanoseconds; one i128 holds any sum of them.
type Nanos = i128;
const MINUTE: Nanos = 60_000_000_000;
/// Keys that are remembered before those that rest are forgotten.
const REMEMBERED: usize = 10_000;

/// One rule: `rate` a minute, `burst` at once.
#[derive(Debug, Clone, Copy)]
struct Rule {
    rate: u64,
    burst: u64,
}

impl Rule {
    fn new(rate: u64, burst: Option<u64>) -> Self {
        Self { rate, burst: burst.unwrap_or(rate).max(1) }
    }

    /// What `count` take of the time there is.
    fn span(self, count: u64) -> Nanos {
        MINUTE.saturating_mul(count.into()) / Nanos::from(self.rate.max(1))
    }

    /// When the theoretical arrival time would be after `count` more; or how long to wait for them. More than fit at once
    /// pass when nothing else was asked for.
    fn admit(self, tat: Nanos, count: u64, now: Nanos) -> Result<Nanos, Nanos> {
        let after = tat.max(now) + self.span(count.min(self.burst));
        let over = after - now - self.span(self.burst);
        if self.rate == 0 || over > 0 { Err(over.max(1)) } else { Ok(tat.max(now) + self.span(count)) }
    }

    fn remaining(self, tat: Nanos, now: Nanos) -> u64 {
        let free = self.span(self.burst) - (tat - now).max(0);
        u64::try_from(free.max(0) * Nanos::from(self.rate) / MINUTE).unwrap_or(0)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    requests: Nanos,
    tokens: Nanos,
}

/// What every key has used. Cheap: one lock for the length of a few sums.
#[derive(Debug, Default)]
pub struct Limits {
    config: Config,
    cells: Mutex<HashMap<String, Cell>>,
}

/// What is left to a key, as headers say it: `x-ratelimit-limit-requests` and so on, as OpenAI does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Room {
    pub headers: Vec<(&'static str, String)>,
}

/// A request that came too soon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("over the limit of {limit} {what} a minute for this key; try again in {} s", .wait.as_secs().max(1))]
pub struct Limited {
    /// `requests` or `tokens`.
    pub what: &'static str,
    pub limit: u64,
    /// For `retry-after` (whole seconds, rounded up) and `retry-after-ms`; both are among the headers.
    pub wait: Duration,
    pub headers: Vec<(&'static str, String)>,
}

impl Limits {
    pub fn new(config: Config) -> Self {
        Self { config, cells: Mutex::default() }
    }

    /// Takes over what keys have used under another configuration.
    #[must_use]
    pub fn reloaded(&self, config: Config) -> Self {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self { config, cells: Mutex::new(cells) }
    }

    /// One request of `key`, which belongs to `agent`, worth about `tokens`. Takes both or nothing.
    pub fn before(&self, key: &str, agent: &str, tokens: u64, now: Timestamp) -> Result<Room, Limited> {
        let rate = self.config.rate(agent);
        let now = now.as_nanosecond();
        let requests = rate.requests.map(|n| Rule::new(n.into(), rate.requests_burst.map(u64::from)));
        let of_tokens = rate.tokens.map(|n| Rule::new(n, rate.tokens_burst));
        if requests.is_none() && of_tokens.is_none() {
            return Ok(Room::default());
        }
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.len() >= REMEMBERED && !cells.contains_key(key) {
            cells.retain(|_, cell| cell.requests > now || cell.tokens > now);
        }
        let cell = cells.entry(key.to_owned()).or_default();
        let limited = |what, rule: Rule, wait: Nanos, cell: &Cell| {
            let wait = Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX));
            let mut headers = headers(requests, of_tokens, cell, now);
            headers.push(("retry-after", wait.as_secs_f64().ceil().max(1.0).to_string()));
            headers.push(("retry-after-ms", wait.as_millis().max(1).to_string()));
            Limited { what, limit: rule.rate, wait, headers }
        };
        let mut next = *cell;
        if let Some(rule) = requests {
            next.requests =
                rule.admit(cell.requests, 1, now).map_err(|wait| limited("requests", rule, wait, cell))?;
        }
        if let Some(rule) = of_tokens {
            next.tokens =
                rule.admit(cell.tokens, tokens, now).map_err(|wait| limited("tokens", rule, wait, cell))?;
        }
        *cell = next;
        Ok(Room { headers: headers(requests, of_tokens, cell, now) })
    }

    /// What it really took: `counted` is what `before` was told.
    pub fn after(&self, key: &str, agent: &str, counted: u64, real: u64) {
        let Some(tokens) = self.config.rate(agent).tokens else { return };
        let rule = Rule::new(tokens, None);
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = cells.get_mut(key) {
            cell.tokens += rule.span(real) - rule.span(counted);
        }
    }
}

fn headers(
    requests: Option<Rule>,
    tokens: Option<Rule>,
    cell: &Cell,
    now: Nanos,
) -> Vec<(&'static str, String)> {
    let names = [
        ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    ];
    let mut headers = Vec::with_capacity(8);
    for (rule, (tat, [limit, remaining, reset])) in
        [requests, tokens].into_iter().zip([cell.requests, cell.tokens].into_iter().zip(names))
    {
        let Some(rule) = rule else { continue };
        let until = (tat - now).max(0) / 1_000_000;
        headers.push((limit, rule.rate.to_string()));
        headers.push((remaining, rule.remaining(tat, now).to_string()));
        headers.push((reset, format!("{until}ms")));
    }
    headers
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_millis(1_800_000_000_000 + ms)
    }

    fn limits(requests: u32, burst: u32) -> Limits {
        Limits::new(Config { requests: Some(requests), requests_burst: Some(burst), ..Config::default() })
    }

    #[test]
    fn a_burst_passes_and_then_one_a_second() {
        let limits = limits(60, 3);
        let ok = |ms| limits.before("k", "yoda", 0, at(ms)).is_ok();
        assert_eq!(
            [ok(0), ok(0), ok(0), ok(0), ok(999), ok(1000), ok(1001)],
            [true, true, true, false, false, true, false]
        );
    }

    #[test]
    fn who_is_refused_learns_when_and_takes_nothing() {
        let limits = Limits::new(Config {
            requests: Some(6),
            tokens: Some(600),
            tokens_burst: Some(100),
            ..Config::default()
        });
        assert!(limits.before("k", "yoda", 100, at(0)).is_ok());
        let refused = limits.before("k", "yoda", 50, at(0)).unwrap_err();
        assert_eq!((refused.what, refused.wait), ("tokens", Duration::from_secs(5)));
        assert!(refused.headers.contains(&("retry-after", "5".to_owned())));
        assert!(refused.headers.contains(&("x-ratelimit-remaining-requests", "5".to_owned())));
        // The refused one did not count as a request: five more pass.
        let passed = (0..9).filter(|_| limits.before("k", "yoda", 0, at(0)).is_ok()).count();
        assert_eq!(passed, 5);
        assert!(limits.before("other", "yoda", 100, at(0)).is_ok(), "every key has its own");
    }

    #[test]
    fn what_was_not_used_comes_back() {
        let limits = Limits::new(Config { tokens: Some(1000), ..Config::default() });
        assert!(limits.before("k", "yoda", 1000, at(0)).is_ok());
        assert!(limits.before("k", "yoda", 10, at(0)).is_err());
        limits.after("k", "yoda", 1000, 100);
        assert!(limits.before("k", "yoda", 900, at(0)).is_ok());
        assert!(limits.before("k", "yoda", 10, at(0)).is_err());
    }

    #[test]
    fn agents_may_have_limits_of_their_own_and_nothing_said_is_no_limit() {
        let windu = Rate { requests: Some(1), ..Rate::default() };
        let limits = Limits::new(Config { agent: [("windu".to_owned(), windu)].into(), ..Config::default() });
        let passed = |agent| (0..5).filter(|_| limits.before(agent, agent, 9, at(0)).is_ok()).count();
        assert_eq!([passed("windu"), passed("yoda")], [1, 5]);
    }

    proptest! {
        #[test]
        fn no_window_of_a_minute_holds_more_than_the_burst_and_the_rate(
            rate in 1_u32..120, burst in 1_u32..50, gaps in proptest::collection::vec(0_i64..5000, 1..200),
        ) {
            let limits = limits(rate, burst);
            let (mut now, mut passed) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                match limits.before("k", "yoda", 0, at(now)) {
                    Ok(_) => passed.push(now),
                    Err(refused) => {
                        // Told the truth: just before it would be refused again, then it would pass.
                        let wait = i64::try_from(refused.wait.as_millis()).unwrap();
                        prop_assert!(wait <= 60_000 && refused.wait > Duration::ZERO);
                    }
                }
            }
            for (i, start) in passed.iter().enumerate() {
                let inside = passed[i..].iter().filter(|at| **at < start + 60_000).count();
                prop_assert!(inside <= (rate + burst) as usize, "{inside}");
            }
        }

        #[test]
        fn after_the_wait_it_passes(rate in 1_u32..600, burst in 1_u32..20, many in 1_usize..40) {
            let limits = limits(rate, burst);
            let mut now = at(0);
            for _ in 0..many {
                if let Err(refused) = limits.before("k", "yoda", 0, now) {
                    now += SignedDuration::try_from(refused.wait).unwrap();
                    prop_assert!(limits.before("k", "yoda", 0, now).is_ok());
                }
            }
        }
    }
}
