//! Vectors for new passages, made beside everything else.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sanctum_embed::{EmbedError, Embedder, Small};
use sanctum_kernel::{Chain, Stop};
use tokio::sync::Notify;

use crate::model::Indexed;
use crate::recall::Recall;
use crate::recall::cache::{Cache, Hash};

/// Notes that are read before what was made of them is kept and found: a few tenths of a second.
const BATCH: usize = 32;

/// The model, its cache, and who waits for it.
pub(crate) struct Meaning {
    pub(crate) model: Embedder,
    cache: Option<Cache>,
    waiting: Mutex<VecDeque<Arc<Indexed>>>,
    nudge: Notify,
}

type Made = HashMap<Hash, Small>;

impl Meaning {
    pub(crate) fn new(model: Embedder, cache: Option<Cache>) -> Self {
        Self { model, cache, waiting: Mutex::default(), nudge: Notify::new() }
    }

    /// Vectors that were made before.
    pub(crate) fn kept(&self, notes: &[Arc<Indexed>]) -> Made {
        let hashes: Vec<Hash> = hashes(notes).collect();
        self.cache.as_ref().map(|cache| cache.find(&hashes)).unwrap_or_default()
    }

    /// Has the notes' vectors made.
    pub(crate) fn want(&self, notes: impl IntoIterator<Item = Arc<Indexed>>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(notes);
        drop(waiting);
        self.nudge.notify_one();
    }

    fn next(&self) -> Vec<Arc<Indexed>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let some = waiting.len().min(BATCH);
        waiting.drain(..some).collect()
    }

    /// Reads what has no vector yet. A text that cannot be read keeps being found by its words.
    fn make(&self, notes: &[Arc<Indexed>], stop: &Stop) -> (Made, Vec<(Hash, Small)>) {
        let mut made = self.kept(notes);
        let mut new = Vec::new();
        for passage in notes.iter().flat_map(|note| &note.passages) {
            if stop.is_requested() {
                break;
            }
            if made.contains_key(&passage.hash) {
                continue;
            }
            match self.one(&passage.text) {
                Ok(small) => {
                    new.push((passage.hash, small.clone()));
                    made.insert(passage.hash, small);
                }
                Err(error) => tracing::warn!(error = %Chain(&error), "a passage gets no vector"),
            }
        }
        (made, new)
    }

    pub(crate) fn one(&self, text: &str) -> Result<Small, EmbedError> {
        self.model.embed(text).map(|vector| vector.small())
    }
}

/// Makes vectors until the house stops. What was made is kept on disk; what was not is asked for again at the next start.
pub(crate) async fn run(recall: Recall, meaning: Arc<Meaning>, stop: Stop) {
    loop {
        let notes = meaning.next();
        if notes.is_empty() {
            tokio::select! {
                () = stop.requested() => return,
                () = meaning.nudge.notified() => continue,
            }
        }
        let (own, to, ending) = (Arc::clone(&meaning), recall.clone(), stop.clone());
        let work = move || {
            let (made, new) = own.make(&notes, &ending);
            to.mean(&notes, &made);
            new
        };
        let Ok(new) = tokio::task::spawn_blocking(work).await else { continue };
        if let (Some(cache), false) = (&meaning.cache, new.is_empty())
            && let Err(error) = cache.keep(new).await
        {
            tracing::warn!(error = %Chain(&error), "vectors could not be kept: they are made again at the next start");
        }
        if stop.is_requested() {
            return;
        }
    }
}

fn hashes(notes: &[Arc<Indexed>]) -> impl Iterator<Item = Hash> {
    notes.iter().flat_map(|note| &note.passages).map(|passage| passage.hash)
}
