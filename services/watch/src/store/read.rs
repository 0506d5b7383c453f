//! What is read back: open incidents at a start, and the past for people.

use jiff::Timestamp;
use sanctum_api::watch::{Attention, Entry, Hold, Incident, State, Transition, Verdict};
use sanctum_kernel::Trace;
use sanctum_kernel::trace::TraceId;
use sanctum_store::{Connection, OptionalExtension, Row, SqlError, StoreError, params};
use serde::de::DeserializeOwned;

use super::write::micros;
use super::{Letter, Record, Store};
use crate::engine::{Action, Outcome};

/// What a restart goes on from.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The engine's own words, as JSON, and when they were written.
    pub(crate) snapshot: Option<(Timestamp, String)>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) open: Vec<Record>,
    pub(crate) holds: Vec<(String, Hold)>,
    pub(crate) attention: Option<Attention>,
    pub(crate) verdicts: Vec<Verdict>,
    /// The greatest number of an incident so far.
    pub(crate) last: i64,
}

/// An incident of the past with the same fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alike {
    pub(crate) began: Timestamp,
    pub(crate) detected: Timestamp,
    pub(crate) resolved: Option<Timestamp>,
    /// What helped then.
    pub(crate) helped: Option<String>,
}

const RECORD: &str = "SELECT body,trace,escalated,told FROM incident";

impl Store {
    pub(crate) async fn kept(&self) -> Result<Kept, StoreError> {
        self.db.read(kept).await
    }

    /// Those that began since, open ones first, then the newest.
    pub(crate) async fn incidents(&self, since: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.db
            .read(move |db| {
                let sql = format!("{RECORD} WHERE began>=?1 OR resolved IS NULL ORDER BY resolved IS NOT NULL, id DESC LIMIT 1000");
                let mut found = db.prepare_cached(&sql)?;
                found.query_map([micros(since)], record)?.collect()
            })
            .await
    }

    /// One, with its timeline.
    pub(crate) async fn incident(&self, id: i64) -> Result<Option<Record>, StoreError> {
        self.db
            .read(move |db| {
                let found = db
                    .prepare_cached(&format!("{RECORD} WHERE id=?1"))?
                    .query_row([id], record)
                    .optional()?;
                found.map(|record| with_timeline(db, record)).transpose()
            })
            .await
    }

    /// The incident of a story, with its timeline.
    pub(crate) async fn of_trace(&self, trace: TraceId) -> Result<Option<Record>, StoreError> {
        self.db
            .read(move |db| {
                let mut found = db.prepare_cached(&format!("{RECORD} WHERE trace=?1"))?;
                let found = found.query_row([trace.to_string()], record).optional()?;
                found.map(|record| with_timeline(db, record)).transpose()
            })
            .await
    }

    /// The past ones with this fingerprint, the newest first.
    pub(crate) async fn alike(
        &self,
        fingerprint: String,
        but: i64,
        since: Timestamp,
    ) -> Result<Vec<Alike>, StoreError> {
        self.db
            .read(move |db| {
                let mut found = db.prepare_cached(&format!(
                    "{RECORD} WHERE fingerprint=?1 AND id<>?2 AND began>=?3 ORDER BY began DESC"
                ))?;
                let found = found.query_map(params![fingerprint, but, micros(since)], record)?;
                found.map(|record| Ok(Alike::of(&record?.wire))).collect()
            })
            .await
    }

    /// The log of transitions since, the oldest first.
    pub(crate) async fn transitions(
        &self,
        since: Timestamp,
        service: Option<String>,
    ) -> Result<Vec<Transition>, StoreError> {
        self.db
            .read(move |db| {
                let mut found = db.prepare_cached(
                    "SELECT id,at,service,was,now,why FROM transition WHERE at>=?1 AND (?2 IS NULL OR service=?2) ORDER BY id LIMIT 10000",
                )?;
                found.query_map(params![micros(since), service], transition)?.collect()
            })
            .await
    }

    /// Letters that wait, the oldest first.
    pub(crate) async fn waiting(&self, most: u32) -> Result<Vec<(i64, Letter)>, StoreError> {
        self.db
            .read(move |db| {
                let mut found = db.prepare_cached(
                    "SELECT id,at,trace,notice,claims FROM outbox WHERE told IS NULL AND refused IS NULL ORDER BY id LIMIT ?1",
                )?;
                let found = found.query_map([most], |row| {
                    let (at, trace) = (instant(row, 1)?, trace(row, 2)?);
                    let letter = Letter { at, trace, notice: of_json(row, 3)?, claims: row.get(4)? };
                    Ok((row.get(0)?, letter))
                })?;
                found.collect()
            })
            .await
    }
}

impl Alike {
    fn of(wire: &Incident) -> Self {
        let helped = wire.tried.iter().rev().find(|tried| tried.helped == Some(true));
        Self {
            began: wire.began,
            detected: wire.detected,
            resolved: wire.resolved,
            helped: helped.map(|tried| tried.action.clone()),
        }
    }
}

fn kept(db: &Connection) -> Result<Kept, SqlError> {
    let meta = |key: &str| {
        let value = db.query_row("SELECT value FROM meta WHERE key=?1", [key], |row| row.get::<_, String>(0));
        value.optional()
    };
    let at = meta("snapshot-at")?.and_then(|at| Timestamp::from_microsecond(at.parse().ok()?).ok());
    let mut outcomes = db.prepare("SELECT service,pattern,action,tries,helped FROM outcome")?;
    let outcomes = outcomes.query_map([], |row| {
        let action: String = row.get(2)?;
        let (service, pattern) = (row.get(0)?, row.get(1)?);
        let (tries, helped) = (row.get(3)?, row.get(4)?);
        Ok(Action::parse(&action).map(|action| Outcome { service, pattern, action, tries, helped }))
    })?;
    let mut open = db.prepare(&format!("{RECORD} WHERE resolved IS NULL ORDER BY id"))?;
    let open = open.query_map([], record)?.map(|record| with_timeline(db, record?));
    let mut holds = db.prepare("SELECT service,until,author,why FROM hold")?;
    let holds = holds.query_map([], |row| {
        Ok((row.get(0)?, Hold { until: instant(row, 1)?, by: row.get(2)?, why: row.get(3)? }))
    })?;
    Ok(Kept {
        snapshot: meta("snapshot")?.and_then(|json| Some((at?, json))),
        outcomes: outcomes.filter_map(Result::transpose).collect::<Result<_, _>>()?,
        open: open.collect::<Result<_, _>>()?,
        holds: holds.collect::<Result<_, _>>()?,
        attention: meta("attention")?.and_then(|json| serde_json::from_str(&json).ok()),
        verdicts: meta("verdicts")?.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default(),
        last: db.query_row("SELECT coalesce(max(id),0) FROM incident", [], |row| row.get(0))?,
    })
}

fn record(row: &Row<'_>) -> Result<Record, SqlError> {
    let told: Option<String> = row.get(3)?;
    Ok(Record {
        wire: of_json(row, 0)?,
        trace: trace(row, 1)?,
        escalated: row.get::<_, Option<i64>>(2)?.and_then(|at| Timestamp::from_microsecond(at).ok()),
        told: told.and_then(|told| serde_json::from_str(&told).ok()),
    })
}

fn with_timeline(db: &Connection, mut record: Record) -> Result<Record, SqlError> {
    let mut entries = db.prepare_cached("SELECT at,what,detail FROM entry WHERE incident=?1 ORDER BY id")?;
    let entries = entries.query_map([record.wire.id], |row| {
        Ok(Entry { at: instant(row, 0)?, what: row.get(1)?, detail: row.get(2)? })
    })?;
    record.wire.timeline = entries.collect::<Result<_, _>>()?;
    Ok(record)
}

fn transition(row: &Row<'_>) -> Result<Transition, SqlError> {
    Ok(Transition {
        id: row.get(0)?,
        at: instant(row, 1)?,
        service: row.get(2)?,
        from: state(row, 3)?,
        to: state(row, 4)?,
        why: row.get(5)?,
    })
}

fn state(row: &Row<'_>, column: usize) -> Result<State, SqlError> {
    let word: String = row.get(column)?;
    let all = [State::Healthy, State::Unknown, State::Drift, State::Failed, State::Blocked];
    all.into_iter().find(|state| state.word() == word).ok_or(SqlError::InvalidColumnName(word))
}

fn instant(row: &Row<'_>, column: usize) -> Result<Timestamp, SqlError> {
    Ok(Timestamp::from_microsecond(row.get(column)?).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn trace(row: &Row<'_>, column: usize) -> Result<TraceId, SqlError> {
    let text: String = row.get(column)?;
    Ok(text.parse().unwrap_or_else(|_| Trace::start().id()))
}

fn of_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, SqlError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| SqlError::InvalidQuery)
}
