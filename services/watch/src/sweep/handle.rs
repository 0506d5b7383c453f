//! What others may ask of the sweep, and what it shows of itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::pace::Entry;
use super::queue::Queue;

#[derive(Debug)]
pub(super) enum Order {
    Set { list: u64, entries: Vec<Entry>, full: Duration },
    Ask { node: usize, check: usize, after: Duration },
    Stretch(f64),
}

/// The way to a sweep; when the last one is dropped, it ends.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) orders: mpsc::UnboundedSender<Order>,
    pub(super) shown: Arc<Shown>,
}

impl Handle {
    /// Another list, numbered: everything is asked at once, and then in its turn; at least every `full`, whatever its cadence.
    pub fn set(&self, list: u64, entries: Vec<Entry>, full: Duration) {
        self.orders.send(Order::Set { list, entries, full }).ok();
    }

    /// Puts a question out of turn. One that is in flight is put again when it has come back.
    pub fn ask(&self, node: usize, check: usize, after: Duration) {
        self.orders.send(Order::Ask { node, check, after }).ok();
    }

    /// From its next turn on, every question is put every so many times its cadence.
    pub fn stretch(&self, by: f64) {
        self.orders.send(Order::Stretch(by)).ok();
    }

    pub fn progress(&self) -> Progress {
        let read = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let shown = &self.shown;
        Progress {
            asked: read(&shown.asked),
            answered: read(&shown.answered),
            rounds: read(&shown.rounds),
            full: read(&shown.full),
            in_flight: read(&shown.in_flight),
            late: Duration::from_micros(read(&shown.late)),
            latest: Duration::from_micros(read(&shown.latest)),
        }
    }
}

/// How far it has come. What only grows proves by growing that nothing is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Questions put, and questions answered or cut off.
    pub asked: u64,
    pub answered: u64,
    /// How often everything that fell due within a window as long as the shortest cadence has been answered. Moves at least
    /// every two such windows and one time-out: the number a heartbeat may rest on.
    pub rounds: u64,
    /// How often everything there is has been answered.
    pub full: u64,
    pub in_flight: u64,
    /// How much later than its time the last question was put.
    pub late: Duration,
    /// How much later the latest ever was.
    pub latest: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Shown {
    asked: AtomicU64,
    answered: AtomicU64,
    rounds: AtomicU64,
    full: AtomicU64,
    in_flight: AtomicU64,
    late: AtomicU64,
    latest: AtomicU64,
}

impl Shown {
    pub(super) fn asked(&self, late: Duration) {
        let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.late.store(late, Ordering::Relaxed);
        self.latest.fetch_max(late, Ordering::Relaxed);
    }

    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set(&self, queue: &Queue) {
        self.rounds.store(queue.rounds, Ordering::Relaxed);
        self.full.store(queue.fulls, Ordering::Relaxed);
        self.in_flight.store(queue.in_flight() as u64, Ordering::Relaxed);
    }
}
