//! The rows a worker works from.

use jiff::Timestamp;
use sanctum_store::{Connection, OptionalExtension, Row, SqlError, Transaction, params};

use crate::message::{Message, Phase};
use crate::rows::{self, NOTICE, instant, trace_of};
use crate::target::Manner;

/// Takes up to `most` messages that are due, the worst first, and marks them as in flight. With `any`, also one that is
/// not due yet: the probe of a channel that was left alone. What has not been tried yet is always due.
pub(crate) fn take(
    tx: &Transaction<'_>,
    channel: &str,
    now: Timestamp,
    most: usize,
    any: bool,
) -> Result<Vec<Message>, SqlError> {
    let limit = i64::try_from(most).unwrap_or(1);
    let until = if any { i64::MAX } else { now.as_microsecond() };
    let mut messages: Vec<Message> = tx
        .prepare_cached(&failed())?
        .query_map(params![channel, limit, until], |row| message(row, now))?
        .collect::<Result<_, _>>()?;
    let mut pending = tx.prepare_cached(&pending())?;
    for message in pending.query_map(params![channel, limit], |row| message(row, now))? {
        messages.push(message?);
    }
    messages.sort_by_key(|message| (std::cmp::Reverse(message.severity()), message.delivery));
    messages.truncate(most);
    let mut mark = tx.prepare_cached("UPDATE deliveries SET state=1, started=?2 WHERE id=?1")?;
    for message in &messages {
        mark.execute(params![message.delivery, now.as_microsecond()])?;
    }
    Ok(messages)
}

/// What an end needs: that the beginning is no longer on its way.
const READY: &str = "(f.id IS NULL OR f.state>=3)";

fn select() -> String {
    format!(
        "SELECT d.id, coalesce(f.notification, d.notification), d.phase, d.manner, d.tries, d.word, n.trace, n.accepted, f.far_id, d.spent, d.created, {NOTICE}
         FROM deliveries d JOIN notifications n ON n.id=d.notification LEFT JOIN deliveries f ON f.id=d.about WHERE d.channel=?1"
    )
}

fn pending() -> String {
    format!("{} AND d.state=0 AND {READY} ORDER BY d.severity DESC, d.id LIMIT ?2", select())
}

fn failed() -> String {
    format!("{} AND d.state=2 AND d.due<=?3 AND {READY} ORDER BY d.due LIMIT ?2", select())
}

fn message(row: &Row<'_>, now: Timestamp) -> Result<Message, SqlError> {
    Ok(Message {
        delivery: row.get(0)?,
        id: row.get(1)?,
        phase: Phase::of(row.get(2)?),
        manner: Manner::of(&row.get::<_, String>(3)?).unwrap_or(Manner::Sound),
        tries: row.get(4)?,
        word: row.get(5)?,
        trace: trace_of(&row.get::<_, String>(6)?),
        accepted: instant(row.get(7)?),
        before: row.get(8)?,
        spent: row.get(9)?,
        since: instant(row.get(10)?),
        notice: rows::shared(row, 11)?,
        now,
    })
}

/// A channel that never got the beginning needs no end.
pub(crate) fn spare(tx: &Transaction<'_>, dead: i64) -> Result<(), SqlError> {
    let mut spare = tx.prepare_cached(
        "UPDATE deliveries SET state=4, reason=reason||'; not needed: the beginning never arrived here'
         WHERE about=?1 AND state IN (0, 2)",
    )?;
    spare.execute([dead]).map(drop)
}

/// When the next message of this channel is due that is not due now. What waits for something else is nudged by it.
pub(crate) fn next_due(
    db: &Connection,
    channel: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, SqlError> {
    let mut next = db.prepare_cached(NEXT_DUE)?;
    let due = next.query_row(params![channel, now.as_microsecond()], |row| row.get::<_, Option<i64>>(0));
    due.map(|due| due.map(instant))
}

const NEXT_DUE: &str = "SELECT min(due) FROM deliveries WHERE channel=?1 AND state=2 AND due>?2";

/// Whether anything of this channel waits.
pub(crate) fn waits(db: &Connection, channel: &str) -> Result<bool, SqlError> {
    db.prepare_cached(WAITS)?.query_row([channel], |row| row.get(0))
}

const WAITS: &str = "SELECT EXISTS(SELECT 1 FROM deliveries WHERE channel=?1 AND state=0)
   OR EXISTS(SELECT 1 FROM deliveries WHERE channel=?1 AND state=2)";

/// How many of this channel are not delivered yet, and not given up.
pub(crate) fn open(db: &Connection, channel: &str) -> Result<u64, SqlError> {
    let count: i64 = db.prepare_cached(OPEN)?.query_row([channel], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

const OPEN: &str = "SELECT (SELECT count(*) FROM deliveries WHERE channel=?1 AND state=0)
   + (SELECT count(*) FROM deliveries WHERE channel=?1 AND state=1) + (SELECT count(*) FROM deliveries WHERE channel=?1 AND state=2)";

/// When the oldest message of this channel was made that is not delivered yet, and not given up.
pub(crate) fn oldest(db: &Connection, channel: &str) -> Result<Option<Timestamp>, SqlError> {
    let mut oldest: Option<i64> = None;
    let mut older = |found: Option<i64>| {
        oldest = [oldest, found].into_iter().flatten().min();
    };
    // The first of each severity is its oldest; a list of them all would be read to its end.
    let mut pending = db.prepare_cached(OLDEST_PENDING)?;
    for severity in 0..4 {
        older(pending.query_row(params![channel, severity], |row| row.get(0)).optional()?);
    }
    for sql in [OLDEST_FLYING, OLDEST_FAILED] {
        older(db.prepare_cached(sql)?.query_row([channel], |row| row.get(0))?);
    }
    Ok(oldest.map(instant))
}

const OLDEST_PENDING: &str =
    "SELECT created FROM deliveries WHERE channel=?1 AND state=0 AND severity=?2 ORDER BY id LIMIT 1";
const OLDEST_FLYING: &str = "SELECT min(created) FROM deliveries WHERE channel=?1 AND state=1";
const OLDEST_FAILED: &str = "SELECT min(created) FROM deliveries WHERE channel=?1 AND state=2";

/// After a crash: what was in flight may or may not have arrived, and is sent again under the same key.
pub(crate) fn resume(tx: &Transaction<'_>, now: i64) -> Result<usize, SqlError> {
    tx.execute(
        "INSERT OR IGNORE INTO attempts(delivery, number, started, ended, outcome)
         SELECT id, tries+1, coalesce(started, ?1), ?1, 'interrupted: the hub stopped' FROM deliveries WHERE state=1",
        [now],
    )?;
    tx.execute("UPDATE deliveries SET state=2, tries=tries+1, due=?1, started=NULL WHERE state=1", [now])
}

/// The channel works again: nothing waits for its own turn any longer.
pub(crate) fn all_due(tx: &Transaction<'_>, channel: &str, now: i64) -> Result<usize, SqlError> {
    tx.execute("UPDATE deliveries SET due=?2 WHERE channel=?1 AND state=2 AND due>?2", params![channel, now])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a worker asks at every turn must not depend on how long the history is.
    #[test]
    fn no_turn_of_a_worker_reads_a_whole_table() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        drop(sanctum_store::Db::open(&path, crate::schema::MIGRATIONS).unwrap());
        let db = Connection::open(&path).unwrap();
        let (pending, failed) = (pending(), failed());
        for sql in [&pending, &failed, NEXT_DUE, WAITS, OPEN, OLDEST_PENDING, OLDEST_FLYING, OLDEST_FAILED] {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let empty = vec![None::<i64>; plan.parameter_count()];
            let steps = plan.query_map(sanctum_store::params_from_iter(empty), |row| row.get::<_, String>(3));
            let steps: Vec<String> = steps.unwrap().collect::<Result<_, _>>().unwrap();
            let whole = |step: &String| {
                step.starts_with("SCAN d") || step.starts_with("SCAN n") || step.contains("TEMP B-TREE")
            };
            assert!(!steps.iter().any(whole), "{sql}: {steps:#?}");
        }
    }
}
