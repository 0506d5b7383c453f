//! What is to happen later.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::Timer;

/// Timers with their times, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    timers: BTreeMap<(Instant, u64), Timer>,
    count: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, delay: Duration, timer: Timer) {
        self.count += 1;
        self.timers.insert((Instant::now() + delay, self.count), timer);
    }

    /// The next timer, at its time. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Timer {
        let Some((at, _)) = self.timers.first_key_value().map(|(key, _)| *key) else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(at).await;
        match self.timers.pop_first() {
            Some((_, timer)) => timer,
            None => std::future::pending().await,
        }
    }
}
