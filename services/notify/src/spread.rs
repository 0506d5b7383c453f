//! Deliveries that are not rows yet. In a rush an acceptance writes one row, into which it puts whom to tell; the rows of
//! the deliveries are made from it when somebody needs them: the worker that takes them, or who looks.
//!
//! What is older than the index of the history (`marks`, `words`) has them all, so that a start need not read more.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sanctum_api::notify::Severity;
use sanctum_store::{Connection, OptionalExtension, SqlError, StoreError, Transaction, params};

use crate::decide::Send;
use crate::hub::Hub;
use crate::rows::{severity_number, severity_of};

/// Beyond this an acceptance makes its rows itself: memory stays bounded.
const MOST: usize = 100_000;
/// Made in one go where all are, so that others may write in between.
const BATCH: usize = 500;

/// Notifications whose deliveries are not rows yet, by severity, the oldest first. What stands here may never have been
/// kept, or have its rows by now: the row decides.
#[derive(Debug, Default)]
pub(crate) struct Unspread(Mutex<[VecDeque<i64>; Severity::ALL.len()]>);

impl Unspread {
    fn with<T>(&self, work: impl FnOnce(&mut [VecDeque<i64>; Severity::ALL.len()]) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn has_room(&self) -> bool {
        self.with(|all| all.iter().map(VecDeque::len).sum::<usize>() < MOST)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.with(|all| all.iter().all(VecDeque::is_empty))
    }

    pub(crate) fn add(&self, severity: Severity, id: i64) {
        self.with(|all| {
            if let Some(line) = line(all, severity) {
                line.push_back(id);
            }
        });
    }

    /// Takes out the worst, and the oldest of those first.
    pub(crate) fn take(&self, most: usize) -> Vec<(Severity, i64)> {
        self.with(|all| {
            let mut taken = Vec::new();
            for (severity, line) in Severity::ALL.into_iter().zip(all).rev() {
                let some = line.drain(..line.len().min(most - taken.len()));
                taken.extend(some.map(|id| (severity, id)));
            }
            taken
        })
    }

    /// What was taken out has no rows after all.
    pub(crate) fn put_back(&self, taken: &[(Severity, i64)]) {
        self.with(|all| {
            for (severity, id) in taken.iter().rev() {
                if let Some(line) = line(all, *severity) {
                    line.push_front(*id);
                }
            }
        });
    }

    fn oldest(&self) -> Vec<i64> {
        self.with(|all| all.iter().filter_map(|line| line.front().copied()).collect())
    }
}

fn line(all: &mut [VecDeque<i64>], severity: Severity) -> Option<&mut VecDeque<i64>> {
    usize::try_from(severity_number(severity)).ok().and_then(|at| all.get_mut(at))
}

/// Whom to tell, as the notification's own row keeps it: since when, and each channel with its manner and the reason.
pub(crate) fn words(at: i64, sends: &[Send]) -> String {
    let sends: Vec<(&str, &str, &str)> =
        sends.iter().map(|send| (&*send.channel, send.manner.word(), &*send.reason)).collect();
    serde_json::to_string(&(at, sends)).unwrap_or_default()
}

/// Makes the rows of a notification that has none yet; returns the channels they are for.
pub(crate) fn one(tx: &Transaction<'_>, id: i64) -> Result<Vec<String>, SqlError> {
    let mut found =
        tx.prepare_cached("SELECT sends, severity FROM notifications WHERE id=?1 AND sends IS NOT NULL")?;
    let found: Option<(String, i64)> =
        found.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((sends, severity)) = found else { return Ok(Vec::new()) };
    let (at, sends): (i64, Vec<(String, String, String)>) = match serde_json::from_str(&sends) {
        Ok(sends) => sends,
        Err(error) => {
            tracing::error!(id, %error, "whom to tell cannot be read");
            return Ok(Vec::new());
        }
    };
    let mut insert = tx.prepare_cached(
        "INSERT INTO deliveries(notification, channel, phase, manner, state, reason, created, due, severity) VALUES(?1, ?2, 0, ?3, 0, ?4, ?5, ?5, ?6)",
    )?;
    for (channel, manner, reason) in &sends {
        insert.execute(params![id, channel, manner, reason, at, severity])?;
    }
    tx.prepare_cached("UPDATE notifications SET sends=NULL WHERE id=?1")?.execute([id])?;
    Ok(sends.into_iter().map(|(channel, ..)| channel).collect())
}

/// Makes the rows of these; returns the channels they are for.
pub(crate) fn these(
    tx: &Transaction<'_>,
    ids: impl IntoIterator<Item = i64>,
) -> Result<BTreeSet<String>, SqlError> {
    let mut channels = BTreeSet::new();
    for id in ids {
        channels.extend(one(tx, id)?);
    }
    Ok(channels)
}

/// Makes the rows of every notification after `from` up to `until`.
pub(crate) fn between(tx: &Transaction<'_>, from: i64, until: i64) -> Result<(), SqlError> {
    let mut ids =
        tx.prepare_cached("SELECT id FROM notifications WHERE id>?1 AND id<=?2 AND sends IS NOT NULL")?;
    let ids: Vec<i64> = ids.query_map([from, until], |row| row.get(0))?.collect::<Result<_, _>>()?;
    these(tx, ids).map(drop)
}

/// Makes the rows of these, for whoever looks at them; returns whether any were missing.
pub(crate) async fn of(hub: &Arc<Hub>, mut ids: Vec<i64>) -> Result<bool, StoreError> {
    // What is not in memory any more may be in the hands of a worker: the rows say.
    let missing = hub.db.read(move |db| {
        let mut waits = db
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM notifications WHERE id=?1 AND sends IS NOT NULL)")?;
        let mut missing = Vec::new();
        for id in ids.drain(..) {
            if waits.query_row([id], |row| row.get(0))? {
                missing.push(id);
            }
        }
        Ok(missing)
    });
    let missing = missing.await?;
    if missing.is_empty() {
        return Ok(false);
    }
    let made = hub.db.write_soon(move |tx| these(tx, missing)).await?;
    hub.wake(&made);
    Ok(true)
}

/// Makes the rows of the oldest of each severity, by which it is known how long anything waits.
pub(crate) async fn oldest(hub: &Arc<Hub>) -> Result<(), StoreError> {
    let oldest = hub.unspread.oldest();
    if oldest.is_empty() {
        return Ok(());
    }
    let made = hub.db.write_soon(move |tx| these(tx, oldest)).await?;
    hub.wake(&made);
    Ok(())
}

/// Makes the rows of all that were accepted until now, for whoever looks at many.
pub(crate) async fn all(hub: &Arc<Hub>) -> Result<(), StoreError> {
    let mut left = MOST;
    while left > 0 {
        let taken = Arc::new(hub.unspread.take(BATCH.min(left)));
        if taken.is_empty() {
            break;
        }
        left -= taken.len();
        let ids = Arc::clone(&taken);
        match hub.db.write_soon(move |tx| these(tx, ids.iter().map(|(_, id)| *id))).await {
            Ok(made) => hub.wake(&made),
            Err(error) => {
                hub.unspread.put_back(&taken);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Fills the memory of them at start.
pub(crate) fn remember(db: &Connection, hub: &Hub) -> Result<(), SqlError> {
    let mut left = db.prepare(
        "SELECT id, severity FROM notifications WHERE id>(SELECT coalesce(max(value), 0) FROM marks WHERE name='words')
         AND sends IS NOT NULL ORDER BY id",
    )?;
    let mut left = left.query([])?;
    while let Some(row) = left.next()? {
        hub.unspread.add(severity_of(row.get(1)?), row.get(0)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_come_first_and_what_is_put_back_comes_again() {
        let unspread = Unspread::default();
        for (severity, id) in
            [(Severity::Info, 1), (Severity::Error, 2), (Severity::Info, 3), (Severity::Error, 4)]
        {
            unspread.add(severity, id);
        }
        let taken = unspread.take(3);
        assert_eq!(taken, [(Severity::Error, 2), (Severity::Error, 4), (Severity::Info, 1)]);
        unspread.put_back(&taken);
        assert_eq!(unspread.take(9).iter().map(|(_, id)| *id).collect::<Vec<_>>(), [2, 4, 1, 3]);
        assert!(unspread.is_empty());
    }
}
