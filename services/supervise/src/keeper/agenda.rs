//! What is to happen later.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::Event;

/// Events with their times, on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    events: BTreeMap<Reverse<(Instant, u64)>, Event>,
    count: u64,
}

impl Agenda {
    pub(crate) fn add(&mut self, delay: Duration, event: Event) {
        self.count += 1;
        self.events.insert(Reverse((Instant::now() + delay, self.count)), event);
    }

    /// The next event, at its time. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Event {
        let Some(Reverse((at, _))) = self.events.last_key_value().map(|(key, _)| *key) else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(at).await;
        match self.events.pop_last() {
            Some((_, event)) => event,
            None => std::future::pending().await,
        }
    }
}
