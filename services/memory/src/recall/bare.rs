//! The engine by itself, without files, index or HTTP: for benchmarks, and for the floor under its quality.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::memory::{Class, Head, Kind, Origin};
use sanctum_embed::{NAME, Vector};
use sanctum_kernel::Tasks;
use sanctum_store::StoreError;

use super::cache::Cache;
use super::config::Config;
use super::{Delta, Filter, Query, Recall};
use crate::model::{Indexed, Passage};
use crate::vault::id::sha256;

/// A note of one passage, as much of it as recall looks at.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its number: small and dense.
    pub row: u32,
    pub session: Option<String>,
    pub at: Timestamp,
    /// Until when it held.
    pub until: Option<Timestamp>,
    pub text: String,
}

/// Keeps vectors where a service with this folder `state` finds them, each by the text of its passage.
pub async fn keep(state: &Path, made: Vec<(String, Vector)>) -> Result<(), StoreError> {
    let cache = Cache::open(&state.join("vectors.db"), NAME)?;
    let made = made.into_iter().map(|(text, vector)| (sha256(text.as_bytes()), vector.small())).collect();
    cache.keep(made).await
}

/// An engine of its own.
pub struct Bare(Recall);

impl Bare {
    /// Keeps its vectors in `state`. With `meaning` it reads the weights where `make up` puts them.
    pub async fn open(state: PathBuf, meaning: bool, tasks: &Tasks) -> Self {
        Self(Recall::with(state, tasks, &Config { meaning, models: None }).await)
    }

    pub fn take(&self, said: impl Iterator<Item = Said>) {
        self.0.load(said.map(|said| Arc::new(note(said))));
    }

    /// As [`Bare::take`], with vectors that are not made of the texts: where only the work of a search is measured.
    pub fn take_with(&self, said: impl Iterator<Item = (Said, Vector)>) {
        for (said, vector) in said {
            let note = note(said);
            let made = note.passages.iter().map(|passage| (passage.hash, vector.small())).collect();
            self.0.apply_with(&[Delta::Put(Arc::new(note))], &made);
        }
    }

    /// Rows of the best passages, and their scores.
    pub async fn ask(&self, text: &str, now: Timestamp, limit: usize) -> Vec<(u32, f32)> {
        let query = Query {
            text: text.to_owned(),
            now,
            zone: TimeZone::UTC,
            as_of: None,
            filter: Filter::default(),
            limit,
        };
        self.0.search(query).await.hits.into_iter().map(|hit| (hit.row, hit.score)).collect()
    }

    /// Passages, those of them that have a vector, and why recall is less than it should be.
    pub fn state(&self) -> (u32, u32, Option<String>) {
        let status = self.0.status();
        (status.passages, status.vectors, status.degraded)
    }
}

pub(super) fn note(said: Said) -> Indexed {
    let hash = std::array::from_fn(|at| {
        // Four FNV-1a sums with beginnings of their own.
        let sum = said.text.bytes().fold(0xcbf2_9ce4_8422_2325 ^ (at as u64 / 8), |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        sum.to_le_bytes().get(at % 8).copied().unwrap_or(0)
    });
    let head = Head {
        id: format!("n-{}", said.row),
        path: format!("events/{}.md", said.row),
        title: String::new(),
        kind: Kind::Episodic,
        class: Class::General,
        origin: Origin::Agent,
        agent: None,
        source: None,
        session: said.session,
        key: None,
        created: said.at,
        updated: said.at,
        valid_from: None,
        valid_until: said.until,
        importance: 0.5,
        accesses: 0,
        tags: Vec::new(),
        entities: Vec::new(),
        superseded_by: None,
        ttl_days: None,
        version: String::new(),
        trouble: None,
        base: None,
    };
    Indexed { row: said.row, head, passages: vec![Passage { text: said.text, hash }], links: Vec::new() }
}
