//! What is written, and how: everything of one moment in one commit.

use jiff::Timestamp;
use sanctum_api::notify::Notice;
use sanctum_api::watch::{Attention, Entry, Hold, Incident, State, Verdict};
use sanctum_kernel::trace::TraceId;
use sanctum_store::{SqlError, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::engine::Outcome;

/// An incident as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Its timeline with it.
    pub(crate) wire: Incident,
    pub(crate) trace: TraceId,
    /// When a person was asked.
    pub(crate) escalated: Option<Timestamp>,
    /// What people were told last; absent while nobody was.
    pub(crate) told: Option<Told>,
}

/// What people were told of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) at: Timestamp,
    pub(crate) title: String,
    pub(crate) message: String,
    /// They have heard from here that it is locked.
    #[serde(default)]
    pub(crate) locked: bool,
}

/// A message on its way to the hub.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) at: Timestamp,
    pub(crate) trace: TraceId,
    pub(crate) notice: Notice,
    /// It tells of the lock of this service: no call any more if the supervisor has called already.
    pub(crate) claims: Option<String>,
}

/// One thing to be kept.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Transition {
        at: Timestamp,
        service: String,
        from: State,
        to: State,
        why: String,
    },
    Incident(Box<Record>),
    Entry {
        incident: i64,
        entry: Entry,
    },
    Outcome(Outcome),
    Hold {
        service: String,
        hold: Option<Hold>,
    },
    Attention(Option<Attention>),
    /// What the sentinels said last.
    Verdicts(Vec<Verdict>),
    Letter(Box<Letter>),
    /// What the engine must know again, as JSON, and when that was.
    Snapshot {
        at: Timestamp,
        json: String,
    },
}

pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

impl Write {
    pub(super) fn apply(&self, tx: &Transaction<'_>) -> Result<(), SqlError> {
        match self {
            Self::Transition { at, service, from, to, why } => tx
                .prepare_cached("INSERT INTO transition(at,service,was,now,why) VALUES(?1,?2,?3,?4,?5)")?
                .execute(params![micros(*at), service, from.word(), to.word(), why])
                .map(drop),
            Self::Incident(record) => incident(tx, record),
            Self::Entry { incident, entry } => tx
                .prepare_cached("INSERT INTO entry(incident,at,what,detail) VALUES(?1,?2,?3,?4)")?
                .execute(params![incident, micros(entry.at), entry.what, entry.detail])
                .map(drop),
            Self::Outcome(outcome) => tx
                .prepare_cached("INSERT OR REPLACE INTO outcome(service,pattern,action,tries,helped) VALUES(?1,?2,?3,?4,?5)")?
                .execute(params![outcome.service, outcome.pattern, outcome.action.word(), outcome.tries, outcome.helped])
                .map(drop),
            Self::Hold { service, hold: Some(hold) } => tx
                .prepare_cached("INSERT OR REPLACE INTO hold(service,until,author,why) VALUES(?1,?2,?3,?4)")?
                .execute(params![service, micros(hold.until), hold.by, hold.why])
                .map(drop),
            Self::Hold { service, hold: None } => {
                tx.prepare_cached("DELETE FROM hold WHERE service=?1")?.execute([service]).map(drop)
            }
            Self::Attention(attention) => meta(tx, "attention", &json(attention)),
            Self::Verdicts(verdicts) => meta(tx, "verdicts", &json(verdicts)),
            Self::Letter(letter) => tx
                .prepare_cached("INSERT INTO outbox(at,trace,notice,claims) VALUES(?1,?2,?3,?4)")?
                .execute(params![micros(letter.at), letter.trace.to_string(), json(&letter.notice), letter.claims])
                .map(drop),
            Self::Snapshot { at, json } => {
                meta(tx, "snapshot", json)?;
                meta(tx, "snapshot-at", &micros(*at).to_string())
            }
        }
    }
}

fn incident(tx: &Transaction<'_>, record: &Record) -> Result<(), SqlError> {
    let Record { wire, trace, escalated, told } = record;
    let body = Incident { timeline: Vec::new(), ..wire.clone() };
    tx.prepare_cached(
        "INSERT OR REPLACE INTO incident(id,root,fingerprint,began,detected,escalated,resolved,trace,told,body)
         VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
    )?
    .execute(params![
        wire.id,
        wire.root,
        wire.fingerprint,
        micros(wire.began),
        micros(wire.detected),
        escalated.map(micros),
        wire.resolved.map(micros),
        trace.to_string(),
        told.as_ref().map(json),
        json(&body),
    ])
    .map(drop)
}

fn meta(tx: &Transaction<'_>, key: &str, value: &str) -> Result<(), SqlError> {
    tx.prepare_cached("INSERT INTO meta(key,value) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=?2")?
        .execute([key, value])
        .map(drop)
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
