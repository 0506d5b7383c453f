//! Taking files into the index: one that was written, some that changed, all of them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use sanctum_api::memory::{Head, Noted, Progress, Rebuilt};
use sanctum_kernel::process::release_free_memory;
use sanctum_store::Transaction;
use tokio::time::Instant;

use super::{Error, Hand, Library, Tell, Who};
use crate::history::Entry;
use crate::index::write::{Dropped, Put, What};
use crate::index::{read, write};
use crate::model::Delta;
use crate::vault::file::Stat;
use crate::vault::walk::{self, Found};
use crate::vault::{Parsed, Rel, file, watch};

/// Files that are taken in with one commit: while they are, nobody writes.
const CHUNK: usize = 2000;
/// More changes at once than this are told as one.
const TOLD: usize = 500;

/// What came of looking at many files.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) read: u64,
    pub(crate) gone: u64,
}

/// Files to look at.
#[derive(Debug, Default)]
struct Work {
    changed: Vec<Rel>,
    vanished: Vec<String>,
    /// Read them even if they look the same.
    force: bool,
    /// Tell nobody of each: everything is made again.
    quiet: bool,
}

impl Library {
    /// Takes in a file that was just written or read; its lock is held. Found from here on.
    pub(super) async fn take(&self, parsed: Parsed) -> Result<Put, Error> {
        let root = self.0.vault.root.clone();
        let put = self.0.index.write(move |tx| write::put(tx, &root, parsed)).await?;
        self.apply(&put.deltas);
        Ok(put)
    }

    /// Forgets a path whose file is gone; its lock is held.
    pub(super) async fn forget(&self, path: &str) -> Result<Option<Dropped>, Error> {
        let path = path.to_owned();
        let dropped = self.0.index.write(move |tx| write::gone(tx, &path)).await?;
        if let Some(dropped) = &dropped {
            self.apply(std::slice::from_ref(&dropped.delta));
        }
        Ok(dropped)
    }

    /// Looks at one file again, because it may have been changed by hand.
    pub(super) async fn look_at(&self, rel: &Rel) -> Result<(), Error> {
        let exists = file::stat(&self.0.vault.path(rel)).is_some();
        let (changed, vanished) = if exists {
            (vec![rel.clone()], Vec::new())
        } else {
            (Vec::new(), vec![rel.as_str().to_owned()])
        };
        self.take_all(Work { changed, vanished, ..Work::default() }, None).await.map(drop)
    }

    /// Looks at what the operating system says has changed.
    pub(crate) async fn look(&self, seen: watch::Seen) -> Result<Taken, Error> {
        if seen.all {
            return self.sweep().await;
        }
        let mut work = Work::default();
        for path in seen.paths {
            let Ok(rel) = Rel::below(&self.0.vault.root, &path) else {
                // A name that cannot be read is found, and named, by the next sweep.
                continue;
            };
            self.sort(rel, path, &mut work).await?;
        }
        work.changed.sort_unstable();
        work.changed.dedup();
        self.take_all(work, None).await
    }

    async fn sort(&self, rel: Rel, path: PathBuf, work: &mut Work) -> Result<(), Error> {
        match std::fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_file() => work.changed.extend(Some(rel).filter(Rel::is_note)),
            Ok(meta) if meta.is_dir() => {
                let found = self.walk(Some(rel.clone())).await?;
                let known = self.stats(Some(rel.as_str())).await?;
                let (changed, vanished) = compare(&found, known);
                work.changed.extend(changed);
                work.vanished.extend(vanished);
            }
            _ => {
                let below = self.stats(Some(rel.as_str())).await?;
                work.vanished.extend(below.into_keys());
                work.vanished.push(rel.as_str().to_owned());
            }
        }
        Ok(())
    }

    /// Looks at every file there is, and reads those that changed.
    pub(crate) async fn sweep(&self) -> Result<Taken, Error> {
        let found = self.walk(None).await?;
        let known = self.stats(None).await?;
        let (changed, vanished) = compare(&found, known);
        self.troubles_are(found.troubles);
        let first = changed.len() > TOLD;
        self.take_all(
            Work { changed, vanished, quiet: first, ..Work::default() },
            first.then(|| self.teller()),
        )
        .await
    }

    /// Reads every file again, whatever the index says.
    pub(super) async fn read_all(&self, tell: Tell) -> Result<Rebuilt, Error> {
        let began = Instant::now();
        let found = self.walk(None).await?;
        let known = self.stats(None).await?;
        let (_, vanished) = compare(&found, known);
        self.troubles_are(found.troubles);
        let changed = found.notes.into_iter().map(|(rel, _)| rel).collect();
        self.take_all(Work { changed, vanished, force: true, quiet: true }, Some(tell)).await?;
        let [notes, passages, links, troubles] = self.0.index.read(read::counts).await?;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Rebuilt { notes, passages, links, troubles, took_ms })
    }

    /// Where the index and the files differ now, in words.
    pub(super) async fn differences(&self) -> Result<Vec<String>, Error> {
        let found = self.walk(None).await?;
        let known = self.stats(None).await?;
        let (changed, vanished) = compare(&found, known);
        let changed = changed.iter().map(|rel| format!("{rel}: the file is not as the index has it"));
        Ok(changed.chain(vanished.iter().map(|path| format!("{path}: the file is gone"))).collect())
    }

    async fn walk(&self, folder: Option<Rel>) -> Result<Found, Error> {
        let root = self.0.vault.root.clone();
        let walked = tokio::task::spawn_blocking(move || walk::walk(&root, folder.as_ref())).await;
        let walked = walked.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        walked.map_err(|error| Error::of(&self.0.vault.root, &error))
    }

    async fn stats(&self, below: Option<&str>) -> Result<HashMap<String, Stat>, Error> {
        let below = below.map(str::to_owned);
        Ok(self.0.index.read(move |db| read::stats(db, below.as_deref())).await?)
    }

    async fn take_all(&self, work: Work, tell: Option<Tell>) -> Result<Taken, Error> {
        let total = u64::try_from(work.changed.len()).unwrap_or(0);
        let mut taken = Taken::default();
        let mut heirs = Vec::new();
        let small = work.changed.len() + work.vanished.len() <= TOLD;
        for chunk in work.changed.chunks(CHUNK) {
            let puts = self.take_chunk(chunk.to_vec(), work.force).await?;
            taken.read += u64::try_from(puts.len()).unwrap_or(0);
            if small && !work.quiet {
                for put in &puts {
                    self.by_hand(&put.head, &put.what);
                }
            }
            if let Some(tell) = &tell {
                let done = taken.read;
                tell(Progress { what: "rebuild".to_owned(), done, total: Some(total) });
            }
        }
        for chunk in work.vanished.chunks(CHUNK) {
            let dropped = self.drop_chunk(chunk.to_vec()).await?;
            taken.gone += u64::try_from(dropped.len()).unwrap_or(0);
            for one in dropped {
                if small && !work.quiet {
                    self.removed(&one.head, &Who::hand(), "", None);
                }
                heirs.extend(one.heirs.iter().filter_map(|path| Rel::parse(path)));
            }
        }
        // Whoever had to do without the id that it claims may have it now.
        if !heirs.is_empty() {
            self.take_chunk(heirs, true).await?;
        }
        if !small {
            tokio::task::spawn_blocking(release_free_memory).await.unwrap_or_default();
        }
        if taken != Taken::default() && (!small || work.quiet) {
            self.0.history.look_at_everything();
            self.0.feed.publish("lost", &serde_json::json!({}));
        }
        Ok(taken)
    }

    async fn take_chunk(&self, rels: Vec<Rel>, force: bool) -> Result<Vec<Put>, Error> {
        let _nobody = self.0.locks.all().await;
        let (vault, root) = (self.0.vault.clone(), self.0.vault.root.clone());
        let rels = if force { rels } else { self.really_changed(rels).await? };
        if rels.is_empty() {
            return Ok(Vec::new());
        }
        let parsed = tokio::task::spawn_blocking(move || vault.parse_all(&rels)).await.unwrap_or_default();
        let puts = move |tx: &Transaction<'_>| {
            let mut parsed = parsed;
            // An index that was lost is made in the order in which the notes came: what is alike stays in its order.
            parsed.sort_by_key(|one| one.head.created);
            parsed.into_iter().map(|parsed| write::put(tx, &root, parsed)).collect::<Result<Vec<_>, _>>()
        };
        let puts = self.0.index.write(puts).await?;
        let own = self.clone();
        let applied = tokio::task::spawn_blocking(move || {
            let deltas: Vec<Delta> = puts.iter().flat_map(|put| put.deltas.iter().cloned()).collect();
            own.apply(&deltas);
            puts
        });
        Ok(applied.await.unwrap_or_default())
    }

    /// What was written by the house itself is known already.
    async fn really_changed(&self, rels: Vec<Rel>) -> Result<Vec<Rel>, Error> {
        let root = self.0.vault.root.clone();
        let changed = self.0.index.read(move |db| {
            let mut changed = Vec::new();
            for rel in rels {
                let now = file::stat(&root.join(rel.as_str()));
                if now.is_some() && now != read::stat(db, rel.as_str())? {
                    changed.push(rel);
                }
            }
            Ok(changed)
        });
        Ok(changed.await?)
    }

    async fn drop_chunk(&self, paths: Vec<String>) -> Result<Vec<Dropped>, Error> {
        let _nobody = self.0.locks.all().await;
        let root = self.0.vault.root.clone();
        let dropped = self.0.index.write(move |tx| {
            let mut dropped = Vec::new();
            for path in paths {
                if file::is_gone(&root.join(&path)) {
                    dropped.extend(write::gone(tx, &path)?);
                }
            }
            Ok(dropped)
        });
        let dropped = dropped.await?;
        for one in &dropped {
            self.apply(std::slice::from_ref(&one.delta));
        }
        Ok(dropped)
    }

    /// Somebody with an editor did it.
    fn by_hand(&self, head: &Head, what: &What) {
        self.tell_of(head, what, &Hand::new(&Who::hand(), ""));
    }

    /// Tells followers and the history of a note that is there.
    pub(super) fn tell_of(&self, head: &Head, what: &What, hand: &Hand) {
        let (word, from) = match what {
            What::Created => ("created", None),
            What::Changed => ("changed", None),
            What::Moved(from) => ("moved", Some(from.clone())),
        };
        self.publish(head, word, &hand.who);
        let general = head.class == sanctum_api::memory::Class::General;
        self.happened(word, if general { head.path.clone() } else { head.id.clone() });
        let mut entry = entry(head, word, &hand.who, &hand.why, hand.run.as_deref());
        entry.paths.extend(from);
        entry.undoes.clone_from(&hand.undoes);
        self.0.history.note(entry);
    }

    /// Tells followers and the history of a note that is gone.
    pub(super) fn removed(&self, head: &Head, who: &Who, why: &str, run: Option<&str>) {
        self.publish(head, "gone", who);
        self.0.history.note(entry(head, "removed", who, why, run));
    }

    fn publish(&self, head: &Head, what: &str, who: &Who) {
        let (id, path, title) = (head.id.clone(), head.path.clone(), head.title.clone());
        // What is private is nothing for everybody who may look at events.
        let title = if head.class == sanctum_api::memory::Class::General { title } else { String::new() };
        let noted = Noted { id, path, title, what: what.to_owned(), by: who.name.clone() };
        self.0.feed.publish("note", &noted);
    }

    /// Progress as events, a few a second.
    pub(crate) fn teller(&self) -> Tell {
        let feed = self.0.feed.clone();
        let last = std::sync::Mutex::new(None::<Instant>);
        std::sync::Arc::new(move |progress: Progress| {
            let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let soon = last.is_some_and(|last| last.elapsed() < Duration::from_millis(200));
            if !soon || Some(progress.done) == progress.total {
                *last = Some(Instant::now());
                feed.publish("progress", &progress);
            }
        })
    }
}

fn entry(head: &Head, what: &str, who: &Who, why: &str, run: Option<&str>) -> Entry {
    Entry {
        who: who.name.clone(),
        id: head.id.clone(),
        title: head.title.clone(),
        what: what.to_owned(),
        paths: vec![head.path.clone()],
        why: why.to_owned(),
        run: run.map(str::to_owned),
        undoes: None,
        by_hand: *who == Who::hand(),
    }
}

/// Files that look different from when they were read, and paths without a file.
fn compare(found: &Found, mut known: HashMap<String, Stat>) -> (Vec<Rel>, Vec<String>) {
    let mut changed = Vec::new();
    for (rel, stat) in &found.notes {
        if known.remove(rel.as_str()).as_ref() != Some(stat) {
            changed.push(rel.clone());
        }
    }
    // The order in which they are read decides nothing; that it is always the same helps whoever looks for a mistake.
    changed.sort_unstable();
    (changed, known.into_keys().collect())
}
