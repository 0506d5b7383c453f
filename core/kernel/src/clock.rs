//! Time as the house sees it: the system's clock, or one that a demo or a test moves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::discipline::{self, Discipline};

/// The only source of time for services. Clones share one time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    offset: watch::Sender<SignedDuration>,
    /// What a moved clock says of itself.
    discipline: Mutex<Option<Discipline>>,
}

#[derive(Debug)]
enum Source {
    /// The system's wall clock, which people, NTP and suspended machines may step.
    System,
    /// A moment plus tokio's monotonic clock, so that a step of the machine's clock does not move it.
    Tokio { base: Timestamp, since: tokio::time::Instant },
}

/// The longest sleep without another look at the wall clock: how late a step of it is noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Clock {
    /// The system's wall clock.
    pub fn system() -> Self {
        Self::new(Source::System)
    }

    /// A clock that starts at `base` and runs with the monotonic clock.
    pub fn starting_at(base: Timestamp) -> Self {
        Self::new(Source::Tokio { base, since: tokio::time::Instant::now() })
    }

    fn new(source: Source) -> Self {
        Self(Arc::new(Inner {
            source,
            offset: watch::Sender::new(SignedDuration::ZERO),
            discipline: Mutex::default(),
        }))
    }

    /// In whole microseconds, as stores keep it: what is told again later is what was told at first, and no reader has
    /// to make sense of nanoseconds.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now(&self) -> Timestamp {
        let base = match &self.0.source {
            Source::System => {
                Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
            }
            Source::Tokio { base, since } => base
                .checked_add(SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::ZERO))
                .unwrap_or(Timestamp::MAX),
        };
        let now = base.checked_add(*self.0.offset.borrow()).unwrap_or(Timestamp::MAX);
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    /// Whether anything keeps the clock right; `None` where it cannot be told.
    pub fn discipline(&self) -> Option<Discipline> {
        match &self.0.source {
            Source::System => discipline::system(),
            Source::Tokio { .. } => *self.0.discipline.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Says what a clock that is moved by hand says of itself; the system's is not told.
    pub fn disciplined(&self, discipline: Option<Discipline>) {
        *self.0.discipline.lock().unwrap_or_else(PoisonError::into_inner) = discipline;
    }

    /// Steps the clock, as people and NTP do; sleepers notice.
    pub fn step(&self, by: SignedDuration) {
        self.0.offset.send_modify(|offset| *offset += by);
    }

    /// Steps the clock to `at`.
    pub fn set(&self, at: Timestamp) {
        self.step(at.duration_since(self.now()));
    }

    /// Sleeps on the monotonic clock.
    pub async fn sleep(&self, period: Duration) {
        tokio::time::sleep(period).await;
    }

    /// Returns once the wall clock shows `at` or later, also if it is stepped there.
    pub async fn until(&self, at: Timestamp) {
        let mut steps = self.0.offset.subscribe();
        loop {
            let left = at.duration_since(self.now());
            let Ok(left) = Duration::try_from(left) else { return };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left.min(LOOK_AGAIN)) => {}
                step = steps.changed() => if step.is_err() { tokio::time::sleep(left.min(LOOK_AGAIN)).await },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_stepped_past_its_time() {
        let start: Timestamp = "2026-04-14T02:46:58-04:00".parse().unwrap();
        let clock = Clock::starting_at(start);
        let wake = start + SignedDuration::from_hours(7);
        let sleeper = clock.until(wake);
        tokio::pin!(sleeper);
        let early = tokio::time::timeout(Duration::from_millis(20), &mut sleeper).await;
        assert!(early.is_err());
        clock.set(wake);
        let before = tokio::time::Instant::now();
        sleeper.await;
        assert!(before.elapsed() < Duration::from_mins(1), "it did not sleep for seven hours");
    }

    #[tokio::test]
    async fn a_step_backwards_makes_a_sleeper_sleep_on() {
        let start: Timestamp = "2026-10-31T20:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(start);
        let sleeper = clock.until(start + SignedDuration::from_secs(30));
        tokio::pin!(sleeper);
        clock.step(SignedDuration::from_hours(-1));
        let early = tokio::time::timeout(Duration::from_millis(20), &mut sleeper).await;
        assert!(early.is_err(), "the wall clock does not show it yet");
    }
}
