//! What healing remembers: the audit, when each recipe was needed and used, facts from better days.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::watch::Audit;
use sanctum_store::{Db, OptionalExtension, Row, SqlError, StoreError, params};

use super::moment::Moment;
use super::recipe::Severity;
use super::undo::Undo;

const HOUR: Duration = Duration::from_hours(1);

/// One line of the audit, before it has a number.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) recipe: String,
    pub(crate) service: String,
    pub(crate) incident: Option<u64>,
    pub(crate) by: String,
    pub(crate) outcome: &'static str,
    pub(crate) detail: String,
    /// In the order in which it is to be undone.
    pub(crate) undo: Vec<Undo>,
    /// The line it belongs to: what had begun, what is undone.
    pub(crate) about: Option<i64>,
}

/// A line that can be undone.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) audit: Audit,
    pub(crate) by: String,
    pub(crate) undo: Vec<Undo>,
    /// Whether it has been undone already.
    pub(crate) undone: bool,
}

/// How a recipe has done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) last_fired: Option<Timestamp>,
    pub(crate) helped: u32,
    pub(crate) tries: u32,
}

/// What is kept; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(Db);

const COLUMNS: &str = "id, at, recipe, service, incident, outcome, detail, undo";

fn audit(row: &Row<'_>) -> Result<Audit, SqlError> {
    Ok(Audit {
        id: row.get(0)?,
        at: Timestamp::from_microsecond(row.get(1)?).unwrap_or_default(),
        recipe: row.get(2)?,
        service: row.get(3)?,
        incident: row.get(4)?,
        outcome: row.get(5)?,
        detail: row.get(6)?,
        undo: row.get(7)?,
    })
}

fn millis(period: Duration) -> i64 {
    i64::try_from(period.as_millis()).unwrap_or(i64::MAX)
}

impl Ledger {
    pub(crate) const fn new(db: Db) -> Self {
        Self(db)
    }

    /// The file it is in.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Appends a line; durable when this returns.
    pub(crate) async fn write(&self, at: Timestamp, line: Line) -> Result<i64, StoreError> {
        let incident = line.incident.and_then(|incident| i64::try_from(incident).ok());
        let words: Vec<String> = line.undo.iter().map(Undo::words).collect();
        let words = (!words.is_empty()).then(|| words.join(", then "));
        let steps = words.as_ref().and_then(|_| serde_json::to_string(&line.undo).ok());
        self.0
            .write(move |tx| {
                tx.execute(
                    "INSERT INTO heal_audit
                     (at, recipe, service, incident, asked_by, outcome, detail, undo, undo_steps, about)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                    params![
                        at.as_microsecond(),
                        line.recipe,
                        line.service,
                        incident,
                        line.by,
                        line.outcome,
                        line.detail,
                        words,
                        steps,
                        line.about
                    ],
                )?;
                Ok(tx.last_insert_rowid())
            })
            .await
    }

    /// Newest first.
    pub(crate) async fn since(&self, at: Timestamp) -> Result<Vec<Audit>, StoreError> {
        self.0
            .read(move |db| {
                let sql =
                    format!("SELECT {COLUMNS} FROM heal_audit WHERE at >= ?1 ORDER BY id DESC LIMIT 10000");
                db.prepare_cached(&sql)?.query_map([at.as_microsecond()], audit)?.collect()
            })
            .await
    }

    pub(crate) async fn find(&self, id: i64) -> Result<Option<Done>, StoreError> {
        self.0
            .read(move |db| {
                let sql = format!(
                    "SELECT {COLUMNS}, asked_by, undo_steps, EXISTS (
                        SELECT 1 FROM heal_audit AS other
                        WHERE other.outcome = 'undone' AND other.about IN (line.id, line.about)
                     ) FROM heal_audit AS line WHERE id = ?1"
                );
                let read = |row: &Row<'_>| {
                    let steps: Option<String> = row.get(9)?;
                    let undo = steps.and_then(|steps| serde_json::from_str(&steps).ok()).unwrap_or_default();
                    Ok(Done { audit: audit(row)?, by: row.get(8)?, undo, undone: row.get(10)? })
                };
                db.query_row(&sql, [id], read).optional()
            })
            .await
    }

    /// Lines that say something has begun, and nothing after it: the process ended in the middle.
    pub(crate) async fn torn(&self) -> Result<Vec<Done>, StoreError> {
        self.0
            .read(|db| {
                let sql = format!(
                    "SELECT {COLUMNS}, asked_by, undo_steps FROM heal_audit AS line WHERE outcome = 'began'
                     AND NOT EXISTS (SELECT 1 FROM heal_audit AS other WHERE other.about = line.id)"
                );
                let read = |row: &Row<'_>| {
                    let steps: Option<String> = row.get(9)?;
                    let undo = steps.and_then(|steps| serde_json::from_str(&steps).ok()).unwrap_or_default();
                    Ok(Done { audit: audit(row)?, by: row.get(8)?, undo, undone: false })
                };
                db.prepare(&sql)?.query_map([], read)?.collect()
            })
            .await
    }

    /// How every recipe has done so far.
    pub(crate) async fn records(&self) -> Result<BTreeMap<String, Record>, StoreError> {
        self.0
            .read(|db| {
                let mut records: BTreeMap<String, Record> = BTreeMap::new();
                let sql = "SELECT recipe, max(at), sum(outcome = 'acted'), count(*) FROM heal_audit
                           WHERE outcome IN ('acted', 'failed') GROUP BY recipe";
                let mut statement = db.prepare_cached(sql)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let last_fired = Timestamp::from_microsecond(row.get(1)?).ok();
                    let record = Record { last_fired, helped: row.get(2)?, tries: row.get(3)? };
                    records.insert(row.get(0)?, record);
                }
                Ok(records)
            })
            .await
    }

    /// When a recipe was last used for a service (`fired`), and when it was last needed there (`seen`).
    pub(crate) async fn pace(
        &self,
        recipe: &str,
        service: &str,
        what: &'static str,
    ) -> Result<Option<Moment>, StoreError> {
        let (recipe, service) = (recipe.to_owned(), service.to_owned());
        self.0
            .read(move |db| {
                let sql =
                    "SELECT wall, boot, up FROM heal_pace WHERE recipe = ?1 AND service = ?2 AND what = ?3";
                db.prepare_cached(sql)?.query_row(params![recipe, service, what], moment).optional()
            })
            .await
    }

    /// How often recipes of this severity were used in the last hour.
    pub(crate) async fn fires(&self, severity: Severity, now: &Moment) -> Result<u32, StoreError> {
        let word = severity.word();
        let found: Vec<Moment> = self
            .0
            .read(move |db| {
                let sql = "SELECT wall, boot, up FROM heal_fires WHERE severity = ?1";
                db.prepare_cached(sql)?.query_map([word], moment)?.collect()
            })
            .await?;
        let recent = found.iter().filter(|then| then.at_least(now) < HOUR).count();
        Ok(u32::try_from(recent).unwrap_or(u32::MAX))
    }

    /// Notes that a recipe is needed by a service, and, with a severity, that it is used now.
    pub(crate) async fn note(
        &self,
        recipe: &str,
        service: &str,
        fired: Option<Severity>,
        now: &Moment,
    ) -> Result<(), StoreError> {
        let (recipe, service, now) = (recipe.to_owned(), service.to_owned(), now.clone());
        self.0
            .write(move |tx| {
                let (wall, up) = (now.wall.as_microsecond(), millis(now.up));
                for what in ["seen", "fired"].iter().take(if fired.is_some() { 2 } else { 1 }) {
                    tx.execute(
                        "INSERT OR REPLACE INTO heal_pace (recipe, service, what, wall, boot, up)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        params![recipe, service, what, wall, now.boot, up],
                    )?;
                }
                if let Some(severity) = fired {
                    tx.execute(
                        "DELETE FROM heal_fires WHERE boot <> ?1 AND ?2 > 3600000 OR boot = ?1 AND up < ?2 - 3600000",
                        params![now.boot, up],
                    )?;
                    tx.execute(
                        "INSERT INTO heal_fires (severity, wall, boot, up) VALUES (?1, ?2, ?3, ?4)",
                        params![severity.word(), wall, now.boot, up],
                    )?;
                }
                Ok(())
            })
            .await
    }

    /// A fact by its name.
    pub(crate) async fn recall(&self, name: &str) -> Result<Option<String>, StoreError> {
        let name = name.to_owned();
        self.0
            .read(move |db| {
                db.query_row("SELECT value FROM heal_facts WHERE name = ?1", [name], |row| row.get(0))
                    .optional()
            })
            .await
    }

    pub(crate) async fn remember(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.0
            .write(move |tx| {
                tx.execute(
                    "INSERT INTO heal_facts (name, value, at) VALUES (?1, ?2, unixepoch())
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at
                     WHERE value <> excluded.value",
                    params![name, value],
                )?;
                Ok(())
            })
            .await
    }
}

fn moment(row: &Row<'_>) -> Result<Moment, SqlError> {
    let up: i64 = row.get(2)?;
    Ok(Moment {
        wall: Timestamp::from_microsecond(row.get(0)?).unwrap_or_default(),
        boot: row.get(1)?,
        up: Duration::from_millis(u64::try_from(up).unwrap_or_default()),
    })
}

/// So many days before.
pub(crate) fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MIN)
}
