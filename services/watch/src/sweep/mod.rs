//! Asking every question in its time: one task, one heap of due times, and only what is in flight costs anything.

mod handle;
mod pace;
mod queue;
mod room;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use sanctum_kernel::Stop;
use sanctum_kernel::inventory::check::Check;
use sanctum_probe::{Answer, Prober};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use handle::{Handle, Progress};
use handle::{Order, Shown};
pub use pace::Entry;
use pace::Slot;
use queue::Queue;
pub use room::room;

/// So many answers are taken in at most before questions are put again in the room they leave.
const TOGETHER: usize = 64;

/// Whoever can put a question; it must return within the time-out of the check.
pub trait Ask: Clone + Send + Sync + 'static {
    fn ask(&self, check: Arc<Check>) -> impl Future<Output = Answer> + Send;
}

impl Ask for Prober {
    async fn ask(&self, check: Arc<Check>) -> Answer {
        Self::ask(self, &check).await
    }
}

/// What came of one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Which list it belongs to, as `Handle::set` numbered it.
    pub list: u64,
    pub node: usize,
    pub check: usize,
    pub answer: Answer,
    pub heard: Instant,
}

/// The sweep itself: owns when which question is put.
///
/// Everything is asked at once when a list is new, and then in its own time, spread over its cadence. A question that
/// hangs takes one place among those in flight, and known ones that hang never take more than half of them, so that it
/// costs only itself. A question is never in flight twice.
pub struct Sweep<A> {
    asker: A,
    orders: mpsc::UnboundedReceiver<Order>,
    out: mpsc::Sender<Answered>,
    /// Answers for which the other side had no room.
    kept: std::collections::VecDeque<Answered>,
    list: u64,
    queue: Queue,
    flying: FuturesUnordered<BoxFuture<'static, (usize, Answer)>>,
    shown: Arc<Shown>,
}

impl<A: std::fmt::Debug> std::fmt::Debug for Sweep<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweep").field("asker", &self.asker).field("list", &self.list).finish_non_exhaustive()
    }
}

impl<A: Ask> Sweep<A> {
    /// `room` is how many questions may be in flight at once; `out` is where answers go.
    pub fn new(asker: A, room: usize, out: mpsc::Sender<Answered>) -> (Self, Handle) {
        let (orders, taken) = mpsc::unbounded_channel();
        let shown = Arc::<Shown>::default();
        let (kept, flying) = Default::default();
        let queue = Queue::new(room);
        let sweep =
            Self { asker, orders: taken, out, kept, list: 0, queue, flying, shown: Arc::clone(&shown) };
        (sweep, Handle { orders, shown })
    }

    /// Asks until stopped, or until nobody holds the handle any more.
    pub async fn run(mut self, stop: Stop) {
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        let out = self.out.clone();
        loop {
            self.put();
            match self.queue.next() {
                Some(at) if timer.deadline() != at => timer.as_mut().reset(at),
                _ => {}
            }
            let waits = self.queue.next().is_some();
            tokio::select! {
                () = stop.requested() => return,
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                Some((slot, answer)) = self.flying.next(), if !self.flying.is_empty() => {
                    self.landed(slot, answer);
                    self.land();
                }
                permit = out.reserve(), if !self.kept.is_empty() => match (permit, self.kept.pop_front()) {
                    (Ok(permit), Some(answered)) => permit.send(answered),
                    _ => return,
                },
                () = timer.as_mut(), if waits => {}
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Set { list, entries, full } => {
                self.list = list;
                // What is in flight belongs to another list, and everything is asked at once anyway.
                self.flying.clear();
                self.kept.clear();
                self.queue.set(entries.into_iter().map(Slot::new).collect(), full, now);
            }
            Order::Ask { node, check, after } => self.queue.sooner((node, check), now + after),
            Order::Stretch(by) => self.queue.stretch = by.clamp(0.1, 10.0),
        }
    }

    /// Puts what is due, as far as there is room.
    fn put(&mut self) {
        let now = Instant::now();
        self.queue.turn(now);
        while let Some((slot, check, late)) = self.queue.launch(now) {
            self.shown.asked(late);
            let asker = self.asker.clone();
            // Each does few things, and none of them may starve for what the others have done.
            let asked = tokio::task::unconstrained(async move { (slot, asker.ask(check).await) });
            self.flying.push(Box::pin(asked));
        }
        self.shown.set(&self.queue);
    }

    /// Takes in what has come with it.
    fn land(&mut self) {
        for _ in 0..TOGETHER {
            let Some(Some((slot, answer))) = self.flying.next().now_or_never() else { return };
            self.landed(slot, answer);
        }
    }

    fn landed(&mut self, slot: usize, answer: Answer) {
        let now = Instant::now();
        let Some((node, check)) = self.queue.landed(slot, answer.took, now) else { return };
        self.shown.answered();
        let answered = Answered { list: self.list, node, check, answer, heard: now };
        if self.kept.is_empty() {
            match self.out.try_send(answered) {
                Ok(()) => {}
                Err(
                    mpsc::error::TrySendError::Full(answered) | mpsc::error::TrySendError::Closed(answered),
                ) => {
                    self.kept.push_back(answered);
                }
            }
        } else {
            self.kept.push_back(answered);
        }
    }
}
