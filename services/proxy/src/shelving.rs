//! What clients of OpenAI's Responses name instead of repeating it, for providers that keep nothing.

use std::sync::{Arc, Mutex, PoisonError};

use sanctum_http::Bytes;
use sanctum_llm::responses::Shelf;
use sanctum_llm::{Dialect, Request, extra};

use crate::ask::Api;

/// Bytes of the recent past, of everybody together; it is gone when the house is.
const MOST: usize = 32 * 1024 * 1024;
/// The largest answer that is kept.
pub(crate) const LARGEST: usize = 4 * 1024 * 1024;

/// Answers that providers of other dialects gave to clients of Responses.
#[derive(Debug)]
pub(crate) struct Shelves(Mutex<Shelf>);

impl Default for Shelves {
    fn default() -> Self {
        Self(Mutex::new(Shelf::new(MOST)))
    }
}

impl Shelves {
    /// The request with everything in its place; `None` where it names nothing that is here.
    pub(crate) fn fill(&self, api: Api, owner: &str, body: &[u8]) -> Option<Arc<Request>> {
        if api != Api::Responses || self.lock().is_empty() {
            return None;
        }
        let mut request = Dialect::Responses.codec().read_request(body).ok()?;
        self.lock().fill(owner, &mut request).is_ok_and(|filled| filled).then(|| Arc::new(request))
    }

    /// Keeps an answer as its client got it.
    pub(crate) fn keep(&self, owner: &str, asked: &Request, pieces: &[Bytes]) {
        self.lock().keep(owner, asked, &pieces.concat());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the client relies on an answer being kept; `store` is on where nothing is said.
pub(crate) fn relies(asked: &Request) -> bool {
    extra::get(&asked.extra, "store").is_none_or(|store| store.get() != "false")
}
