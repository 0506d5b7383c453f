//! What dashboards show now, and how they learn of a change.

use sanctum_api::notify::{Banner, BannerEvent};
use sanctum_http::Feed;
use sanctum_store::{Connection, OptionalExtension, Row, SqlError, Transaction, params};

use crate::rows::{acks, instant, severity_of, trace_of};

/// What a write did to the banners; published once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Change(Vec<BannerEvent>);

impl Change {
    pub(crate) fn publish(self, feed: &Feed) {
        for event in self.0 {
            let kind = if matches!(event, BannerEvent::Banner(_)) { "banner" } else { "cleared" };
            feed.publish(kind, &event);
        }
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn cleared(id: i64) -> Self {
        Self(vec![BannerEvent::Cleared { id }])
    }
}

/// More than a person can look at; the rest is in the history.
const MOST: usize = 200;

const COLUMNS: &str = "SELECT n.id, n.trace, n.severity, n.source, coalesce(l.title, n.title), coalesce(l.message, n.message), n.count, b.shown, n.undelivered
  FROM banners b JOIN notifications n ON n.id=b.id LEFT JOIN notifications l ON l.id=n.latest
  WHERE n.resolved IS NULL AND (n.snoozed IS NULL OR n.snoozed<=?1)";

fn banner(row: &Row<'_>) -> Result<Banner, SqlError> {
    Ok(Banner {
        id: row.get(0)?,
        trace_id: trace_of(&row.get::<_, String>(1)?),
        severity: severity_of(row.get(2)?),
        source: row.get(3)?,
        title: row.get(4)?,
        message: row.get(5)?,
        count: row.get(6)?,
        since: instant(row.get(7)?),
        acked: None,
        undelivered: row.get::<_, i64>(8)? != 0,
    })
}

/// Every banner shown now, worst first, then newest first.
pub(crate) fn all(db: &Connection, now: i64) -> Result<Vec<Banner>, SqlError> {
    let sql = format!("{COLUMNS} ORDER BY n.severity DESC, n.id DESC LIMIT {MOST}");
    let mut banners: Vec<Banner> =
        db.prepare_cached(&sql)?.query_map([now], banner)?.collect::<Result<_, _>>()?;
    for banner in &mut banners {
        banner.acked = acks(db, banner.id)?.into_iter().next();
    }
    Ok(banners)
}

/// The banner of one notification looks different now, if it is shown.
pub(crate) fn changed(db: &Connection, id: i64, now: i64) -> Result<Change, SqlError> {
    let sql = format!("{COLUMNS} AND n.id=?2");
    let found = db.prepare_cached(&sql)?.query_row(params![now, id], banner).optional()?;
    let Some(mut banner) = found else { return Ok(Change::default()) };
    banner.acked = acks(db, id)?.into_iter().next();
    Ok(Change(vec![BannerEvent::Banner(banner)]))
}

/// Shows the banner, and takes away those of the same thing that came before it.
pub(crate) fn replace_older(tx: &Transaction<'_>, id: i64, now: i64) -> Result<Change, SqlError> {
    let mut change = Change::default();
    let key: Option<String> = tx
        .prepare_cached("SELECT dedup_key FROM notifications WHERE id=?1")?
        .query_row([id], |row| row.get(0))
        .optional()?
        .flatten();
    if let Some(key) = key {
        let mut older = tx.prepare_cached(
            "SELECT b.id FROM notifications n JOIN banners b ON b.id=n.id WHERE n.dedup_key=?1 AND n.resolved IS NULL AND n.id<?2",
        )?;
        let older: Vec<i64> =
            older.query_map(params![key, id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for older in older {
            change = change.and(clear(tx, older)?);
        }
    }
    Ok(change.and(changed(tx, id, now)?))
}

/// Takes a banner away.
pub(crate) fn clear(tx: &Transaction<'_>, id: i64) -> Result<Change, SqlError> {
    let gone = tx.prepare_cached("DELETE FROM banners WHERE id=?1")?.execute([id])?;
    Ok(if gone > 0 { Change::cleared(id) } else { Change::default() })
}
