//! What the parts of the service share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use sanctum_http::Feed;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Nudge, Status};
use sanctum_store::{Db, StoreError};
use tokio::sync::mpsc;

use crate::channels::{Built, Channel};
use crate::decide::Rules;
use crate::dispatch::breaker::Breaker;
use crate::message::Message;
use crate::recent::Recent;
use crate::spread::Unspread;

/// The service's shared parts.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) rules: Rules,
    pub(crate) shared: Shared,
    pub(crate) db: Db,
    pub(crate) feed: Feed,
    pub(crate) lines: BTreeMap<String, Line>,
    pub(crate) timers: Nudge,
    pub(crate) recent: Mutex<Recent>,
    pub(crate) unspread: Unspread,
    accepting: AtomicUsize,
    /// How many callers have begun to wait since the start.
    callers: AtomicU64,
    /// When many waited last, in milliseconds since `started`; 0 is never.
    rushed: AtomicU64,
    started: Instant,
    /// After this no silence that was ever given matters, in microseconds.
    silenced: AtomicI64,
    /// The last one could not be kept.
    refusing: AtomicBool,
}

/// What the board says of a store that works.
pub(crate) const KEEPS: &str = "what is accepted is kept";

/// With this many callers waiting for an answer at once, keeping comes before telling…
const MANY: usize = 8;
/// …until so long after the last such moment, in milliseconds.
const CALM: u64 = 100;

/// One caller that waits; gone with this value.
#[derive(Debug)]
pub(crate) struct Accepting<'a>(&'a AtomicUsize);

impl Drop for Accepting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One channel with its queue.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) nudge: Nudge,
    pub(crate) breaker: Mutex<Breaker>,
    handoff: mpsc::Sender<Message>,
    waiting: AtomicBool,
}

/// Messages begun but not yet taken by their worker; beyond that they wait as rows.
const HANDOFF: usize = 64;

impl Line {
    pub(crate) fn new(built: Built, breaker: Breaker) -> (Self, mpsc::Receiver<Message>) {
        let (handoff, taken) = mpsc::channel(HANDOFF);
        let Built { name, kind, channel } = built;
        (
            Self {
                name,
                kind,
                channel,
                nudge: Nudge::default(),
                breaker: Mutex::new(breaker),
                handoff,
                waiting: AtomicBool::new(false),
            },
            taken,
        )
    }

    /// There are new rows; says so once until the worker looks at them.
    pub(crate) fn wake(&self) {
        if !self.waiting.swap(true, Ordering::AcqRel) {
            self.nudge.nudge();
        }
    }

    /// The worker looks at the rows now.
    pub(crate) fn looks(&self) {
        self.waiting.store(false, Ordering::Release);
    }

    /// A place in the worker's hands, if it has one and the channel is not left alone.
    pub(crate) fn claim(&self) -> Option<mpsc::OwnedPermit<Message>> {
        if !self.with(|breaker| breaker.is_closed()) {
            return None;
        }
        self.handoff.clone().try_reserve_owned().ok()
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Breaker) -> T) -> T {
        work(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Hub {
    pub(crate) fn new(
        rules: Rules,
        shared: Shared,
        db: Db,
        feed: Feed,
        lines: BTreeMap<String, Line>,
    ) -> Self {
        let (timers, recent, started) = (Nudge::default(), Mutex::default(), Instant::now());
        let (accepting, callers, rushed) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let (silenced, refusing) = (AtomicI64::new(i64::MIN), AtomicBool::new(false));
        Self {
            rules,
            shared,
            db,
            feed,
            lines,
            timers,
            recent,
            unspread: Unspread::default(),
            accepting,
            callers,
            rushed,
            started,
            silenced,
            refusing,
        }
    }

    /// A caller begins to wait.
    pub(crate) fn accepting(&self) -> Accepting<'_> {
        self.callers.fetch_add(1, Ordering::Relaxed);
        if self.accepting.fetch_add(1, Ordering::Relaxed) + 1 >= MANY {
            self.rushed.store(self.millis(), Ordering::Relaxed);
        }
        Accepting(&self.accepting)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Whether so many callers wait, or did a moment ago, that messages should: they are kept, and told at a share.
    pub(crate) fn is_busy(&self) -> bool {
        match self.rushed.load(Ordering::Relaxed) {
            0 => false,
            rushed => self.millis().saturating_sub(rushed) < CALM,
        }
    }

    /// There is, or may soon be, a silence until then; said before it is written.
    pub(crate) fn silenced_until(&self, micros: i64) {
        self.silenced.fetch_max(micros, Ordering::AcqRel);
    }

    /// Whether any silence may reach so far: most of the time there is none to look for.
    pub(crate) fn may_be_silenced(&self, at: Timestamp) -> bool {
        at.as_microsecond() < self.silenced.load(Ordering::Acquire)
    }

    /// Whether what comes can be kept is said on the board when it changes.
    pub(crate) fn kept(&self, error: Option<&StoreError>) {
        if self.refusing.swap(error.is_some(), Ordering::Relaxed) == error.is_some() {
            return;
        }
        match error {
            None => self.shared.well.set("store", Status::Well, KEEPS),
            Some(error) => {
                let hint = error.hint().unwrap_or("nothing is accepted until this is mended");
                self.shared.well.set_hint("store", Status::Unwell, error.to_string(), hint);
            }
        }
    }

    /// How many callers have come since the start.
    pub(crate) fn callers(&self) -> u64 {
        self.callers.load(Ordering::Relaxed)
    }

    pub(crate) fn recent<T>(&self, work: impl FnOnce(&mut Recent) -> T) -> T {
        work(&mut self.recent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// There are new rows for these channels.
    pub(crate) fn wake<'a>(&self, names: impl IntoIterator<Item = &'a String>) {
        names.into_iter().filter_map(|name| self.lines.get(name)).for_each(Line::wake);
    }

    /// The names of the channels, for errors.
    pub(crate) fn names(&self) -> String {
        self.lines.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }
}
