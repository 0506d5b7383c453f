//! The task that keeps index and vault one: what the operating system tells, a sweep for what it did not, and health.

use std::time::Duration;

use sanctum_kernel::process::release_free_memory;
use sanctum_kernel::{Chain, Failure, Latch, Status, Stop};
use tokio::time::Instant;

use super::take::Taken;
use super::{Error, Library};
use crate::index::{read, write};
use crate::model::Delta;
use crate::vault::watch::{Seen, Watch};

/// Changes that come together are taken in together.
const TOGETHER: Duration = Duration::from_millis(100);
/// A first look at a large vault does not keep the house from being ready.
const PATIENCE: Duration = Duration::from_secs(5);
/// Accesses that were counted are written this often.
const ACCESSES: Duration = Duration::from_secs(10);
/// A clock that is this far before the newest note went back.
const BACK: i64 = 5 * 60 * 1_000_000;

/// Runs until the service stops.
pub(crate) async fn run(library: Library, latch: Latch, stop: Stop) -> Result<(), Failure> {
    let mut watch = library.begin_watch();
    let mut latch = Some(latch);
    {
        let first = library.first_look();
        tokio::pin!(first);
        tokio::select! {
            () = &mut first => {}
            () = tokio::time::sleep(PATIENCE) => {
                latch.take().map(Latch::release).unwrap_or_default();
                stop.or(&mut first).await;
            }
        }
    }
    latch.take().map(Latch::release).unwrap_or_default();
    let mut sweep = Instant::now() + library.0.config.sweep_every.0;
    let mut count = Instant::now() + ACCESSES;
    loop {
        let seen = async {
            match &mut watch {
                Some(watch) => watch.next(TOGETHER).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.requested() => break,
            seen = seen => match seen {
                Some(seen) => library.follow(seen).await,
                None => watch = None,
            },
            () = library.0.nudge.notified() => {
                library.round().await;
                sweep = Instant::now() + library.0.config.sweep_every.0;
            }
            () = tokio::time::sleep_until(sweep) => {
                library.round().await;
                if watch.is_none() {
                    watch = library.begin_watch();
                }
                sweep = Instant::now() + library.0.config.sweep_every.0;
            }
            () = tokio::time::sleep_until(count) => {
                library.count_accesses().await;
                count = Instant::now() + ACCESSES;
            }
        }
    }
    library.count_accesses().await;
    Ok(())
}

impl Library {
    fn begin_watch(&self) -> Option<Watch> {
        let well = &self.0.shared.well;
        match Watch::begin(&self.0.vault.root) {
            Ok(watch) => {
                well.set("watch", Status::Well, "changes by hand are seen at once");
                Some(watch)
            }
            Err(error) => {
                let every = self.0.config.sweep_every;
                let detail = format!("changes by hand are seen every {every} only: {error}");
                well.set_hint("watch", Status::Degraded, detail, "raise `fs.inotify.max_user_watches`");
                None
            }
        }
    }

    /// What the operating system has told.
    async fn follow(&self, seen: Seen) {
        let outcome = self.look(seen).await;
        let news = outcome.as_ref().is_ok_and(|taken| *taken != Taken::default());
        self.attend(outcome.map(drop));
        if news {
            self.judge().await;
        }
    }

    async fn first_look(&self) {
        let removed = {
            let root = self.0.vault.root.clone();
            tokio::task::spawn_blocking(move || crate::vault::walk::tidy(&root)).await.unwrap_or(0)
        };
        if removed > 0 {
            tracing::info!(removed, "what a writer that died had not finished was removed");
        }
        self.0.shared.well.set("index", Status::Degraded, "the vault is being read");
        self.load().await;
        self.attend(self.sweep().await.map(drop));
        self.0.reading.store(false, std::sync::atomic::Ordering::Relaxed);
        if let Some(complaint) = self.0.index.prove().await {
            tracing::warn!(complaint, "the index is damaged");
        }
        self.round().await;
    }

    /// Gives recall what the index has.
    async fn load(&self) {
        let own = self.clone();
        let loaded = self.0.index.read(move |db| {
            let rows = read::rows(db)?;
            let loaded = own.load_rows(db, rows);
            release_free_memory();
            loaded
        });
        if let Err(error) = loaded.await {
            tracing::warn!(error = %Chain(&error), "the index could not be read");
        }
    }

    /// A look at the whole truth.
    pub(super) async fn round(&self) {
        if self.0.index.is_damaged() {
            self.heal().await;
        }
        self.attend(self.sweep().await.map(drop));
        self.judge().await;
        self.0.history.look_at_everything();
    }

    /// Throws the index away and makes it again.
    async fn heal(&self) {
        self.0.shared.well.set("index", Status::Degraded, "it is damaged, and is made again from the files");
        let highest = self.0.highest.load(std::sync::atomic::Ordering::Relaxed);
        let begun = {
            let own = self.clone();
            tokio::task::spawn_blocking(move || own.0.index.begin_anew()).await
        };
        match begun {
            Ok(Ok(())) => {
                tracing::warn!("the index was damaged: it is made again from the files");
                let gone: Vec<Delta> = (0..=highest).map(Delta::Gone).collect();
                self.apply(&gone);
                let seq = i64::from(highest);
                // No row is ever given to another note while anybody may remember it.
                let from = self.0.index.write(move |tx| {
                    tx.execute("INSERT INTO sqlite_sequence(name, seq) VALUES('notes', ?1)", [seq]).map(drop)
                });
                self.attend(from.await.map_err(Error::from));
                *self.0.mended.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                    Some("it was damaged, and was made again from the files".to_owned());
            }
            Ok(Err(error)) => self.attend(Err(error.into())),
            Err(error) => tracing::error!(%error, "the index could not be made again"),
        }
    }

    fn attend(&self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            tracing::warn!(error = %Chain(&error), "the vault could not be looked at");
            if self.0.index.is_damaged() {
                self.0.nudge.notify_one();
            }
        }
    }

    async fn count_accesses(&self) {
        let counted = self.0.counted();
        if !counted.is_empty() {
            self.attend(
                self.0.index.write(move |tx| write::accessed(tx, &counted)).await.map_err(Error::from),
            );
        }
    }

    /// Says how the parts are.
    pub(super) async fn judge(&self) {
        self.judge_vault().await;
        let asked =
            self.0.index.read(|db| Ok((read::counts(db)?, read::troubles(db, 3)?, read::newest(db)?))).await;
        let well = &self.0.shared.well;
        let ([notes, passages, _, broken], troubles, newest) = match asked {
            Ok(asked) => asked,
            Err(error) => {
                let hint = "it is made again from the files by itself; `sanctum memory rebuild` does it now";
                well.set_hint("index", Status::Unwell, Chain(&error).to_string(), hint);
                return;
            }
        };
        self.0.meters.notes.set(notes.cast_signed());
        self.0.meters.passages.set(passages.cast_signed());
        let mended = self.0.mended.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let mended = mended.map(|mended| format!("; {mended}")).unwrap_or_default();
        well.set("index", Status::Well, format!("{notes} notes, {passages} passages{mended}"));
        let unread = self.unread();
        let count = usize::try_from(broken).unwrap_or(usize::MAX).saturating_add(unread.len());
        self.0.meters.troubles.set(i64::try_from(count).unwrap_or(i64::MAX));
        if count == 0 {
            well.set("notes", Status::Well, "every file is read");
        } else {
            let named: Vec<String> = troubles
                .into_iter()
                .chain(unread)
                .take(3)
                .map(|(path, why)| format!("{path}: {why}"))
                .collect();
            let more = if count > named.len() {
                format!(" (and {} more)", count - named.len())
            } else {
                String::new()
            };
            let hint = "they are kept as they are; `sanctum memory list --trouble` names them all";
            well.set_hint("notes", Status::Degraded, format!("{}{more}", named.join("; ")), hint);
        }
        let ahead = newest.unwrap_or(0).saturating_sub(self.0.shared.clock.now().as_microsecond());
        if ahead > BACK {
            let detail =
                format!("the newest note is {} minutes ahead of the clock: it went back", ahead / 60_000_000);
            well.set_hint("clock", Status::Degraded, detail, "set the clock; no order of notes is lost");
        } else {
            well.clear("clock");
        }
    }

    async fn judge_vault(&self) {
        let vault = self.0.vault.clone();
        let root = vault.root.display().to_string();
        let probed = tokio::task::spawn_blocking(move || vault.takes_writes()).await;
        let well = &self.0.shared.well;
        match probed {
            Ok(Ok(())) => well.set("vault", Status::Well, root),
            Ok(Err(error)) => self.0.refused(&Error::of(&self.0.vault.root, &error)),
            Err(error) => tracing::warn!(%error, "the vault could not be probed"),
        }
    }
}
