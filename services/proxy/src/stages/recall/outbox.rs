//! What was said waits in a table until the memory service has taken it: a crash tells nothing twice and loses nothing.

use std::sync::Arc;
use std::time::Duration;

use sanctum_kernel::{Failure, Nudge, Stop};
use sanctum_store::{Db, OptionalExtension, StoreError, params};

use super::{Recall, Said};

/// The table; a migration of the service's database.
pub const OUTBOX: &str = "CREATE TABLE memory_outbox(
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0)";

/// How often the table is looked at without a nudge.
const PERIOD: Duration = Duration::from_secs(5);
/// One telling may take this long; nobody waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The pauses between tries, in milliseconds, doubled up to a quarter of an hour.
const PAUSE: i64 = 1000;
const LONGEST: i64 = 900_000;
/// Told again and again for about a day, then given up.
const TRIES: i64 = 100;

/// Durable, bounded, idempotent. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    pub(super) db: Db,
    pub(super) nudge: Arc<Nudge>,
}

#[derive(Debug)]
struct Row {
    id: i64,
    key: String,
    body: String,
    tries: i64,
}

impl Outbox {
    /// `db` has the table of [`OUTBOX`].
    pub fn new(db: Db) -> Self {
        Self { db, nudge: Arc::default() }
    }

    /// Keeps what was said; durable when it returns. The same key is kept once. A full table gives up its oldest row.
    pub async fn after(&self, recall: &Recall, said: Said) -> Result<(), StoreError> {
        if !recall.listens(&said.agent) {
            return Ok(());
        }
        let most = i64::from(recall.config.waiting.max(1));
        let Ok(body) = serde_json::to_string(&said) else { return Ok(()) };
        let given_up = self
            .db
            .write(move |tx| {
                tx.execute(
                    "INSERT OR IGNORE INTO memory_outbox(key, body) VALUES(?1, ?2)",
                    params![said.key, body],
                )?;
                tx.execute(
                    "DELETE FROM memory_outbox WHERE id <=
                     (SELECT id FROM memory_outbox ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                    params![most],
                )
            })
            .await?;
        if given_up > 0 {
            tracing::warn!(
                given_up,
                "memory has not taken what was said for so long that the oldest was given up"
            );
        }
        self.nudge.nudge();
        Ok(())
    }

    /// How many wait.
    pub async fn waiting(&self) -> Result<u64, StoreError> {
        let count = |c: &sanctum_store::Connection| {
            c.query_row("SELECT count(*) FROM memory_outbox", [], |row| row.get::<_, i64>(0))
        };
        Ok(u64::try_from(self.db.read(count).await?).unwrap_or(0))
    }

    /// Tells what waits, until stopped. `recall` is the configuration in force.
    pub async fn run(self, recall: impl Fn() -> Arc<Recall>, stop: Stop) -> Result<(), Failure> {
        let nudge = Arc::clone(&self.nudge);
        sanctum_kernel::reconcile::reconcile(&stop, PERIOD, &nudge, || {
            let (outbox, recall) = (self.clone(), recall());
            async move { outbox.tell(&recall).await }
        })
        .await;
        Ok(())
    }

    /// Tells everything that is due. Who does not answer is not asked for the rest.
    pub(super) async fn tell(&self, recall: &Recall) -> Result<(), Failure> {
        if recall.config.url.is_none() {
            return Ok(());
        }
        loop {
            let now = recall.clock.now().as_millisecond();
            let next = self.db.read(move |c| {
                c.query_row(
                    "SELECT id, key, body, tries FROM memory_outbox WHERE due <= ?1 ORDER BY id LIMIT 1",
                    params![now],
                    |row| {
                        Ok(Row { id: row.get(0)?, key: row.get(1)?, body: row.get(2)?, tries: row.get(3)? })
                    },
                )
                .optional()
            });
            let Some(row) = next.await? else { return Ok(()) };
            let outgoing = recall.outgoing("/ingest", row.body.into_bytes(), Some(&row.key), TIMEOUT);
            let outcome = recall.outbound.send(outgoing).await;
            let status = outcome.as_ref().map_or(0, |answer| answer.status);
            // What it has is taken; what it will never take is not kept for it.
            let settled = matches!(status, 200..=299 | 409) || row.tries >= TRIES;
            let refused = matches!(status, 400 | 413 | 415 | 422);
            if refused {
                tracing::warn!(status, "memory does not take what was said");
            }
            let id = row.id;
            if settled || refused {
                self.db.write(move |tx| tx.execute("DELETE FROM memory_outbox WHERE id=?1", [id])).await?;
                continue;
            }
            let nobody = matches!(status, 0 | 429 | 502 | 503 | 504);
            let pause = (PAUSE << row.tries.clamp(0, 20)).min(LONGEST);
            self.db
                .write(move |tx| {
                    let sql = "UPDATE memory_outbox SET tries=tries+1, due=?2 WHERE id=?1";
                    tx.execute(sql, params![id, now + pause])?;
                    if nobody {
                        // The others need not find out one by one.
                        tx.execute("UPDATE memory_outbox SET due=max(due, ?1)", params![now + pause])?;
                    }
                    Ok(())
                })
                .await?;
        }
    }
}
