//! One question and its times.

use std::sync::Arc;
use std::time::Duration;

use sanctum_kernel::inventory::check::Check;
use tokio::time::Instant;

/// One question of a list.
#[derive(Debug, Clone)]
pub struct Entry {
    pub node: usize,
    /// Its position among the checks of its node.
    pub index: usize,
    pub check: Arc<Check>,
    pub every: Duration,
}

/// Where a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the heap.
    Waits,
    /// It is due, and there is no room yet.
    Due,
    Flies,
}

/// A question in the sweep.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) entry: Entry,
    pub(super) place: Place,
    /// When it is put next; what the heap says of it otherwise is out of date.
    pub(super) due: Instant,
    /// When it is its turn.
    pub(super) regular: Instant,
    /// Somebody wants it as soon as it is back.
    pub(super) sooner: Option<Instant>,
    /// It took long the last time: it may hang again.
    pub(super) suspect: bool,
    /// Answered since the full sweep began.
    pub(super) swept: bool,
    /// In which of the two windows it fell due.
    pub(super) window: bool,
}

impl Slot {
    pub(super) fn new(entry: Entry) -> Self {
        let now = Instant::now();
        Self {
            entry,
            place: Place::Waits,
            due: now,
            regular: now,
            sooner: None,
            suspect: false,
            swept: false,
            window: false,
        }
    }

    pub(super) fn key(&self) -> (usize, usize) {
        (self.entry.node, self.entry.index)
    }

    /// Its next turn after one that was due at `regular`: never in the past, and always in step.
    pub(super) fn advance(&mut self, now: Instant, stretch: f64) {
        let every = self.entry.every.mul_f64(stretch).max(Duration::from_millis(1));
        self.regular += every;
        if self.regular <= now {
            let missed = now.duration_since(self.regular).as_nanos() / every.as_nanos().max(1);
            let missed = u32::try_from(missed).unwrap_or(u32::MAX - 1) + 1;
            self.regular += every.saturating_mul(missed);
        }
    }
}

/// So many questions that cost next to nothing are put together: waking up for each alone costs several times more.
const BATCH: usize = 256;

/// Where in its cadence a question has its place, as a share of it above zero: those that cost little in batches, evenly; those
/// that start programs or exercise others alone, at the golden ratio's multiples (Weyl), which are even as well.
pub(super) fn share(position: usize, count: usize, check: &Check) -> f64 {
    let costly = check.command.is_some() || check.sqlite.is_some() || check.contract.is_some();
    #[expect(clippy::cast_precision_loss, reason = "positions of a list")]
    if costly {
        1.0 - ((position + 1) as f64 * 0.618_033_988_749_895).fract()
    } else {
        let batches = count.div_ceil(BATCH).max(1);
        (position % batches + 1) as f64 / batches as f64
    }
}
