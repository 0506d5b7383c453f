//! Requests that are under way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use sanctum_kernel::trace::TraceId;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Live {
    next: AtomicU64,
    rows: Mutex<HashMap<u64, Arc<Row>>>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) trace: TraceId,
    pub(crate) since: Timestamp,
    pub(crate) tokens_out: AtomicU64,
    words: Mutex<Words>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Words {
    pub(crate) agent: String,
    pub(crate) asked: String,
    pub(crate) serving: Option<(Arc<str>, Arc<str>)>,
    pub(crate) streaming: bool,
}

/// Its place among the others, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    id: u64,
    pub(crate) row: Arc<Row>,
}

impl Live {
    pub(crate) fn enter(&self, trace: TraceId, since: Timestamp) -> Place {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let row = Arc::new(Row { trace, since, tokens_out: AtomicU64::new(0), words: Mutex::default() });
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&row));
        Place { id, row }
    }

    pub(crate) fn leave(&self, place: &Place) {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).remove(&place.id);
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Oldest first.
    pub(crate) fn list(&self) -> Vec<sanctum_api::proxy::Live> {
        let mut rows: Vec<Arc<Row>> =
            self.rows.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        rows.sort_by_key(|row| row.since);
        rows.iter().map(|row| row.tell()).collect()
    }
}

impl Row {
    pub(crate) fn say(&self, change: impl FnOnce(&mut Words)) {
        change(&mut self.words.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self) -> sanctum_api::proxy::Live {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sanctum_api::proxy::Live {
            trace: self.trace.to_string(),
            agent: words.agent,
            asked: words.asked,
            serving: words.serving.map(|(provider, model)| format!("{provider}/{model}")).unwrap_or_default(),
            since: self.since,
            streaming: words.streaming,
            tokens_out: self.tokens_out.load(Ordering::Relaxed),
        }
    }
}
