//! Recall: the passages that answer a question, the best first, each with why it is there.

mod card;
pub(crate) mod config;
mod lexical;
mod postings;
mod rank;
mod store;
mod terms;
mod when;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::memory::Why;
use sanctum_kernel::service::Shared;

pub(crate) use card::Filter;

use crate::model::{Delta, Indexed};
use card::Fit;
use config::Config;
use lexical::Scratch;
use rank::Known;
use store::Store;
use terms::Terms;

/// Passages of which everything is found out, of those that match in any way.
const CANDIDATES: usize = 512;

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
}

impl Recall {
    /// An empty engine. The weights are read here, and new passages get their vectors in a task of `shared`.
    pub(crate) async fn open(_shared: &Shared, _config: &Config) -> Self {
        Self(Arc::new(Inner {
            store: RwLock::default(),
            terms: Mutex::new(Terms::new()),
            scratches: Mutex::default(),
        }))
    }

    /// Takes notes in, in any order; blocking. For starts and rebuilds; afterwards as if by [`Recall::apply`].
    pub(crate) fn load(&self, notes: impl Iterator<Item = Arc<Indexed>>) {
        for note in notes {
            self.apply(&[Delta::Put(note)]);
        }
    }

    /// Follows one commit of the index; what it brings is found by words when this returns.
    pub(crate) fn apply(&self, deltas: &[Delta]) {
        let mut terms = self.0.terms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = self.0.store.write().unwrap_or_else(PoisonError::into_inner);
        for delta in deltas {
            match delta {
                Delta::Put(note) => {
                    store.put(&mut terms, note);
                }
                Delta::Gone(row) => {
                    store.remove(*row);
                }
            }
        }
    }

    /// The passages that answer a question.
    pub(crate) async fn search(&self, query: Query) -> Answer {
        let own = self.clone();
        tokio::task::spawn_blocking(move || own.find(&query)).await.unwrap_or_default()
    }

    /// Passages whose meaning is nearest to that of `text`, the nearest first; of each note the nearest one. Empty
    /// without weights.
    #[expect(clippy::unused_async, reason = "it will read the text's meaning")]
    pub(crate) async fn similar(&self, _text: &str, _limit: usize) -> Vec<Near> {
        Vec::new()
    }

    /// As [`Recall::similar`], for what a note says; the note itself is left out.
    pub(crate) fn neighbours(&self, _row: u32, _limit: usize) -> Vec<Near> {
        Vec::new()
    }

    pub(crate) fn status(&self) -> Status {
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        Status {
            passages: store.postings.live(),
            degraded: Some("there are no weights: recall goes by words alone".into()),
            ..Status::default()
        }
    }

    fn find(&self, query: &Query) -> Answer {
        let words = self.0.terms.lock().unwrap_or_else(PoisonError::into_inner).all(&query.text);
        let mut scratch =
            self.0.scratches.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        let asked = store.postings.asked(&words);
        scratch.fill(&store, &asked);
        let most = asked.iter().map(|word| word.weight).sum::<f32>() * 1.9;
        let named = when::named(&query.text, query.now, &query.zone);
        let (at, then) = match (query.as_of, named) {
            (Some(at), _) => (instant(at), at < query.now),
            (None, Some((from, until))) => ((from, until.max(query.now)), from < query.now),
            (None, None) => (instant(query.now), false),
        };
        let mut found: Vec<(Scored, Fit)> = Vec::new();
        for passage in scratch.touched() {
            let Some(place) = store.place(*passage) else { continue };
            let Some(card) = store.card(place.row) else { continue };
            let fit = card.fits(&query.filter, at, then);
            if fit == Fit::No {
                continue;
            }
            let known = Known {
                words: scratch.of(*passage, place.session),
                most,
                timely: named.is_some_and(|(from, until)| card.began(from, until)),
            };
            let (score, why) = rank::score(&known, card, query.now);
            found.push((Scored { row: place.row, passage: place.passage, score, why }, fit));
        }
        drop(store);
        self.0.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        let order = |one: &(Scored, Fit), two: &(Scored, Fit)| {
            two.0
                .score
                .total_cmp(&one.0.score)
                .then((one.0.row, one.0.passage).cmp(&(two.0.row, two.0.passage)))
        };
        if found.len() > CANDIDATES {
            found.select_nth_unstable_by(CANDIDATES, order);
            found.truncate(CANDIDATES);
        }
        found.sort_unstable_by(order);
        let mut answer = Answer { degraded: self.status().degraded, ..Answer::default() };
        for (scored, fit) in found {
            if answer.hits.len() >= query.limit {
                break;
            }
            match fit {
                Fit::Yes => answer.hits.push(scored),
                Fit::Withheld | Fit::No => answer.withheld += 1,
            }
        }
        answer
    }
}

/// The shortest time from `at` on.
fn instant(at: Timestamp) -> (Timestamp, Timestamp) {
    (at, at.checked_add(jiff::Span::new().nanoseconds(1)).unwrap_or(at))
}
