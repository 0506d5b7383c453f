//! Whether the internet is there: a few places that are never down together.

use std::time::Duration;

use futures_util::future::join_all;
use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Eyes, Seen};

/// Whether the internet is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// Places outside the house, as `host:port`, such as `["1.1.1.1:443", "9.9.9.9:443"]`. Nobody is asked unless you name them.
    pub canaries: Vec<String>,
    /// How long each may take.
    pub timeout: Period,
    /// A median answer slower than this is amber.
    pub slow: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            off: false,
            every: Period::mins(1),
            canaries: Vec::new(),
            timeout: Period::secs(5),
            slow: Period(Duration::from_millis(800)),
        }
    }
}

/// Nothing is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory;

impl Config {
    pub(super) async fn look(&self, _: &Eyes, _: &mut Memory) -> Seen {
        if self.canaries.is_empty() {
            return Seen::unknown("nobody outside is asked").hint("set `canaries` in `[watch.sentinel.wan]`");
        }
        let asked = join_all(self.canaries.iter().map(|canary| async move {
            let began = Instant::now();
            let there = matches!(tokio::time::timeout(self.timeout.0, TcpStream::connect(canary.as_str())).await, Ok(Ok(_)));
            (canary.as_str(), there.then(|| began.elapsed()))
        })).await;
        self.judge(&asked)
    }

    fn judge(&self, asked: &[(&str, Option<Duration>)]) -> Seen {
        let mut times: Vec<f64> = asked.iter().filter_map(|(_, took)| took.map(|took| took.as_secs_f64() * 1000.0)).collect();
        let (silent, all) = (asked.iter().filter(|(_, took)| took.is_none()).map(|(name, _)| *name).collect::<Vec<_>>(), asked.len());
        let Some(middle) = crate::anomaly::median(&mut times) else {
            return Seen::red(format!("the internet is gone: {} did not answer", silent.join(", "))).hint("look at the modem and the router; what lives in the house goes on without it");
        };
        if !silent.is_empty() {
            return Seen::amber(format!("{} of {all} did not answer: {}", silent.len(), silent.join(", ")));
        }
        match middle {
            slow if slow > self.slow.0.as_secs_f64() * 1000.0 => Seen::amber(format!("the internet is slow: {middle:.0} ms to connect")),
            _ => Seen::green(format!("it answers within {middle:.0} ms")),
        }
    }
}
