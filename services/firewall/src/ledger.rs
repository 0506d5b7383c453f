//! What survives a restart: devices, the intended state, and the steps of every story.

use jiff::Timestamp;
use sanctum_api::Moment;
use sanctum_api::firewall::Desired;
use sanctum_kernel::Paths;
use sanctum_kernel::trace::TraceId;
use sanctum_store::{Db, OptionalExtension, StoreError, params};

use crate::record::Record;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE device (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    CREATE TABLE fact (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    CREATE TABLE moment (id INTEGER PRIMARY KEY, trace TEXT NOT NULL, at TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
    CREATE INDEX moment_trace ON moment (trace);
    CREATE INDEX moment_at ON moment (at);
"];

/// The database `firewall.db`.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(Db);

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub devices: Vec<Record>,
    pub gone: Vec<String>,
    pub desired: Option<Desired>,
    pub moments: Vec<Moment>,
}

impl Entry {
    pub(crate) fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.gone.is_empty() && self.desired.is_none() && self.moments.is_empty()
    }
}

impl Ledger {
    pub(crate) fn open(paths: &Paths) -> Result<Self, StoreError> {
        Db::open(&paths.state().join("firewall.db"), MIGRATIONS).map(Self)
    }

    pub(crate) async fn load(&self) -> Result<(Vec<Record>, Desired), StoreError> {
        self.0
            .read(|db| {
                let mut query = db.prepare("SELECT id, body FROM device")?;
                let rows =
                    query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
                let mut records = Vec::new();
                for row in rows {
                    let (id, body) = row?;
                    match serde_json::from_str(&body) {
                        Ok(record) => records.push(record),
                        Err(error) => {
                            tracing::error!(%id, %error, "a kept device could not be read and is left out");
                        }
                    }
                }
                let desired: Option<String> = db
                    .query_row("SELECT body FROM fact WHERE name = 'desired'", [], |row| row.get(0))
                    .optional()?;
                let desired = desired.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
                Ok((records, desired))
            })
            .await
    }

    pub(crate) async fn write(&self, entry: Entry) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                for record in &entry.devices {
                    tx.prepare_cached(
                        "INSERT INTO device VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET body = ?2",
                    )?
                    .execute(params![record.device.id, json(record)])?;
                }
                for id in &entry.gone {
                    tx.execute("DELETE FROM device WHERE id = ?1", params![id])?;
                }
                if let Some(desired) = &entry.desired {
                    let statement =
                        "INSERT INTO fact VALUES ('desired', ?1) ON CONFLICT (name) DO UPDATE SET body = ?1";
                    tx.execute(statement, params![json(desired)])?;
                }
                for moment in &entry.moments {
                    tx.prepare_cached(
                        "INSERT INTO moment (trace, at, what, detail) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![
                        moment.trace_id.to_string(),
                        moment.at.to_string(),
                        moment.what,
                        moment.detail
                    ])?;
                }
                Ok(())
            })
            .await
    }

    /// The steps of one story, in order.
    pub(crate) async fn story(&self, trace: TraceId) -> Result<Vec<Moment>, StoreError> {
        self.0
            .read(move |db| {
                let mut query =
                    db.prepare_cached("SELECT at, what, detail FROM moment WHERE trace = ?1 ORDER BY id")?;
                let rows = query.query_map(params![trace.to_string()], |row| {
                    let at: String = row.get(0)?;
                    Ok(Moment {
                        at: at.parse().unwrap_or(Timestamp::UNIX_EPOCH),
                        service: "firewall".to_owned(),
                        what: row.get(1)?,
                        detail: row.get(2)?,
                        trace_id: trace,
                    })
                })?;
                rows.collect()
            })
            .await
    }

    /// Forgets steps from before `at`.
    pub(crate) async fn prune(&self, at: Timestamp) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                tx.execute("DELETE FROM moment WHERE at < ?1", params![at.to_string()]).map(drop)
            })
            .await
    }
}

fn json(value: &impl serde::Serialize) -> String {
    // These types hold text keys and numbers only: writing them cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}
