//! What has to survive a restart, in SQLite; and what is done when it cannot be kept.

mod open;
mod read;
mod schema;
mod write;

use std::collections::VecDeque;

use jiff::Timestamp;
use sanctum_kernel::{Chain, Status, Well};
use sanctum_store::{Db, StoreError, params};
use tokio::sync::Mutex;

pub(crate) use read::{Alike, Kept};
pub(crate) use write::{Letter, Record, Told, Write};

/// The part of the board that speaks of it.
const PART: &str = "memory";
/// Things that wait for the disk; beyond that the oldest transitions and entries go.
const MOST: usize = 20_000;

/// The database `watch.db`, and what waits for it while it cannot be written.
#[derive(Debug)]
pub(crate) struct Store {
    db: Db,
    well: Well,
    /// Said on the board as long as nothing worse is.
    note: Option<(String, &'static str)>,
    backlog: Mutex<Backlog>,
}

#[derive(Debug, Default)]
struct Backlog {
    waiting: VecDeque<Write>,
    lost: u64,
}

impl Store {
    /// The database, for those with tables of their own in it.
    pub(crate) const fn db(&self) -> &Db {
        &self.db
    }

    /// Keeps all of it in one commit and returns when that is on the disk. Where it cannot be kept it is held in memory,
    /// said on the board, and written as soon as there is room: the watch goes on. Says whether it is on the disk.
    pub(crate) async fn commit(&self, writes: Vec<Write>) -> bool {
        let mut backlog = self.backlog.lock().await;
        backlog.waiting.extend(writes);
        self.flush(&mut backlog).await
    }

    /// Tries again what waits.
    pub(crate) async fn retry(&self) -> bool {
        let mut backlog = self.backlog.lock().await;
        self.flush(&mut backlog).await
    }

    async fn flush(&self, backlog: &mut Backlog) -> bool {
        if backlog.waiting.is_empty() {
            return true;
        }
        thin(&mut backlog.waiting);
        let batch: Vec<Write> = backlog.waiting.iter().cloned().collect();
        let written = self.db.write(move |tx| batch.iter().try_for_each(|write| write.apply(tx))).await;
        match written {
            Ok(()) => {
                backlog.waiting.clear();
                self.say_well(backlog.lost);
                true
            }
            Err(error) if error.is_temporary() => {
                self.say_not(&error, backlog);
                false
            }
            Err(error) => {
                // One of them can never be written: it must not keep the others waiting.
                tracing::error!(error = %Chain(&error), "something cannot be kept");
                self.one_by_one(backlog).await
            }
        }
    }

    async fn one_by_one(&self, backlog: &mut Backlog) -> bool {
        while let Some(write) = backlog.waiting.front().cloned() {
            let written = self.db.write(move |tx| write.apply(tx)).await;
            if let Err(error) = written {
                if error.is_temporary() {
                    self.say_not(&error, backlog);
                    return false;
                }
                backlog.lost += 1;
                tracing::error!(error = %Chain(&error), lost = ?backlog.waiting.front(), "it is given up");
            }
            backlog.waiting.pop_front();
        }
        self.say_well(backlog.lost);
        true
    }

    fn say_well(&self, lost: u64) {
        match &self.note {
            Some((note, hint)) => self.well.set_hint(PART, Status::Degraded, note.clone(), *hint),
            None if lost > 0 => {
                self.well.set(
                    PART,
                    Status::Degraded,
                    format!("{lost} things could not be kept; the rest is"),
                );
            }
            None => self.well.set(PART, Status::Well, "everything is kept"),
        }
    }

    fn say_not(&self, error: &StoreError, backlog: &mut Backlog) {
        while backlog.waiting.len() > MOST {
            let old = backlog.waiting.iter().position(|write| {
                matches!(write, Write::Transition { .. } | Write::Entry { .. } | Write::Outcome(_))
            });
            if old.is_none_or(|at| backlog.waiting.remove(at).is_none()) {
                break;
            }
            backlog.lost += 1;
        }
        let detail =
            format!("{}; it goes on from memory, {} things wait", Chain(error), backlog.waiting.len());
        match error.hint() {
            Some(hint) => self.well.set_hint(PART, Status::Degraded, detail, hint),
            None => self.well.set(PART, Status::Degraded, detail),
        }
    }

    /// The hub has taken a letter, or never will.
    pub(crate) async fn sent(
        &self,
        letter: i64,
        at: Timestamp,
        refused: Option<String>,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                let told = refused.is_none().then(|| write::micros(at));
                tx.execute(
                    "UPDATE outbox SET told=?2, refused=?3 WHERE id=?1",
                    params![letter, told, refused],
                )
                .map(drop)
            })
            .await
    }

    /// Removes what is older than `before`; open incidents stay.
    pub(crate) async fn prune(&self, before: Timestamp) -> Result<(), StoreError> {
        self.db
            .write_soon(move |tx| {
                let before = write::micros(before);
                tx.execute("DELETE FROM transition WHERE at<?1", [before])?;
                tx.execute(
                    "DELETE FROM entry WHERE incident IN (SELECT id FROM incident WHERE resolved<?1)",
                    [before],
                )?;
                tx.execute("DELETE FROM incident WHERE resolved<?1", [before])?;
                tx.execute(
                    "DELETE FROM outbox WHERE at<?1 AND (told IS NOT NULL OR refused IS NOT NULL)",
                    [before],
                )
                .map(drop)
            })
            .await
    }
}

/// Of what replaces itself only the last is worth writing.
fn thin(waiting: &mut VecDeque<Write>) {
    let last = waiting.iter().rposition(|write| matches!(write, Write::Snapshot { .. }));
    let mut at = 0;
    waiting.retain(|write| {
        at += 1;
        !matches!(write, Write::Snapshot { .. }) || Some(at - 1) == last
    });
}
