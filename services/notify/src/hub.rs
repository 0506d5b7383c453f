//! What the parts of the service share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use sanctum_http::Feed;
use sanctum_kernel::Nudge;
use sanctum_kernel::service::Shared;
use sanctum_store::Db;
use tokio::sync::mpsc;

use crate::channels::{Built, Channel};
use crate::decide::Rules;
use crate::dispatch::breaker::Breaker;
use crate::message::Message;
use crate::recent::Recent;

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
    accepting: AtomicUsize,
}

/// With this many callers waiting for an answer, keeping comes before telling.
const MANY: usize = 8;

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
}

/// Messages begun but not yet taken by their worker; beyond that they wait as rows.
const HANDOFF: usize = 64;

impl Line {
    pub(crate) fn new(built: Built, breaker: Breaker) -> (Self, mpsc::Receiver<Message>) {
        let (handoff, taken) = mpsc::channel(HANDOFF);
        let Built { name, kind, channel } = built;
        (Self { name, kind, channel, nudge: Nudge::default(), breaker: Mutex::new(breaker), handoff }, taken)
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
        let (timers, recent, accepting) = (Nudge::default(), Mutex::default(), AtomicUsize::new(0));
        Self { rules, shared, db, feed, lines, timers, recent, accepting }
    }

    /// A caller begins to wait.
    pub(crate) fn accepting(&self) -> Accepting<'_> {
        self.accepting.fetch_add(1, Ordering::Relaxed);
        Accepting(&self.accepting)
    }

    /// Whether so many callers wait that messages should: they are kept, and told a little later.
    pub(crate) fn is_busy(&self) -> bool {
        self.accepting.load(Ordering::Relaxed) >= MANY
    }

    pub(crate) fn recent<T>(&self, work: impl FnOnce(&mut Recent) -> T) -> T {
        work(&mut self.recent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The names of the channels, for errors.
    pub(crate) fn names(&self) -> String {
        self.lines.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }
}
