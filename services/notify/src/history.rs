//! The history: pages, search, and how long it is kept.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::notify::{Page, Severity};
use sanctum_kernel::{Failure, Stop};
use sanctum_store::{Connection, OptionalExtension, SqlError, ToSql, Transaction};

use crate::hub::Hub;
use crate::rows::{life, severity_number};
use crate::spread;

/// What to look for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    pub(crate) severity: Option<Severity>,
    pub(crate) source: Option<String>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) words: Option<String>,
    pub(crate) undelivered: bool,
    pub(crate) limit: usize,
    /// Only older than this one.
    pub(crate) before: Option<i64>,
}

/// Rows indexed in one go, so that others may write in between.
const BATCH: i64 = 500;
/// How often new words are indexed and old rows dropped.
const PERIOD: Duration = Duration::from_mins(1);

/// Brings the indexes of words and traces up to the newest notification; returns whether there is more.
fn index(tx: &Transaction<'_>) -> Result<bool, SqlError> {
    let from: i64 = tx
        .query_row("SELECT value FROM marks WHERE name='words'", [], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let until: Option<i64> = tx.query_row(
        "SELECT max(id) FROM (SELECT id FROM notifications WHERE id>?1 ORDER BY id LIMIT ?2)",
        [from, BATCH],
        |row| row.get(0),
    )?;
    let Some(until) = until else { return Ok(false) };
    spread::between(tx, from, until)?;
    tx.execute(
        "INSERT INTO words(rowid, source, title, message) SELECT id, source, title, message FROM notifications WHERE id>?1 AND id<=?2",
        [from, until],
    )?;
    tx.execute(
        "INSERT OR IGNORE INTO traces(trace, id) SELECT trace, id FROM notifications WHERE id>?1 AND id<=?2",
        [from, until],
    )?;
    tx.execute("INSERT OR REPLACE INTO marks(name, value) VALUES('words', ?1)", [until])?;
    Ok(until - from >= BATCH)
}

/// Drops what is older than `oldest`, a batch at a time, but nothing that is still on its way.
fn forget(tx: &Transaction<'_>, oldest: i64) -> Result<bool, SqlError> {
    // The oldest come first; a look at all would read the whole history to find that nothing is old.
    let mut old = tx.prepare_cached(
        "SELECT id FROM (SELECT id, accepted FROM notifications ORDER BY id LIMIT 500) n
         WHERE accepted<?1 AND id<=(SELECT coalesce(max(value), 0) FROM marks WHERE name='words')
         AND NOT EXISTS(SELECT 1 FROM deliveries d WHERE d.notification=n.id AND d.state IN (0, 1, 2))",
    )?;
    let old: Vec<i64> = old.query_map([oldest], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in &old {
        tx.execute(
            "INSERT INTO words(words, rowid, source, title, message) SELECT 'delete', id, source, title, message FROM notifications WHERE id=?1",
            [id],
        )?;
        tx.execute(
            "DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE notification=?1)",
            [id],
        )?;
        tx.execute(
            "DELETE FROM traces WHERE trace=(SELECT trace FROM notifications WHERE id=?1) AND id=?1",
            [id],
        )?;
        for table in [
            "deliveries WHERE notification",
            "acks WHERE notification",
            "banners WHERE id",
            "notifications WHERE id",
        ] {
            tx.execute(&format!("DELETE FROM {table}=?1"), [id])?;
        }
    }
    tx.execute("DELETE FROM keys WHERE at<?1", [oldest])?;
    tx.execute("DELETE FROM rate WHERE hour<?1", [oldest / 1_000_000])?;
    Ok(old.len() == 500)
}

/// Indexes and forgets until stopped.
pub(crate) async fn keep(hub: Arc<Hub>, stop: Stop) -> Result<(), Failure> {
    let nudge = sanctum_kernel::Nudge::default();
    sanctum_kernel::reconcile::reconcile(&stop, PERIOD, &nudge, || {
        let hub = Arc::clone(&hub);
        async move {
            if hub.is_busy() {
                // Who searches has it indexed at once; this has time until the rush is over.
                return Ok(());
            }
            while hub.db.write_soon(index).await? {}
            let keep = SignedDuration::try_from(hub.rules.config.keep.0).unwrap_or(SignedDuration::MAX);
            let oldest = hub.now().saturating_sub(keep).map_or(i64::MIN, Timestamp::as_microsecond);
            while hub.db.write_soon(move |tx| forget(tx, oldest)).await? {}
            Ok(())
        }
    })
    .await;
    Ok(())
}

/// Each word as a prefix, all must be there; quoted, so that nothing in it is an operator of the index.
fn query(words: &str) -> String {
    let quoted = words.split_whitespace().map(|word| format!("\"{}\"*", word.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(" ")
}

/// A page, newest first.
pub(crate) async fn page(hub: &Arc<Hub>, search: Search) -> Result<Page, sanctum_store::StoreError> {
    if search.words.is_some() {
        while hub.db.write_soon(index).await? {}
    }
    let search = Arc::new(search);
    let find = || {
        let search = Arc::clone(&search);
        hub.db.read(move |db| find(db, &search))
    };
    let page = find().await?;
    let ids = page.notifications.iter().map(|life| life.id).collect();
    if spread::of(hub, ids).await? { find().await } else { Ok(page) }
}

fn find(db: &Connection, search: &Search) -> Result<Page, SqlError> {
    let mut sql = "SELECT n.id FROM notifications n WHERE 1".to_owned();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut also = |condition: &str, value: Box<dyn ToSql>| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(severity) = search.severity {
        also("n.severity=?", Box::new(severity_number(severity)));
    }
    if let Some(source) = &search.source {
        also("n.source=?", Box::new(source.clone()));
    }
    if let Some(since) = search.since {
        also("n.accepted>=?", Box::new(since.as_microsecond()));
    }
    if let Some(until) = search.until {
        also("n.accepted<?", Box::new(until.as_microsecond()));
    }
    if let Some(before) = search.before {
        also("n.id<?", Box::new(before));
    }
    if search.undelivered {
        also("n.undelivered=?", Box::new(1));
    }
    if let Some(words) = search.words.as_deref().map(query).filter(|query| !query.is_empty()) {
        also("n.id IN (SELECT rowid FROM words WHERE words MATCH ?)", Box::new(words));
    }
    also("1 ORDER BY n.id DESC LIMIT ?", Box::new(i64::try_from(search.limit + 1).unwrap_or(i64::MAX)));
    let values: Vec<&dyn ToSql> = values.iter().map(|value| &**value).collect();
    let mut ids: Vec<i64> =
        db.prepare_cached(&sql)?.query_map(values.as_slice(), |row| row.get(0))?.collect::<Result<_, _>>()?;
    let more = ids.len() > search.limit;
    ids.truncate(search.limit);
    let next = ids.last().filter(|_| more).map(ToString::to_string);
    let mut notifications = Vec::new();
    for id in ids {
        notifications.extend(life(db, id)?);
    }
    Ok(Page { notifications, next })
}

/// The notifications of one story, in order.
pub(crate) async fn of_trace(hub: &Arc<Hub>, trace: String) -> Result<Vec<i64>, sanctum_store::StoreError> {
    while hub.db.write_soon(index).await? {}
    hub.db
        .read(move |db| {
            let mut ids = db.prepare_cached("SELECT id FROM traces WHERE trace=?1 ORDER BY id LIMIT 100")?;
            ids.query_map([trace], |row| row.get(0))?.collect()
        })
        .await
}
