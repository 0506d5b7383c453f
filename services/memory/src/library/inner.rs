//! What the library stands on.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sanctum_api::memory::Outcome;
use sanctum_http::Feed;
use sanctum_kernel::metrics::{Counter, Family, Gauge};
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Status, Well};
use sanctum_store::{Connection, SqlError};
use tokio::sync::Notify;

use super::locks::Locks;
use super::story::Stories;
use super::{Error, Keeping, Library};
use crate::Config;
use crate::history::History;
use crate::index::write::{number, word};
use crate::index::{Index, read};
use crate::model::Delta;
use crate::recall::Recall;
use crate::vault::Vault;

/// What it takes to open a library.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) shared: Shared,
    pub(crate) vault: Vault,
    pub(crate) index: Index,
    pub(crate) history: History,
    pub(crate) recall: Recall,
    pub(crate) keeping: Keeping,
    /// Why the index was begun anew.
    pub(crate) mended: Option<String>,
}

pub(crate) struct Inner {
    pub(super) config: Config,
    pub(super) shared: Shared,
    pub(super) vault: Vault,
    pub(super) index: Index,
    pub(super) history: History,
    pub(super) recall: Recall,
    pub(super) keeping: Keeping,
    pub(super) feed: Feed,
    pub(super) locks: Locks,
    pub(super) meters: Meters,
    /// Wakes the keeper.
    pub(super) nudge: Notify,
    /// One at a time.
    pub(super) rebuilding: tokio::sync::Mutex<()>,
    /// The highest row that was ever given.
    pub(super) highest: AtomicU32,
    /// What happened to the index.
    pub(super) mended: Mutex<Option<String>>,
    /// The vault is read for the first time since the start.
    pub(super) reading: AtomicBool,
    pub(super) stories: Stories,
    refusing: AtomicBool,
    /// What is in the vault and is not read, and why.
    unread: Mutex<BTreeMap<String, String>>,
    /// Ids that were read or recalled since the last count.
    accesses: Mutex<HashMap<String, u32>>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("vault", &self.vault.root).finish_non_exhaustive()
    }
}

impl Library {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, shared, vault, index, history, recall, keeping, mended } = parts;
        let feed = Feed::new(&shared.clock);
        let meters = Meters::new(&shared);
        Self(Arc::new(Inner {
            config,
            shared,
            vault,
            index,
            history,
            recall,
            keeping,
            feed,
            locks: Locks::new(),
            meters,
            nudge: Notify::new(),
            rebuilding: tokio::sync::Mutex::new(()),
            highest: AtomicU32::new(0),
            mended: Mutex::new(mended),
            reading: AtomicBool::new(true),
            stories: Stories::default(),
            refusing: AtomicBool::new(false),
            unread: Mutex::default(),
            accesses: Mutex::default(),
        }))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Recall follows the index.
    pub(super) fn apply(&self, deltas: &[Delta]) {
        let rows = deltas.iter().map(|delta| match delta {
            Delta::Put(note) => note.row,
            Delta::Gone(row) => *row,
        });
        if let Some(highest) = rows.max() {
            self.0.highest.fetch_max(highest, Ordering::Relaxed);
        }
        self.0.keeping.gate.apply(deltas);
        self.0.recall.apply(deltas);
    }

    /// Gives recall everything of these rows.
    pub(super) fn load_rows(&self, db: &Connection, rows: Vec<i64>) -> Result<(), SqlError> {
        if let Some(highest) = rows.last() {
            self.0.highest.fetch_max(number(*highest), Ordering::Relaxed);
        }
        let mut failed = None;
        let notes = rows.into_iter().map_while(|row| match read::indexed(db, row) {
            Ok(note) => Some(note),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        let gate = &self.0.keeping.gate;
        self.0
            .recall
            .load(notes.flatten().map(Arc::new).inspect(|note| gate.apply(&[Delta::Put(Arc::clone(note))])));
        failed.map_or(Ok(()), Err)
    }

    /// Why an answer is less than it should be.
    pub(super) fn less(&self, recall: Option<String>) -> Option<String> {
        let reading = self.0.reading.load(Ordering::Relaxed).then(|| "the vault is being read".to_owned());
        match (recall, reading) {
            (Some(recall), Some(reading)) => Some(format!("{recall}; {reading}")),
            (recall, reading) => recall.or(reading),
        }
    }

    pub(super) fn troubles_are(&self, troubles: BTreeMap<String, String>) {
        *self.0.unread.lock().unwrap_or_else(PoisonError::into_inner) = troubles;
    }

    /// What is in the vault and is not read, and why.
    pub(super) fn unread(&self) -> Vec<(String, String)> {
        let unread = self.0.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.iter().map(|(path, why)| (path.clone(), why.clone())).collect()
    }
}

impl Inner {
    fn well(&self) -> &Well {
        &self.shared.well
    }

    /// The vault took a file.
    pub(super) fn wrote(&self) {
        if self.refusing.swap(false, Ordering::Relaxed) {
            self.well().set("vault", Status::Well, self.vault.root.display().to_string());
        }
    }

    /// The vault did not take a file: it is said until it does.
    pub(super) fn refused(&self, error: &Error) {
        if !matches!(error, Error::Full(_) | Error::ReadOnly(_) | Error::Disk { .. }) {
            return;
        }
        self.refusing.store(true, Ordering::Relaxed);
        let problem = error.problem();
        let detail = format!("{}: {}", problem.title, problem.detail.unwrap_or_default());
        let hint = problem.hint.unwrap_or_else(|| "look at the disk and at the system's log".to_owned());
        self.well().set_hint("vault", Status::Unwell, detail, hint);
    }

    pub(super) fn accessed(&self, id: &str) {
        let mut accesses = self.accesses.lock().unwrap_or_else(PoisonError::into_inner);
        *accesses.entry(id.to_owned()).or_default() += 1;
    }

    /// What was read or recalled since the last call.
    pub(super) fn counted(&self) -> Vec<(String, u32)> {
        self.accesses.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}

/// Numbers for whoever watches.
#[derive(Debug)]
pub(super) struct Meters {
    pub(super) notes: Gauge,
    pub(super) passages: Gauge,
    pub(super) troubles: Gauge,
    writes: Family<Vec<(&'static str, String)>, Counter>,
    pub(super) searches: Counter,
}

impl Meters {
    fn new(shared: &Shared) -> Self {
        let meters = Self {
            notes: Gauge::default(),
            passages: Gauge::default(),
            troubles: Gauge::default(),
            writes: Family::default(),
            searches: Counter::default(),
        };
        shared.metrics.with(|registry| {
            registry.register("notes", "Notes in the index", meters.notes.clone());
            registry.register("passages", "Passages in the index", meters.passages.clone());
            registry.register("troubles", "Files something is wrong with", meters.troubles.clone());
            registry.register("writes", "Writes by what came of them", meters.writes.clone());
            registry.register("searches", "Searches and recalls", meters.searches.clone());
        });
        meters
    }

    pub(super) fn wrote(&self, outcome: Outcome) {
        self.writes.get_or_create(&vec![("outcome", word(&outcome))]).inc();
    }
}
