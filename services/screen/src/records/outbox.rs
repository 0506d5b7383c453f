//! Messages that notify has not taken yet: written with what they are about, sent as soon as it listens.

use jiff::Timestamp;
use sanctum_api::notify::Notice;
use sanctum_kernel::trace::TraceId;
use sanctum_store::{Connection, SqlError, StoreError, Transaction, params};

use super::{Records, instant, ms, word};

/// A message with its key: a letter with the same key is the same letter.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) key: String,
    /// When what it tells happened.
    pub(crate) at: Timestamp,
    pub(crate) trace: TraceId,
    pub(crate) notice: Notice,
}

/// A letter that waits.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) id: i64,
    pub(crate) letter: Letter,
}

impl Records {
    /// Puts a letter into the outbox; `false` if it was there before.
    pub(crate) async fn post(&self, letter: Letter) -> Result<bool, StoreError> {
        self.db.write(move |tx| insert(tx, &letter, None)).await
    }

    /// Whether a letter with this key was ever put into the outbox.
    pub(crate) async fn is_posted(&self, key: String) -> Result<bool, StoreError> {
        self.db
            .read(move |db| {
                db.query_row("SELECT EXISTS(SELECT 1 FROM outbox WHERE key=?1)", [key], |row| row.get(0))
            })
            .await
    }

    /// Letters that wait, the oldest first.
    pub(crate) async fn waiting(&self, most: u32) -> Result<Vec<Outgoing>, StoreError> {
        self.db
            .read(move |db| {
                let mut statement =
                    db.prepare_cached("SELECT id,key,at,trace,notice FROM outbox WHERE told IS NULL AND refused IS NULL ORDER BY id LIMIT ?1")?;
                let rows = statement.query_map([most], |row| {
                    let notice: String = row.get(4)?;
                    let notice = serde_json::from_str(&notice).map_err(|_| SqlError::InvalidQuery)?;
                    Ok(Outgoing { id: row.get(0)?, letter: Letter { key: row.get(1)?, at: instant(row, 2)?, trace: word(row, 3)?, notice } })
                })?;
                rows.collect()
            })
            .await
    }

    /// notify has taken it under this id.
    pub(crate) async fn told(
        &self,
        letter: i64,
        notification: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute("UPDATE outbox SET told=?2,notification=?3 WHERE id=?1", params![letter, ms(now), notification])?;
                tx.execute("UPDATE violation SET notification=?2 WHERE id=(SELECT violation FROM outbox WHERE id=?1)", params![letter, notification]).map(drop)
            })
            .await
    }

    /// notify will never take it.
    pub(crate) async fn refused(&self, letter: i64, why: String) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute("UPDATE outbox SET refused=?2 WHERE id=?1", params![letter, why]).map(drop)
            })
            .await
    }
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    letter: &Letter,
    violation: Option<i64>,
) -> Result<bool, SqlError> {
    let notice = serde_json::to_string(&letter.notice).map_err(|_| SqlError::InvalidQuery)?;
    let mut statement = tx.prepare_cached(
        "INSERT OR IGNORE INTO outbox(key,at,trace,notice,violation) VALUES(?1,?2,?3,?4,?5)",
    )?;
    Ok(statement.execute(params![letter.key, ms(letter.at), letter.trace.to_string(), notice, violation])?
        == 1)
}

pub(super) fn of_trace(db: &Connection, trace: TraceId) -> Result<Vec<(Timestamp, i64)>, SqlError> {
    let mut statement =
        db.prepare_cached("SELECT told,notification FROM outbox WHERE trace=?1 AND told IS NOT NULL")?;
    let rows = statement.query_map([trace.to_string()], |row| Ok((instant(row, 0)?, row.get(1)?)))?;
    rows.collect()
}
