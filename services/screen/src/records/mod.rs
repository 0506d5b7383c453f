//! What has to survive a restart, in SQLite: acts, credits, requests, guests, usage, violations and unsent messages.

mod acts;
mod credits;
mod guests;
mod outbox;
mod prune;
mod requests;
mod schema;
mod usage;
mod violations;

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use sanctum_api::Moment;
use sanctum_kernel::trace::TraceId;
use sanctum_store::{Db, OptionalExtension, Row, SqlError, StoreError, params};

pub(crate) use acts::NewAct;
pub(crate) use credits::{Earning, Redemption, Spent};
pub(crate) use guests::Sighting;
pub(crate) use outbox::{Letter, Outgoing};
pub(crate) use prune::KEEP;
pub(crate) use violations::{Seen, Written};

use crate::engine::Ledger;

/// The database `screen.db`; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    db: Db,
}

/// How far back the rules look: no act without an end lasts longer than a night or two.
const LOOK_BACK_MS: i64 = 8 * 24 * 3600 * 1000;

impl Records {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Db::open(path, schema::MIGRATIONS).map(|db| Self { db })
    }

    /// Everything the engine needs to know at `now`; `listed` are the configuration's own holidays.
    pub(crate) async fn ledger(
        &self,
        now: Timestamp,
        listed: impl IntoIterator<Item = Date>,
    ) -> Result<Ledger, StoreError> {
        let mut ledger = self.db.read(move |db| ledger(db, now)).await?;
        ledger.holidays.extend(listed);
        Ok(ledger)
    }

    /// One value that is kept by name.
    pub(crate) async fn get(&self, key: &'static str) -> Result<Option<String>, StoreError> {
        self.db
            .read(move |db| {
                db.query_row("SELECT value FROM meta WHERE key=?1", [key], |row| row.get(0)).optional()
            })
            .await
    }

    pub(crate) async fn set(&self, key: &'static str, value: String) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.prepare_cached(
                    "INSERT INTO meta(key,value) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=?2",
                )?
                .execute(params![key, value])
                .map(drop)
            })
            .await
    }

    /// Replaces what was imported under a name.
    pub(crate) async fn set_holidays(
        &self,
        source: String,
        days: Vec<(Date, String)>,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                tx.execute("DELETE FROM holiday WHERE source=?1", [&source])?;
                let mut insert =
                    tx.prepare_cached("INSERT OR REPLACE INTO holiday(date,source,name) VALUES(?1,?2,?3)")?;
                days.iter().try_for_each(|(date, name)| {
                    insert.execute(params![date.to_string(), source, name]).map(drop)
                })
            })
            .await
    }

    /// Day, calendar and name of every imported holiday.
    pub(crate) async fn holidays(&self) -> Result<Vec<(Date, String, String)>, StoreError> {
        self.db.read(holidays).await
    }

    /// What this service did in a story.
    pub(crate) async fn story(&self, trace: TraceId) -> Result<Vec<Moment>, StoreError> {
        let (violations, told) = self
            .db
            .read(move |db| Ok((violations::of_trace(db, trace)?, outbox::of_trace(db, trace)?)))
            .await?;
        let moment = |at: Timestamp, what: &str, detail: String| Moment {
            at,
            service: "screen".to_owned(),
            what: what.to_owned(),
            detail,
            trace_id: trace,
        };
        let mut story: Vec<Moment> = violations
            .into_iter()
            .map(|(at, violation)| {
                let verdict = serde_json::to_value(violation.verdict)
                    .ok()
                    .and_then(|word| word.as_str().map(str::to_owned));
                let detail = format!(
                    "{}: {}; {} ({})",
                    violation.name,
                    violation.rule,
                    violation.action,
                    verdict.unwrap_or_default()
                );
                moment(at, "violation", detail)
            })
            .collect();
        story.extend(told.into_iter().map(|(at, id)| moment(at, "told", format!("notify took it as {id}"))));
        story.extend(self.acts_of(trace).await?.into_iter().map(|(at, says)| moment(at, "decided", says)));
        story.sort_by_key(|moment| moment.at);
        Ok(story)
    }
}

fn ledger(db: &sanctum_store::Connection, now: Timestamp) -> Result<Ledger, SqlError> {
    let since = ms(now) - LOOK_BACK_MS;
    Ok(Ledger {
        acts: acts::load(db, since, ms(now))?,
        holidays: holidays(db)?.into_iter().map(|(date, _, _)| date).collect(),
        guests: guests::load(db)?,
        device_minutes: usage::load(db, "device", since)?,
        person_minutes: usage::load(db, "person", since)?,
    })
}

fn holidays(db: &sanctum_store::Connection) -> Result<Vec<(Date, String, String)>, SqlError> {
    let mut statement = db.prepare_cached("SELECT date,source,name FROM holiday ORDER BY date,source")?;
    let rows = statement.query_map([], |row| Ok((day(row, 0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

/// Milliseconds since 1970.
fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

fn instant(row: &Row<'_>, column: usize) -> Result<Timestamp, SqlError> {
    Ok(Timestamp::from_millisecond(row.get(column)?).unwrap_or(Timestamp::UNIX_EPOCH))
}

fn maybe_instant(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, SqlError> {
    Ok(row.get::<_, Option<i64>>(column)?.and_then(|ms| Timestamp::from_millisecond(ms).ok()))
}

/// Text that was written by this service, read back into its type.
fn word<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> Result<T, SqlError> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| SqlError::InvalidColumnName(text))
}

fn day(row: &Row<'_>, column: usize) -> Result<Date, SqlError> {
    word(row, column)
}

/// A word of a serde enum.
fn tag<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, SqlError> {
    let text: String = row.get(column)?;
    serde_json::from_value(serde_json::Value::String(text.clone()))
        .map_err(|_| SqlError::InvalidColumnName(text))
}

/// The word of a serde enum, as [`tag`] reads it.
fn as_tag<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
