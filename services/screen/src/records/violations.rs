//! Joins and traffic against the rules: one row a join.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sanctum_api::firewall::Verdict;
use sanctum_api::screen::Violation;
use sanctum_kernel::Mac;
use sanctum_kernel::trace::TraceId;
use sanctum_store::{Connection, OptionalExtension, Row, SqlError, StoreError, params};

use super::outbox::{self, Letter};
use super::{Records, as_tag, instant, ms, tag, word};

/// What was seen of a device that is blocked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Timestamp,
    pub(crate) written: Timestamp,
    pub(crate) device: String,
    pub(crate) name: String,
    pub(crate) mac: Option<Mac>,
    pub(crate) owner: Option<String>,
    pub(crate) rule: String,
    pub(crate) action: String,
    pub(crate) verdict: Verdict,
    pub(crate) trace: TraceId,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// A row of its own.
    New(Violation),
    /// The join has its row already, and it says the same.
    Known,
    /// The join has its row already; the verdict in it is new.
    Changed(Violation),
}

const COLUMNS: &str = "id,at,device,name,mac,owner,rule,action,verdict,trace,notification";

impl Records {
    /// Writes a violation and the letter about it, unless this join has its row; then the verdict is brought up to date.
    pub(crate) async fn write_violation(
        &self,
        seen: Seen,
        letter: impl FnOnce(&Violation) -> Letter + Send + 'static,
    ) -> Result<Written, StoreError> {
        self.db
            .write(move |tx| {
                let sql = format!("SELECT {COLUMNS} FROM violation WHERE device=?1 AND open=1 ORDER BY id DESC LIMIT 1");
                if let Some(known) = tx.query_row(&sql, [&seen.device], read).optional()? {
                    tx.execute("UPDATE violation SET tries=tries+1, verdict=?2 WHERE id=?1", params![known.id, as_tag(&seen.verdict)])?;
                    let same = known.verdict == seen.verdict;
                    return Ok(if same { Written::Known } else { Written::Changed(Violation { verdict: seen.verdict, ..known }) });
                }
                tx.execute(
                    "INSERT INTO violation(at,device,name,mac,owner,rule,action,verdict,trace,written) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
                    params![
                        ms(seen.at),
                        seen.device,
                        seen.name,
                        seen.mac.map(|mac| mac.to_string()),
                        seen.owner,
                        seen.rule,
                        seen.action,
                        as_tag(&seen.verdict),
                        seen.trace.to_string(),
                        ms(seen.written)
                    ],
                )?;
                let id = tx.last_insert_rowid();
                let violation = tx.query_row(&format!("SELECT {COLUMNS} FROM violation WHERE id=?1"), [id], read)?;
                outbox::insert(tx, &letter(&violation), Some(id))?;
                Ok(Written::New(violation))
            })
            .await
    }

    /// The device has left, or came again in another story: what comes next is another violation.
    pub(crate) async fn close_violations(
        &self,
        device: String,
        but: Option<TraceId>,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                let but = but.map(|trace| trace.to_string());
                tx.execute(
                    "UPDATE violation SET open=0 WHERE device=?1 AND open=1 AND trace IS NOT ?2",
                    params![device, but],
                )
                .map(drop)
            })
            .await
    }

    /// Devices that are allowed again: what they do next is no violation of this night.
    pub(crate) async fn close_all_but(&self, blocked: Vec<String>) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                let list = serde_json::to_string(&blocked).unwrap_or_default();
                tx.execute("UPDATE violation SET open=0 WHERE open=1 AND device NOT IN (SELECT value FROM json_each(?1))", [list]).map(drop)
            })
            .await
    }

    /// The newest first, `device` or all.
    pub(crate) async fn violations(
        &self,
        limit: u32,
        device: Option<String>,
    ) -> Result<Vec<Violation>, StoreError> {
        self.db
            .read(move |db| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM violation WHERE ?2 IS NULL OR device=?2 ORDER BY id DESC LIMIT ?1"
                );
                let mut statement = db.prepare_cached(&sql)?;
                let rows = statement.query_map(params![limit, device], read)?;
                rows.collect()
            })
            .await
    }

    /// Moments of violations between two moments, with their owner.
    pub(crate) async fn violations_between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, Option<String>)>, StoreError> {
        self.db
            .read(move |db| {
                let mut statement =
                    db.prepare_cached("SELECT at,owner FROM violation WHERE at>=?1 AND at<?2")?;
                let rows = statement
                    .query_map(params![ms(from), ms(to)], |row| Ok((instant(row, 0)?, row.get(1)?)))?;
                rows.collect()
            })
            .await
    }

    /// The last violation of each device, for a look at the whole state.
    pub(crate) async fn last_violations(&self) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        self.db
            .read(|db| {
                let mut statement =
                    db.prepare_cached("SELECT device,max(at) FROM violation GROUP BY device")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, instant(row, 1)?)))?;
                rows.collect()
            })
            .await
    }
}

pub(super) fn of_trace(db: &Connection, trace: TraceId) -> Result<Vec<(Timestamp, Violation)>, SqlError> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS},written FROM violation WHERE trace=?1"))?;
    let rows = statement.query_map([trace.to_string()], |row| Ok((instant(row, 11)?, read(row)?)))?;
    rows.collect()
}

fn read(row: &Row<'_>) -> Result<Violation, SqlError> {
    let mac: Option<String> = row.get(4)?;
    Ok(Violation {
        id: row.get(0)?,
        at: instant(row, 1)?,
        device: row.get(2)?,
        name: row.get(3)?,
        mac: mac.and_then(|mac| mac.parse().ok()),
        owner: row.get(5)?,
        rule: row.get(6)?,
        action: row.get(7)?,
        verdict: tag(row, 8)?,
        trace_id: word(row, 9)?,
        notification: row.get(10)?,
    })
}
