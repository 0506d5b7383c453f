//! Writing notes: new ones, changed ones, moved ones.

use std::io::ErrorKind;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::memory::{Head, Outcome, Write, Written};
use sanctum_kernel::{OnError, Trace};
use tokio::sync::oneshot;

use super::{Amend, Birth, Error, Hand, Library, Value, Who, compose};
use crate::index::read;
use crate::index::write::What;
use crate::vault::file::{self, Stat};
use crate::vault::note::Content;
use crate::vault::{Opened, Rel, edit, id, note};

/// How often a note that moves under its writer is looked for again.
const AGAIN: usize = 4;

/// What one change of a file is.
pub(super) enum Change<'c> {
    Write(&'c Write),
    Amend(&'c Amend),
}

impl Library {
    /// Work on files goes on to its end though whoever asked for it has gone. Cut off between the file and the index, a change
    /// would pass for an edit by hand, and its file would be open to a second writer while it is still being written.
    pub(crate) async fn to_its_end<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let (done, end) = oneshot::channel();
        let work = Trace::current().scope(work(self.clone()));
        self.0.shared.tasks.spawn("a change of the vault", OnError::Log, |_| async move {
            done.send(work.await).ok();
            Ok(())
        });
        end.await.unwrap_or(Err(Error::Later("the change was broken off: the house goes down")))
    }

    pub(super) async fn keep(&self, write: &Write, who: &Who, hand: &Hand) -> Result<Written, Error> {
        compose::check(write, self.0.vault.most)?;
        let (outcome, head) = match &write.id {
            Some(id) => (Outcome::Changed, self.change(id, &Change::Write(write), hand).await?),
            None => (Outcome::Created, self.create(write, who, hand, &Birth::default()).await?),
        };
        Ok(Written { outcome, note: Some(head), reason: None, superseded: Vec::new() })
    }

    pub(super) async fn create(
        &self,
        write: &Write,
        who: &Who,
        hand: &Hand,
        birth: &Birth,
    ) -> Result<Head, Error> {
        let now = self.0.shared.clock.now();
        let id = birth.id.clone().unwrap_or_else(|| id::fresh(now));
        let mut matter = compose::matter(write, who, &id, now);
        birth.onto(&mut matter);
        let bytes = compose::file(&write.text, &matter).into_bytes();
        for rel in compose::place(write, who, &id)? {
            let _held = self.0.locks.one(rel.as_str()).await;
            let made = self.on_disk(&rel, {
                let (rel, bytes) = (rel.clone(), bytes.clone());
                move |root| file::create(root, &rel, &bytes)
            });
            match made.await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.failed(&rel, &error)),
                Ok(stat) => return self.written(&rel, &bytes, stat, &What::Created, hand).await,
            }
        }
        Err(Error::field("title", write.title.as_deref().unwrap_or_default(), "one whose file name is free"))
    }

    /// Changes a file under its lock, whatever else wants to.
    pub(super) async fn change(&self, id: &str, change: &Change<'_>, hand: &Hand) -> Result<Head, Error> {
        for _ in 0..AGAIN {
            let (_, head) = self.find(id).await?;
            if !hand.who.may_see(head.class) {
                break;
            }
            let Some(rel) = Rel::parse(&head.path) else { break };
            let held = self.0.locks.one(rel.as_str()).await;
            let vault = self.0.vault.clone();
            let at = rel.clone();
            let opened = tokio::task::spawn_blocking(move || vault.open(&at)).await;
            let Ok(Ok(opened)) = opened else {
                // It was moved or removed by hand a moment ago.
                drop(held);
                self.look_at(&rel).await?;
                self.sweep().await?;
                continue;
            };
            let changed = self.changed(&head, &rel, opened, change, hand).await?;
            drop(held);
            let folder = match change {
                Change::Write(write) => write.folder.as_deref(),
                Change::Amend(amend) => amend.folder.as_deref(),
            };
            return match folder {
                Some(folder) => self.relocate(&changed, folder, hand).await,
                None => Ok(changed),
            };
        }
        Err(Error::Unknown(id.to_owned()))
    }

    async fn changed(
        &self,
        head: &Head,
        rel: &Rel,
        opened: Opened,
        change: &Change<'_>,
        hand: &Hand,
    ) -> Result<Head, Error> {
        let now_at = &opened.parsed.head.version;
        let wanted = match change {
            Change::Write(write) => write.version.as_deref(),
            Change::Amend(amend) => amend.version.as_deref(),
        };
        if wanted.is_some_and(|version| version != now_at) {
            return Err(Error::Changed { id: head.id.clone(), now: now_at.clone() });
        }
        let stat = opened.parsed.stat;
        if stat.size > self.0.vault.most {
            return Err(Error::TooLarge { bytes: stat.size, most: self.0.vault.most });
        }
        let text = self
            .new_text(head, &opened, change, hand)
            .map_err(|reason| Error::Broken { path: head.path.clone(), reason })?;
        if text == opened.text {
            return Ok(head.clone());
        }
        let bytes = text.into_bytes();
        let replaced = self.on_disk(rel, {
            let (rel, bytes) = (rel.clone(), bytes.clone());
            move |root| file::replace(root, &rel, &bytes)
        });
        let stat = replaced.await.map_err(|error| self.failed(rel, &error))?;
        self.written(rel, &bytes, stat, &What::Changed, hand).await
    }

    fn new_text(
        &self,
        head: &Head,
        opened: &Opened,
        change: &Change<'_>,
        hand: &Hand,
    ) -> Result<String, String> {
        let before = &opened.text;
        if opened.parsed.head.trouble.as_deref().is_some_and(|trouble| trouble.contains("not a text")) {
            return Err("it is not a text".to_owned());
        }
        let (mut lines, body, touch) = match change {
            Change::Write(write) => {
                let body = Some(write.text.as_str()).filter(|text| !text.trim().is_empty());
                let mut lines = compose::changes(write);
                lines.extend(
                    body.and_then(|_| compose::origin(&hand.who)).map(|origin| ("origin", Some(origin))),
                );
                (lines, body, true)
            }
            Change::Amend(amend) => (amend.matter.clone(), amend.text.as_deref(), amend.touch),
        };
        let text = body.map_or_else(|| before.clone(), |body| edit::replace_body(before, body));
        // A file that a person wrote without front matter gets none for its text alone.
        let has_matter =
            opened.parsed.claim.is_some() || crate::vault::matter::split(before).matter.is_some();
        let moves = matches!(
            change,
            Change::Amend(Amend { folder: Some(_), .. }) | Change::Write(Write { folder: Some(_), .. })
        );
        if !has_matter {
            lines
                .retain(|(key, _)| *key != "origin" || hand.who.origin != sanctum_api::memory::Origin::Owner);
            if lines.is_empty() && !moves {
                return Ok(text);
            }
        }
        if opened.parsed.claim.is_none() && (moves || !has_matter) {
            // Its id is that of its path, and must stay when the path does not.
            lines.insert(0, ("id", Some(Value::Text(head.id.clone()))));
        }
        if touch {
            lines.push(("updated", Some(Value::Time(self.later_than(head.updated)))));
        }
        edit::set(&text, &lines)
    }

    /// Now, but never before what is written already: a clock that went back does not make a change older.
    fn later_than(&self, before: Timestamp) -> Timestamp {
        let next = before.checked_add(SignedDuration::from_micros(1)).unwrap_or(before);
        self.0.shared.clock.now().max(next)
    }

    /// Moves the file of a note into another folder.
    pub(super) async fn relocate(&self, head: &Head, folder: &str, hand: &Hand) -> Result<Head, Error> {
        let folder = compose::folder(folder)?;
        let Some(from) = Rel::parse(&head.path) else { return Err(Error::Unknown(head.id.clone())) };
        if from.folder() == folder.as_str() {
            return Ok(head.clone());
        }
        let kept = folder.join(from.as_str().rsplit('/').next().unwrap_or_default());
        for to in kept.into_iter().chain(compose::names(&folder, &head.title, &head.id)) {
            match self.rename(&from, &to, hand).await {
                Err(Error::Disk { reason, .. }) if reason == TAKEN => {}
                moved => return moved,
            }
        }
        Err(Error::field("folder", folder.as_str(), "one in which the file's name is free"))
    }

    /// Moves one file to a place that is free.
    pub(super) async fn rename(&self, from: &Rel, to: &Rel, hand: &Hand) -> Result<Head, Error> {
        let _held = self.0.locks.two(from.as_str(), to.as_str()).await;
        let moved = self.on_disk(to, {
            let (from, to) = (from.clone(), to.clone());
            move |root| file::rename(root, &from, &to)
        });
        match moved.await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(Error::Disk { path: self.0.vault.path(to), reason: TAKEN.to_owned() });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::Unknown(from.as_str().to_owned()));
            }
            Err(error) => return Err(self.failed(to, &error)),
            Ok(_) => {}
        }
        let Some(parsed) = self.0.vault.parse(to) else { return Err(Error::Unknown(to.as_str().to_owned())) };
        let put = self.take(parsed).await?;
        // Where the id did not go along, the old path is still known.
        self.forget(from.as_str()).await?;
        let what = What::Moved(from.as_str().to_owned());
        self.tell_of(&put.head, &what, hand);
        Ok(put.head)
    }

    /// Puts bytes at a path, whatever was there.
    pub(super) async fn restore(&self, rel: &Rel, bytes: Vec<u8>, hand: &Hand) -> Result<Head, Error> {
        let _held = self.0.locks.one(rel.as_str()).await;
        let known = file::stat(&self.0.vault.path(rel)).is_some();
        let replaced = self.on_disk(rel, {
            let (rel, bytes) = (rel.clone(), bytes.clone());
            move |root| file::replace(root, &rel, &bytes)
        });
        let stat = replaced.await.map_err(|error| self.failed(rel, &error))?;
        let what = if known { What::Changed } else { What::Created };
        self.written(rel, &bytes, stat, &what, hand).await
    }

    /// Removes the file at a path.
    pub(super) async fn discard(&self, rel: &Rel, hand: &Hand) -> Result<(), Error> {
        let held = self.0.locks.one(rel.as_str()).await;
        let removed = self.on_disk(rel, {
            let rel = rel.clone();
            move |root| file::remove(root, &rel)
        });
        match removed.await {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.failed(rel, &error)),
            _ => {}
        }
        let dropped = self.forget(rel.as_str()).await?;
        drop(held);
        if let Some(dropped) = dropped {
            self.removed(&dropped.head, &hand.who, &hand.why, hand.run.as_deref());
            for heir in dropped.heirs.iter().filter_map(|path| Rel::parse(path)) {
                let _held = self.0.locks.one(heir.as_str()).await;
                if let Some(parsed) = self.0.vault.parse(&heir) {
                    self.take(parsed).await?;
                }
            }
        }
        Ok(())
    }

    /// What was just written is understood, indexed and told.
    async fn written(
        &self,
        rel: &Rel,
        bytes: &[u8],
        stat: Stat,
        what: &What,
        hand: &Hand,
    ) -> Result<Head, Error> {
        let parsed = note::understand(rel, Content::Whole(bytes), stat, &self.0.vault.zone);
        self.0.wrote();
        let put = self.take(parsed).await?;
        self.tell_of(&put.head, what, hand);
        let path = put.head.path.clone();
        // With the accesses that only the index knows.
        let known = self.0.index.read(move |db| read::at_path(db, &path)).await?;
        Ok(known.map_or(put.head, |(_, head)| head))
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        _: &Rel,
        work: impl FnOnce(&std::path::Path) -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        let root = self.0.vault.root.clone();
        tokio::task::spawn_blocking(move || work(&root))
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }

    fn failed(&self, rel: &Rel, error: &std::io::Error) -> Error {
        let error = match error.kind() {
            ErrorKind::NotADirectory => {
                Error::field("folder", rel.folder(), "a folder that is no link and no file")
            }
            _ => Error::of(&self.0.vault.path(rel), error),
        };
        self.0.refused(&error);
        error
    }
}

/// Why a file was not moved.
const TAKEN: &str = "there is a file already";
