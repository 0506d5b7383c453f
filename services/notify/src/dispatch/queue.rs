//! The rows a worker works from.

use jiff::Timestamp;
use sanctum_store::{Connection, Row, SqlError, Transaction, params};

use crate::message::{Message, Phase};
use crate::rows::{self, NOTICE, instant, trace_of};
use crate::target::Manner;

/// Takes up to `most` messages that are due and marks them as in flight. With `any`, also one that is not due yet:
/// the oldest is the probe of a channel that was left alone.
pub(crate) fn take(
    tx: &Transaction<'_>,
    channel: &str,
    now: Timestamp,
    most: usize,
    any: bool,
) -> Result<Vec<Message>, SqlError> {
    spare(tx, channel)?;
    let sql = format!(
        "SELECT d.id, coalesce(f.notification, d.notification), d.phase, d.manner, d.tries, d.word, n.trace, n.accepted, f.far_id, {NOTICE}
         FROM deliveries d JOIN notifications n ON n.id=d.notification LEFT JOIN deliveries f ON f.id=d.about
         WHERE d.channel=?1 AND d.state IN (0, 2) AND d.due<=?2 AND (f.id IS NULL OR f.state>=3) ORDER BY d.id LIMIT ?3"
    );
    let limit = i64::try_from(most).unwrap_or(1);
    let until = if any { i64::MAX } else { now.as_microsecond() };
    let mut due = tx.prepare_cached(&sql)?;
    let messages: Vec<Message> =
        due.query_map(params![channel, until, limit], |row| message(row, now))?.collect::<Result<_, _>>()?;
    let mut mark = tx.prepare_cached("UPDATE deliveries SET state=1, started=?2 WHERE id=?1")?;
    for message in &messages {
        mark.execute(params![message.delivery, now.as_microsecond()])?;
    }
    Ok(messages)
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
        notice: rows::shared(row, 9)?,
        now,
    })
}

/// A channel that never got the beginning needs no end.
fn spare(tx: &Transaction<'_>, channel: &str) -> Result<(), SqlError> {
    let mut spare = tx.prepare_cached(
        "UPDATE deliveries SET state=4, reason=reason||'; not needed: the beginning never arrived here'
         WHERE channel=?1 AND state IN (0, 2) AND about IS NOT NULL AND about IN (SELECT id FROM deliveries WHERE channel=?1 AND state=3)",
    )?;
    spare.execute([channel]).map(drop)
}

/// When the next message of this channel is due.
pub(crate) fn next_due(db: &Connection, channel: &str) -> Result<Option<Timestamp>, SqlError> {
    let mut next = db.prepare_cached(
        "SELECT min(d.due) FROM deliveries d LEFT JOIN deliveries f ON f.id=d.about
         WHERE d.channel=?1 AND d.state IN (0, 2) AND (f.id IS NULL OR f.state>=3)",
    )?;
    next.query_row([channel], |row| row.get::<_, Option<i64>>(0)).map(|due| due.map(instant))
}

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
