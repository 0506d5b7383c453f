//! The one door to what is remembered: HTTP, MCP, ingest and consolidation all go through it.

mod amend;
mod compose;
mod error;
mod finding;
mod inner;
pub(crate) mod keeper;
mod keeping;
mod locks;
mod searching;
mod story;
mod take;
mod undo;
mod who;
mod writing;

use std::sync::Arc;

use sanctum_api::memory::{
    Audit, Change, Exchange, Found, Graph, Head, Ingested, Links, List, Note, Page, Progress, Rebuilt,
    Recall, Report, Search, State, Write, Written,
};
use sanctum_http::Feed;

pub(crate) use amend::{Amend, Hand, Value};
pub(crate) use error::Error;
pub(crate) use inner::Parts;
pub(crate) use keeping::{Birth, Keeping};
pub(crate) use who::Who;

use crate::index::read;
use crate::vault::Rel;
use inner::Inner;

/// What long work tells of itself while it goes on; called from any thread, and quick.
pub(crate) type Tell = Arc<dyn Fn(Progress) + Send + Sync>;

/// What is remembered. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Library(Arc<Inner>);

/// Notes of one drawing: more are a cloud.
const DRAWN: usize = 2000;

impl Library {
    /// Keeps a note, or says why not: the gate judges new ones. With `id` the note is changed, and only if it is still
    /// at `version`, where one is named.
    pub(crate) async fn write(&self, write: Write, who: &Who) -> Result<Written, Error> {
        let who = who.clone();
        let written = self.to_its_end(async move |own| own.write_gated(write, &who).await).await?;
        self.0.meters.wrote(written.outcome);
        Ok(written)
    }

    /// A note by its id, or by its path in the vault.
    pub(crate) async fn read(&self, id: &str, who: &Who) -> Result<Note, Error> {
        self.note_of(id, who).await
    }

    /// Notes, the newest change first.
    pub(crate) async fn list(&self, list: &List, who: &Who) -> Result<Page, Error> {
        self.page_of(list, who).await
    }

    /// Where the wiki links of a note lead, and which notes link to it.
    pub(crate) async fn links(&self, id: &str, who: &Who) -> Result<Links, Error> {
        self.links_of(id, who).await
    }

    /// Moves a note to `archive/`. The history keeps what it was, and `undo` brings it back.
    pub(crate) async fn delete(&self, id: &str, who: &Who) -> Result<Head, Error> {
        let (id, who) = (id.to_owned(), who.clone());
        self.to_its_end(async move |own| own.put_away(&id, &who).await).await
    }

    async fn put_away(&self, id: &str, who: &Who) -> Result<Head, Error> {
        let (_, head) = self.find(id).await?;
        if !who.may_see(head.class) {
            return Err(Error::Unknown(id.to_owned()));
        }
        if head.path.starts_with("archive/") {
            return Ok(head);
        }
        let hand = Hand::new(who, format!("deleted, was `{}`", head.path));
        let archive = Amend { folder: Some("archive".to_owned()), touch: true, ..Amend::default() };
        match self.amend(&head.id, archive, &hand).await {
            // What cannot be changed can be moved as it is.
            Err(Error::Broken { .. } | Error::TooLarge { .. }) => {
                self.relocate(&head, "archive", &hand).await
            }
            moved => moved,
        }
    }

    /// The changes of a note, the newest first, through its renames.
    pub(crate) async fn history(&self, id: &str) -> Result<Vec<Change>, Error> {
        self.changes_of(id).await
    }

    /// Takes the last change of a note back (the one before it, if that was undone already), or every change of the run
    /// of consolidation with this name.
    pub(crate) async fn undo(&self, id: &str, who: &Who) -> Result<Vec<Change>, Error> {
        let (id, who) = (id.to_owned(), who.clone());
        let work = async move |own: Self| {
            let changes = own.take_back(&id, &who).await?;
            own.mind(&id, &who).await?;
            Ok(changes)
        };
        self.to_its_end(work).await
    }

    pub(crate) async fn search(&self, search: &Search, who: &Who) -> Result<Found, Error> {
        self.find_passages(search, who).await
    }

    /// For a prompt: few, whole, and within the tokens that were asked for.
    pub(crate) async fn recall(&self, recall: &Recall, who: &Who) -> Result<Found, Error> {
        self.recall_for(recall, who).await
    }

    /// Keeps an exchange until it is read into notes.
    pub(crate) async fn ingest(&self, exchange: Exchange, who: &Who) -> Result<Ingested, Error> {
        self.ingest_kept(exchange, who).await
    }

    /// One pass of consolidation; dry unless `apply`.
    pub(crate) async fn consolidate(&self, apply: bool, tell: Tell) -> Result<Report, Error> {
        self.consolidated(apply, tell).await
    }

    /// What is wrong with what is remembered.
    pub(crate) async fn audit(&self) -> Result<Audit, Error> {
        self.audited().await
    }

    pub(crate) async fn state(&self) -> Result<State, Error> {
        let asked = self.0.index.read(|db| Ok((read::counts(db)?, read::troubles(db, 1000)?))).await?;
        let ([notes, passages, links, _], troubles) = asked;
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let recall = self.0.recall.status();
        let unread = self.unread();
        let mut named = troubles.into_iter().chain(unread).map(|(path, why)| format!("{path}: {why}"));
        Ok(State {
            vault: self.0.vault.root.display().to_string(),
            notes: number(notes),
            passages: number(passages),
            vectors: recall.vectors,
            links: number(links),
            queued: self.queue().waiting().await?,
            model: recall.model,
            degraded: self.less(recall.degraded),
            troubles: named.by_ref().take(1000).collect(),
            consolidated: self.last_pass().await?,
        })
    }

    /// Notes and links for drawing: at most `most` notes, the most important.
    pub(crate) async fn graph(&self, most: usize, who: &Who) -> Result<Graph, Error> {
        let (most, private) = (most.clamp(1, DRAWN), who.private);
        Ok(self.0.index.read(move |db| read::graph(db, most, private)).await?)
    }

    /// Makes the index again from the files alone, beside whoever asks.
    pub(crate) async fn rebuild(&self, tell: Tell) -> Result<Rebuilt, Error> {
        let Ok(_one) = self.0.rebuilding.try_lock() else {
            return Err(Error::Later("the index is being made again already"));
        };
        if self.0.index.is_damaged() {
            self.round().await;
        }
        let events = self.teller();
        let both: Tell = Arc::new(move |progress: Progress| {
            tell(progress.clone());
            events(progress);
        });
        let rebuilt = self.read_all(both).await?;
        self.judge().await;
        Ok(rebuilt)
    }

    /// Every change as it is made: kind `note` with `api::memory::Noted`, kind `progress` with `Progress`.
    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    // For consolidation and ingest.

    /// What is known of every note, archived and superseded ones too.
    pub(crate) async fn heads(&self) -> Result<Vec<Head>, Error> {
        Ok(self.0.index.read(read::all).await?)
    }

    /// Current notes under this key, the oldest first.
    pub(crate) async fn with_key(&self, key: &str) -> Result<Vec<Head>, Error> {
        let key = key.to_owned();
        Ok(self.0.index.read(move |db| read::with_key(db, &key)).await?)
    }

    /// The note of a row that recall has named.
    pub(crate) async fn by_row(&self, row: u32) -> Result<Option<Head>, Error> {
        Ok(self.0.index.read(move |db| read::by_row(db, row)).await?)
    }

    /// The row recall knows a note by.
    pub(crate) async fn row_of(&self, id: &str) -> Result<u32, Error> {
        self.find(id).await.map(|(row, _)| row)
    }

    /// The engine behind [`Library::search`].
    pub(crate) fn engine(&self) -> &crate::recall::Recall {
        &self.0.recall
    }

    /// Puts a new note without asking the gate: what it says is already judged.
    pub(crate) async fn put(&self, write: Write, hand: &Hand) -> Result<Head, Error> {
        compose::check(&write, self.0.vault.most)?;
        let hand = hand.clone();
        let work = async move |own: Self| own.create(&write, &hand.who, &hand, &Birth::default()).await;
        self.to_its_end(work).await
    }

    /// Changes lines of the front matter, the text, or the place of a note: what is not named stays as it is, byte for byte.
    pub(crate) async fn amend(&self, id: &str, amend: Amend, hand: &Hand) -> Result<Head, Error> {
        let (id, hand) = (id.to_owned(), hand.clone());
        let work = async move |own: Self| own.change(&id, &writing::Change::Amend(&amend), &hand).await;
        self.to_its_end(work).await
    }

    /// Removes a file for good; only the history has it then.
    pub(crate) async fn remove(&self, id: &str, hand: &Hand) -> Result<(), Error> {
        let (_, head) = self.find(id).await?;
        match Rel::parse(&head.path) {
            Some(rel) => {
                let hand = hand.clone();
                self.to_its_end(async move |own| own.discard(&rel, &hand).await).await
            }
            None => Err(Error::Unknown(id.to_owned())),
        }
    }

    /// Returns when everything that was changed until now is in the history.
    pub(crate) async fn settle(&self) -> Result<(), Error> {
        self.0.history.settle().await
    }
}
