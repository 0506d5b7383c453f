//! Exchanges wait here until they are read into notes: durable before they are answered for, one by its key.

use jiff::Timestamp;
use sanctum_api::memory::Exchange;
use sanctum_store::{Db, OptionalExtension, StoreError, params};
use serde::{Deserialize, Serialize};

/// The pauses between tries, in milliseconds, doubled up to a quarter of an hour.
const PAUSE: i64 = 1000;
const LONGEST: i64 = 900_000;

/// What became of bringing an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    New,
    Repeated,
    /// Too many wait.
    Full,
}

/// What is kept of an exchange until it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// Cleaned: see [`super::spoken::clean`].
    pub(crate) exchange: Exchange,
    /// Some of the answer had just been recalled, and was left out.
    #[serde(default)]
    pub(crate) echoed: bool,
}

/// One that waits.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) id: i64,
    pub(crate) session: String,
    pub(crate) said: Said,
    tries: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Queue {
    db: Db,
}

impl Queue {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Whether an exchange of this key was here before.
    pub(crate) async fn knows(&self, key: &str) -> Result<bool, StoreError> {
        let key = key.to_owned();
        let ask = move |db: &sanctum_store::Connection| {
            db.prepare_cached("SELECT 1 FROM queue WHERE key=?1")?.query_row([key], |_| Ok(())).optional()
        };
        Ok(self.db.read(ask).await?.is_some())
    }

    /// Durable when it returns. An exchange that says no conversation belongs to that of its agent's last, if that is not
    /// longer ago than `pause` milliseconds.
    pub(crate) async fn keep(&self, said: Said, pause: i64, most: u32) -> Result<Kept, StoreError> {
        let Ok(body) = serde_json::to_string(&said) else { return Ok(Kept::Repeated) };
        let exchange = said.exchange;
        self.db
            .write(move |tx| {
                let known = tx
                    .prepare_cached("SELECT 1 FROM queue WHERE key=?1")?
                    .query_row([&exchange.key], |_| Ok(()));
                if known.optional()?.is_some() {
                    return Ok(Kept::Repeated);
                }
                let waiting: i64 = tx
                    .prepare_cached("SELECT count(*) FROM queue WHERE done IS NULL")?
                    .query_row([], |row| row.get(0))?;
                if waiting >= i64::from(most.max(1)) {
                    return Ok(Kept::Full);
                }
                let session = match exchange.session.clone().filter(|session| !session.trim().is_empty()) {
                    Some(session) => session,
                    None => conversation(tx, &exchange, pause)?,
                };
                tx.prepare_cached(
                    "INSERT INTO queue(key, agent, at, session, body) VALUES(?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    exchange.key,
                    exchange.agent,
                    exchange.at,
                    session,
                    body
                ])?;
                Ok(Kept::New)
            })
            .await
    }

    /// The oldest that are due.
    pub(crate) async fn due(&self, now: Timestamp, most: u32) -> Result<Vec<Waiting>, StoreError> {
        let now = now.as_millisecond();
        self.db
            .read(move |db| {
                let mut ask = db.prepare_cached(
                    "SELECT id, session, body, tries FROM queue WHERE done IS NULL AND due <= ?1 ORDER BY id LIMIT ?2",
                )?;
                let rows = ask.query_map(params![now, most], |row| {
                    let body: Option<String> = row.get(2)?;
                    let said = body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
                    Ok(Waiting { id: row.get(0)?, session: row.get(1)?, said, tries: row.get(3)? })
                })?;
                rows.collect()
            })
            .await
    }

    /// It was read; what it says is in a note now, or nowhere, and only its key is kept.
    pub(crate) async fn done(
        &self,
        id: i64,
        now: Timestamp,
        outcome: &str,
        note: Option<String>,
    ) -> Result<(), StoreError> {
        let (now, outcome) = (now.as_millisecond(), outcome.to_owned());
        self.db
            .write(move |tx| {
                tx.prepare_cached("UPDATE queue SET done=?2, outcome=?3, note=?4, body=NULL WHERE id=?1")?
                    .execute(params![id, now, outcome, note])
            })
            .await?;
        Ok(())
    }

    /// It could not be read now; it is tried again after a pause that grows.
    pub(crate) async fn later(&self, waiting: &Waiting, now: Timestamp) -> Result<(), StoreError> {
        let pause = (PAUSE << waiting.tries.clamp(0, 20)).min(LONGEST);
        let (id, due) = (waiting.id, now.as_millisecond() + pause);
        let sql = "UPDATE queue SET tries=tries+1, due=?2 WHERE id=?1";
        self.db.write(move |tx| tx.prepare_cached(sql)?.execute(params![id, due])).await?;
        Ok(())
    }

    /// How many wait.
    pub(crate) async fn waiting(&self) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM queue WHERE done IS NULL";
        self.db.read(move |db| db.prepare_cached(sql)?.query_row([], |row| row.get(0))).await
    }

    /// Forgets keys of exchanges that were read before `before`.
    pub(crate) async fn forget(&self, before: Timestamp) -> Result<(), StoreError> {
        let before = before.as_millisecond();
        self.db
            .write(move |tx| {
                tx.execute("DELETE FROM queue WHERE done IS NOT NULL AND done < ?1", [before])?;
                tx.execute("DELETE FROM starts WHERE last < ?1", [before])
            })
            .await?;
        Ok(())
    }

    /// Counts that an agent came with this beginning, and says how often it had before.
    pub(crate) async fn began(&self, agent: &str, head: u128, now: Timestamp) -> Result<u32, StoreError> {
        let (agent, head, now) = (agent.to_owned(), head.to_be_bytes(), now.as_millisecond());
        self.db
            .write_soon(move |tx| {
                tx.prepare_cached(
                    "INSERT INTO starts(agent, head, seen, last) VALUES(?1, ?2, 1, ?3)
                     ON CONFLICT DO UPDATE SET seen=seen+1, last=?3 RETURNING seen - 1",
                )?
                .query_row(params![agent, head, now], |row| row.get(0))
            })
            .await
    }
}

/// The conversation an agent is in, or a new one.
fn conversation(
    tx: &sanctum_store::Transaction<'_>,
    exchange: &Exchange,
    pause: i64,
) -> Result<String, sanctum_store::SqlError> {
    let mut ask = tx.prepare_cached(
        "SELECT session FROM queue WHERE agent=?1 AND at BETWEEN ?2 AND ?3 ORDER BY at DESC, id DESC LIMIT 1",
    )?;
    let last: Option<String> = ask
        .query_row(params![exchange.agent, exchange.at - pause, exchange.at + pause], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or_else(|| format!("{}:{}", exchange.agent, exchange.at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn said(key: &str, agent: &str, at: i64) -> Said {
        Said { exchange: exchange(key, agent, at), echoed: false }
    }

    fn exchange(key: &str, agent: &str, at: i64) -> Exchange {
        Exchange {
            key: key.into(),
            agent: agent.into(),
            at,
            user: format!("user {key}"),
            ..Exchange::default()
        }
    }

    fn open() -> (Queue, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("ingest.db"), super::super::schema::MIGRATIONS).unwrap();
        (Queue::new(db), dir)
    }

    #[tokio::test]
    async fn a_key_is_kept_once_even_after_it_was_read_and_a_full_queue_refuses() {
        let (queue, _dir) = open();
        assert_eq!(queue.keep(said("a", "yoda", 0), 1000, 2).await.unwrap(), Kept::New);
        assert_eq!(queue.keep(said("a", "yoda", 0), 1000, 2).await.unwrap(), Kept::Repeated);
        assert_eq!(queue.keep(said("b", "yoda", 10), 1000, 2).await.unwrap(), Kept::New);
        assert_eq!(queue.keep(said("c", "yoda", 10), 1000, 2).await.unwrap(), Kept::Full);
        let due = queue.due(NOW, 10).await.unwrap();
        assert_eq!(due.iter().map(|one| &*one.said.exchange.key).collect::<Vec<_>>(), ["a", "b"]);
        queue.done(due[0].id, NOW, "created", Some("n-1".into())).await.unwrap();
        assert_eq!((queue.waiting().await.unwrap(), queue.knows("a").await.unwrap()), (1, true));
        assert_eq!(queue.keep(said("a", "yoda", 0), 1000, 2).await.unwrap(), Kept::Repeated);
        assert_eq!(queue.keep(said("c", "yoda", 10), 1000, 2).await.unwrap(), Kept::New);
        queue.forget(Timestamp::from_second(1).unwrap()).await.unwrap();
        assert!(!queue.knows("a").await.unwrap());
    }

    #[tokio::test]
    async fn exchanges_without_a_long_pause_are_one_conversation() {
        let (queue, _dir) = open();
        for (key, agent, at) in [
            ("a", "yoda", 0),
            ("b", "yoda", 900),
            ("c", "yoda", 1800),
            ("d", "yoda", 9000),
            ("e", "windu", 900),
        ] {
            queue.keep(said(key, agent, at), 1000, 100).await.unwrap();
        }
        let named = Said {
            exchange: Exchange { session: Some("mine".into()), ..exchange("f", "yoda", 9100) },
            echoed: false,
        };
        queue.keep(named, 1000, 100).await.unwrap();
        let sessions: Vec<String> =
            queue.due(NOW, 10).await.unwrap().into_iter().map(|one| one.session).collect();
        assert_eq!(sessions, ["yoda:0", "yoda:0", "yoda:0", "yoda:9000", "windu:900", "mine"]);
    }

    #[tokio::test]
    async fn what_fails_waits_longer_each_time_and_does_not_stop_the_others() {
        let (queue, _dir) = open();
        queue.keep(said("a", "yoda", 0), 1000, 100).await.unwrap();
        queue.keep(said("b", "yoda", 0), 1000, 100).await.unwrap();
        let first = queue.due(NOW, 1).await.unwrap().remove(0);
        queue.later(&first, NOW).await.unwrap();
        assert_eq!(&*queue.due(NOW, 1).await.unwrap()[0].said.exchange.key, "b");
        let after = Timestamp::from_millisecond(1000).unwrap();
        let again = queue.due(after, 1).await.unwrap().remove(0);
        assert_eq!(&*again.said.exchange.key, "a");
        queue.later(&again, after).await.unwrap();
        assert_eq!(
            &*queue.due(Timestamp::from_millisecond(2999).unwrap(), 1).await.unwrap()[0].said.exchange.key,
            "b"
        );
    }

    #[tokio::test]
    async fn beginnings_are_counted_for_each_agent() {
        let (queue, _dir) = open();
        for before in 0..3 {
            assert_eq!(queue.began("yoda", 7, NOW).await.unwrap(), before);
        }
        assert_eq!(
            (queue.began("windu", 7, NOW).await.unwrap(), queue.began("yoda", 8, NOW).await.unwrap()),
            (0, 0)
        );
    }
}
