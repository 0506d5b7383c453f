//! The one door to what is remembered: HTTP, MCP, ingest and consolidation all go through it.

mod amend;
mod error;
mod who;

use std::sync::Arc;

use sanctum_api::memory::{
    Audit, Change, Exchange, Found, Graph, Head, Ingested, Links, List, Note, Page, Progress, Rebuilt,
    Recall, Report, Search, State, Write, Written,
};
use sanctum_http::Feed;

pub(crate) use amend::{Amend, Hand, Value};
pub(crate) use error::Error;
pub(crate) use who::Who;

/// What long work tells of itself while it goes on; called from any thread, and quick.
pub(crate) type Tell = Arc<dyn Fn(Progress) + Send + Sync>;

/// What is remembered. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Library(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    feed: Feed,
}

const SOON: Error = Error::Later("this part of the memory is not there yet");

#[expect(clippy::unused_async, unused_variables, reason = "the bodies are being built")]
impl Library {
    /// Keeps a note, or says why not: the gate judges new ones. With `id` the note is changed, and only if it is still
    /// at `version`, where one is named.
    pub(crate) async fn write(&self, write: Write, who: &Who) -> Result<Written, Error> {
        Err(SOON)
    }

    /// A note by its id, or by its path in the vault.
    pub(crate) async fn read(&self, id: &str, who: &Who) -> Result<Note, Error> {
        Err(SOON)
    }

    /// Notes, the newest change first.
    pub(crate) async fn list(&self, list: &List, who: &Who) -> Result<Page, Error> {
        Err(SOON)
    }

    /// Where the wiki links of a note lead, and which notes link to it.
    pub(crate) async fn links(&self, id: &str, who: &Who) -> Result<Links, Error> {
        Err(SOON)
    }

    /// Moves a note to `archive/`. The history keeps what it was, and `undo` brings it back.
    pub(crate) async fn delete(&self, id: &str, who: &Who) -> Result<Head, Error> {
        Err(SOON)
    }

    /// The changes of a note, the newest first, through its renames.
    pub(crate) async fn history(&self, id: &str) -> Result<Vec<Change>, Error> {
        Err(SOON)
    }

    /// Takes the last change of a note back (the one before it, if that was undone already), or every change of the run
    /// of consolidation with this name.
    pub(crate) async fn undo(&self, id: &str, who: &Who) -> Result<Vec<Change>, Error> {
        Err(SOON)
    }

    pub(crate) async fn search(&self, search: &Search, who: &Who) -> Result<Found, Error> {
        Err(SOON)
    }

    /// For a prompt: few, whole, and within the tokens that were asked for.
    pub(crate) async fn recall(&self, recall: &Recall, who: &Who) -> Result<Found, Error> {
        Err(SOON)
    }

    /// Keeps an exchange until it is read into notes.
    pub(crate) async fn ingest(&self, exchange: Exchange, who: &Who) -> Result<Ingested, Error> {
        Err(SOON)
    }

    /// One pass of consolidation; dry unless `apply`.
    pub(crate) async fn consolidate(&self, apply: bool, tell: Tell) -> Result<Report, Error> {
        Err(SOON)
    }

    /// What is wrong with what is remembered.
    pub(crate) async fn audit(&self) -> Result<Audit, Error> {
        Err(SOON)
    }

    pub(crate) async fn state(&self) -> Result<State, Error> {
        Err(SOON)
    }

    /// Notes and links for drawing: at most `most` notes, the most important.
    pub(crate) async fn graph(&self, most: usize, who: &Who) -> Result<Graph, Error> {
        Err(SOON)
    }

    /// Makes the index again from the files alone, beside whoever asks.
    pub(crate) async fn rebuild(&self, tell: Tell) -> Result<Rebuilt, Error> {
        Err(SOON)
    }

    /// Every change as it is made: kind `note` with `api::memory::Noted`, kind `progress` with `Progress`.
    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    // For consolidation and ingest.

    /// What is known of every note, archived and superseded ones too.
    pub(crate) async fn heads(&self) -> Result<Vec<Head>, Error> {
        Err(SOON)
    }

    /// Current notes under this key.
    pub(crate) async fn with_key(&self, key: &str) -> Result<Vec<Head>, Error> {
        Err(SOON)
    }

    /// Puts a new note without asking the gate: what it says is already judged.
    pub(crate) async fn put(&self, write: Write, hand: &Hand) -> Result<Head, Error> {
        Err(SOON)
    }

    /// Changes lines of the front matter, the text, or the place of a note: what is not named stays as it is, byte for byte.
    pub(crate) async fn amend(&self, id: &str, amend: Amend, hand: &Hand) -> Result<Head, Error> {
        Err(SOON)
    }

    /// Removes a file for good; only the history has it then.
    pub(crate) async fn remove(&self, id: &str, hand: &Hand) -> Result<(), Error> {
        Err(SOON)
    }

    /// Returns when everything that was changed until now is in the history.
    pub(crate) async fn settle(&self) -> Result<(), Error> {
        Err(SOON)
    }
}
