//! Recall: the passages that answer a question, the best first, each with why it is there.

pub mod bare;
mod cache;
mod card;
pub(crate) mod config;
mod feed;
mod find;
#[cfg(test)]
mod floor;
mod lexical;
mod links;
mod manner;
mod postings;
mod rank;
mod store;
mod terms;
pub(crate) mod when;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::memory::Why;
use sanctum_embed::{Embedder, Small, Sought};
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Chain, OnError, Tasks};
use tokio::sync::{Semaphore, SemaphorePermit};

pub(crate) use card::Filter;

use crate::model::{Delta, Indexed};
use cache::{Cache, Hash};
use config::Config;
use feed::Meaning;
use find::Asking;
use lexical::Scratch;
use store::Store;
use terms::Terms;

/// Notes that are taken in at once.
const PORTION: usize = 256;
/// Questions whose meaning is remembered: an agent asks the same thing again and again.
const REMEMBERED: usize = 256;

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) text: String,
    pub(crate) now: Timestamp,
    /// In which "in March" is meant.
    pub(crate) zone: TimeZone,
    /// What held then, not now.
    pub(crate) as_of: Option<Timestamp>,
    pub(crate) filter: Filter,
    pub(crate) limit: usize,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) hits: Vec<Scored>,
    /// Notes that would have been among them, but for their class.
    pub(crate) withheld: u32,
    /// Why this is less than it should be.
    pub(crate) degraded: Option<String>,
}

/// One passage of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    /// Row of its note, see [`Indexed`].
    pub(crate) row: u32,
    /// Its position in the note.
    pub(crate) passage: u32,
    pub(crate) score: f32,
    pub(crate) why: Why,
}

/// A passage that says nearly the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Near {
    pub(crate) row: u32,
    pub(crate) passage: u32,
    /// From -1 to 1; one for the same words.
    pub(crate) cosine: f32,
}

/// How recall is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) passages: u32,
    /// Passages that have a vector.
    pub(crate) vectors: u32,
    /// Passages that wait for one.
    pub(crate) wanting: u32,
    pub(crate) model: Option<String>,
    pub(crate) degraded: Option<String>,
}

/// The engine. Clones share it. It knows what it was given by [`Recall::load`] and [`Recall::apply`], and nothing else.
#[derive(Clone)]
pub(crate) struct Recall(Arc<Inner>);

struct Inner {
    store: RwLock<Store>,
    terms: Mutex<Terms>,
    scratches: Mutex<Vec<Scratch>>,
    meaning: Result<Arc<Meaning>, String>,
    asked: Mutex<HashMap<String, Sought>>,
    turns: Semaphore,
}

impl Recall {
    /// An empty engine. The weights are read here, and new passages get their vectors in a task of their own.
    pub(crate) async fn open(shared: &Shared, config: &Config) -> Self {
        Self::with(shared.paths.state(), &shared.tasks, config).await
    }

    /// As [`Recall::open`], with vectors kept in the folder `state`.
    pub(crate) async fn with(state: PathBuf, tasks: &Tasks, config: &Config) -> Self {
        let config = config.clone();
        let opened = tokio::task::spawn_blocking(move || meaning(&config, state.join("vectors.db"))).await;
        let meaning =
            opened.unwrap_or_else(|_| Err("the weights could not be read".to_owned())).map(Arc::new);
        if let Err(reason) = &meaning {
            tracing::warn!(reason, "recall goes by words alone");
        }
        let recall = Self(Arc::new(Inner {
            store: RwLock::default(),
            terms: Mutex::new(Terms::new()),
            scratches: Mutex::default(),
            meaning,
            asked: Mutex::default(),
            turns: Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)),
        }));
        if let Ok(meaning) = &recall.0.meaning {
            let (own, meaning) = (recall.clone(), Arc::clone(meaning));
            let work = |stop| async move {
                feed::run(own, meaning, stop).await;
                Ok(())
            };
            tasks.spawn("meaning of notes", OnError::Log, work);
        }
        recall
    }

    /// Takes notes in, in any order; blocking. For starts and rebuilds: afterwards all is as if by [`Recall::apply`].
    pub(crate) fn load(&self, notes: impl Iterator<Item = Arc<Indexed>>) {
        let mut notes = notes.peekable();
        while notes.peek().is_some() {
            let portion: Vec<Delta> = notes.by_ref().take(PORTION).map(Delta::Put).collect();
            self.apply(&portion);
        }
    }

    /// Follows one commit of the index; blocks for a moment. What it brings is found by words when this returns, and by
    /// meaning soon after.
    pub(crate) fn apply(&self, deltas: &[Delta]) {
        let new = self.words(deltas);
        let Ok(meaning) = &self.0.meaning else { return };
        let kept = meaning.kept(&new);
        self.mean(&new, &kept);
        meaning.want(
            new.into_iter().filter(|note| note.passages.iter().any(|text| !kept.contains_key(&text.hash))),
        );
    }

    /// As [`Recall::apply`], with vectors that are there already.
    fn apply_with(&self, deltas: &[Delta], made: &HashMap<Hash, Small>) {
        let new = self.words(deltas);
        self.mean(&new, made);
    }

    /// Takes the words of new notes in, and lets go of what is gone; returns the notes whose words are new.
    fn words(&self, deltas: &[Delta]) -> Vec<Arc<Indexed>> {
        let mut terms = self.0.terms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = self.0.store.write().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        for delta in deltas {
            match delta {
                Delta::Put(note) => {
                    if store.put(&mut terms, note) {
                        new.push(Arc::clone(note));
                    }
                }
                Delta::Gone(row) => {
                    store.remove(*row);
                }
            }
        }
        store.compact();
        new
    }

    /// The passages that answer a question.
    pub(crate) async fn search(&self, query: Query) -> Answer {
        let _turn = self.turn().await;
        let own = self.clone();
        tokio::task::spawn_blocking(move || own.find(&query)).await.unwrap_or_default()
    }

    /// Notes of which a passage is nearest in meaning to `text`, the nearest first, each by its nearest passage. Empty
    /// without weights.
    pub(crate) async fn similar(&self, text: &str, limit: usize) -> Vec<Near> {
        let (own, text) = (self.clone(), text.to_owned());
        let work = move || {
            let sought = own.sought(&text);
            sought.map(|sought| own.near(&sought, limit, u32::MAX)).unwrap_or_default()
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }

    /// As [`Recall::similar`], for what a note says; the note itself is left out. Blocks for some milliseconds.
    pub(crate) fn neighbours(&self, row: u32, limit: usize) -> Vec<Near> {
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        let passages = store.card(row).map_or(0..0, |card| card.first..card.first + card.count);
        let own: Vec<Sought> = passages.filter_map(|at| store.vectors.get(at)).map(Sought::from).collect();
        drop(store);
        nearest(own.iter().flat_map(|sought| self.near(sought, limit, row)).collect(), limit)
    }

    pub(crate) fn status(&self) -> Status {
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        let (passages, vectors) = (store.postings.live(), store.vectors.live());
        drop(store);
        match &self.0.meaning {
            Err(reason) => Status { passages, degraded: Some(reason.clone()), ..Status::default() },
            Ok(meaning) => {
                let wanting = passages.saturating_sub(vectors);
                // A note that was just written is read within a moment.
                let late = (wanting > passages / 100 + 32)
                    .then(|| format!("{wanting} of {passages} passages are found by their words alone yet"));
                Status {
                    passages,
                    vectors,
                    wanting,
                    model: Some(meaning.model.name().into()),
                    degraded: late,
                }
            }
        }
    }

    /// Waits until a processor is free for a question, first come first served. It is free again when this is dropped.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.turns.acquire().await.ok()
    }

    /// As [`Recall::search`], in the thread of who calls it.
    pub(crate) fn find(&self, query: &Query) -> Answer {
        let words = self.0.terms.lock().unwrap_or_else(PoisonError::into_inner).all(&query.text);
        let asking = Asking::new(query, words, self.sought(&query.text));
        let mut scratch =
            self.0.scratches.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        let answer = asking.answer(&store, &mut scratch);
        drop(store);
        self.0.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        Answer { degraded: self.status().degraded, ..answer }
    }

    fn sought(&self, text: &str) -> Option<Sought> {
        let meaning = self.0.meaning.as_ref().ok()?;
        let known = self.0.asked.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned();
        if known.is_some() {
            return known;
        }
        let read = meaning.one(text);
        let small = read
            .inspect_err(|error| tracing::warn!(error = %Chain(error), "a question has no vector"))
            .ok()?;
        let sought = Sought::from(small);
        let mut asked = self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= REMEMBERED {
            asked.clear();
        }
        asked.insert(text.to_owned(), sought.clone());
        Some(sought)
    }

    fn near(&self, sought: &Sought, limit: usize, but: u32) -> Vec<Near> {
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        let other = |at| store.place(at).is_some_and(|place| place.row != but);
        let found = store.vectors.nearest(sought, limit.saturating_mul(4), other);
        let near = found.into_iter().filter_map(|(at, cosine)| {
            let place = store.place(at)?;
            Some(Near { row: place.row, passage: place.passage, cosine })
        });
        nearest(near.collect(), limit)
    }

    /// Takes vectors over.
    fn mean(&self, notes: &[Arc<Indexed>], made: &HashMap<Hash, Small>) {
        if made.is_empty() {
            return;
        }
        let mut store = self.0.store.write().unwrap_or_else(PoisonError::into_inner);
        for note in notes {
            for (passage, text) in (0..).zip(&note.passages) {
                if let Some(small) = made.get(&text.hash) {
                    store.mean(note.row, passage, &text.hash, small);
                }
            }
        }
    }
}

/// Reads the weights; without them, says why.
fn meaning(config: &Config, cache: PathBuf) -> Result<Meaning, String> {
    if !config.meaning {
        return Err("recall goes by words alone: `memory.recall.meaning` is off".to_owned());
    }
    let dir =
        config.models.clone().or_else(sanctum_embed::default_dir).ok_or("there is no place for weights")?;
    let model = Embedder::open(&dir)
        .map_err(|error| format!("recall goes by words alone: {}; `make up` fetches them", Chain(&error)))?;
    let cache = Cache::open(&cache, model.name()).map_err(|error| {
        tracing::warn!(error = %Chain(&error), "vectors cannot be kept: they are made again at every start");
    });
    Ok(Meaning::new(model, cache.ok()))
}

/// Of each note the nearest passage, the nearest first.
fn nearest(mut near: Vec<Near>, limit: usize) -> Vec<Near> {
    let place = |near: &Near| (near.row, near.passage);
    near.sort_unstable_by(|one, two| two.cosine.total_cmp(&one.cosine).then(place(one).cmp(&place(two))));
    let mut rows = Vec::new();
    near.retain(|near| {
        let first = !rows.contains(&near.row);
        rows.push(near.row);
        first
    });
    near.truncate(limit);
    near
}
