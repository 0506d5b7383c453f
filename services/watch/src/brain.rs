//! What the watch believes now, in one place: the engine, and what is known beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use sanctum_api::watch::{Attention, Hold, Verdict};
use sanctum_kernel::Inventory;
use sanctum_kernel::inventory::Item;

use crate::engine::{Engine, Instant};
use crate::store::Record;
use crate::words;

/// Holds of everything go by this name.
pub(crate) const ALL: &str = "all";

/// Read by the surface, changed by the shell, locked for moments only.
#[derive(Debug)]
pub(crate) struct Brain {
    pub(crate) engine: Engine,
    /// At the positions of the engine's members.
    pub(crate) inventory: Inventory,
    /// The engine's time when this process began to count, and when that was.
    base: Instant,
    began: tokio::time::Instant,
    /// Incidents that are open, and the last ones that are over, with their timelines.
    pub(crate) book: BTreeMap<i64, Record>,
    /// By service, or [`ALL`].
    pub(crate) holds: BTreeMap<String, Hold>,
    /// Somebody stopped these at the supervisor: they are left alone.
    pub(crate) stopped: BTreeSet<String>,
    pub(crate) attention: Option<Attention>,
    /// Why nothing, or nothing over the network, can be known, and since when.
    pub(crate) blind: Option<(Timestamp, String)>,
    pub(crate) anomalies: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) verdicts: BTreeMap<String, Verdict>,
    /// Sentinels that were told to be red, and have not been seen otherwise since.
    pub(crate) red: BTreeSet<String>,
    pub(crate) drift: Vec<String>,
}

/// Incidents that are over and stay at hand.
const AT_HAND: usize = 100;

impl Brain {
    pub(crate) fn new(engine: Engine, inventory: Inventory, base: Instant) -> Self {
        Self {
            engine,
            inventory,
            base,
            began: tokio::time::Instant::now(),
            book: BTreeMap::new(),
            holds: BTreeMap::new(),
            stopped: BTreeSet::new(),
            attention: None,
            blind: None,
            anomalies: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            red: BTreeSet::new(),
            drift: Vec::new(),
        }
    }

    /// The engine's time now.
    pub(crate) fn now(&self) -> Instant {
        self.base + self.began.elapsed()
    }

    /// The engine's time at a moment of this process.
    pub(crate) fn at(&self, moment: tokio::time::Instant) -> Instant {
        self.base + moment.saturating_duration_since(self.began)
    }

    /// The wall time of a moment of the engine's, by a wall clock that shows `wall` now.
    pub(crate) fn wall(&self, at: Instant, wall: Timestamp) -> Timestamp {
        let at = match self.now().checked_sub(at) {
            Some(ago) => words::before(wall, ago),
            None => words::after(wall, at.saturating_sub(self.now())),
        };
        // As the store keeps it.
        Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
    }

    /// The engine's time of a wall time, by a wall clock that shows `wall` now.
    pub(crate) fn moment(&self, at: Timestamp, wall: Timestamp) -> Instant {
        match Duration::try_from(at.duration_since(wall)) {
            Ok(ahead) => self.now().saturating_add(ahead),
            Err(_) => self.now().saturating_sub(words::between(at, wall)),
        }
    }

    /// Where a service is in the list.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.inventory.0.iter().position(|item| item.name == name)
    }

    pub(crate) fn item(&self, at: usize) -> Option<&Item> {
        self.inventory.0.get(at)
    }

    pub(crate) fn name(&self, at: usize) -> String {
        self.item(at).map(|item| item.name.clone()).unwrap_or_default()
    }

    pub(crate) fn names(&self, list: &[usize]) -> Vec<String> {
        list.iter().map(|&at| self.name(at)).collect()
    }

    /// Forgets incidents that have been over for the longest; they are in the store.
    pub(crate) fn tidy(&mut self) {
        let over: Vec<i64> = self
            .book
            .iter()
            .filter(|(_, record)| record.wire.resolved.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in over.iter().take(over.len().saturating_sub(AT_HAND)) {
            self.book.remove(id);
        }
    }
}
