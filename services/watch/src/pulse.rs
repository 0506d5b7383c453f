//! Whether this process was stopped: something that beats notices when it has not beaten.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sanctum_kernel::{Failure, Stop};
use tokio::time::Instant;

use crate::hub::Hub;

/// How often it beats.
const BEAT: Duration = Duration::from_millis(250);

/// The time since its last beat, whoever asks.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    last: AtomicU64,
    missed: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0), missed: AtomicU64::new(0) }
    }
}

impl Pulse {
    /// Beats, and notes how long it did not.
    fn beat(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.last.fetch_max(now, Ordering::SeqCst);
        self.missed.fetch_max(now.saturating_sub(last), Ordering::SeqCst);
    }

    /// The longest time without a beat since the last time this was asked, if it is longer than `limit`.
    pub(crate) fn missed(&self, limit: Duration) -> Option<Duration> {
        self.beat();
        let missed = Duration::from_millis(self.missed.swap(0, Ordering::SeqCst));
        (missed > limit).then_some(missed)
    }
}

/// Beats until stopped.
pub(crate) async fn run(hub: Hub, stop: Stop) -> Result<(), Failure> {
    while stop.or(tokio::time::sleep(BEAT)).await.is_some() {
        hub.pulse.beat();
    }
    Ok(())
}
