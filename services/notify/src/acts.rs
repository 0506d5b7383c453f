//! What people do with a notification: acknowledge, snooze, resolve.

use std::sync::Arc;

use jiff::Timestamp;
use sanctum_api::notify::Notification;
use sanctum_kernel::OnError;
use sanctum_store::{OptionalExtension, SqlError, StoreError, params};
use tokio::sync::mpsc;

use crate::accept::After;
use crate::banners;
use crate::channels::Heard;
use crate::hub::Hub;
use crate::message::Phase;
use crate::{resolve, rows, spread};

/// Reports of all channels that are not yet taken in; beyond that a channel waits.
const INBOX: usize = 256;

/// Somebody takes note, by way of `channel`. Doing it twice changes nothing. `None` if there is no such notification.
pub(crate) async fn ack(
    hub: &Arc<Hub>,
    id: i64,
    who: String,
    channel: String,
) -> Result<Option<Notification>, StoreError> {
    let within = Arc::clone(hub);
    let (life, after) = hub
        .db
        .write(move |tx| {
            let mut after = After::default();
            if !exists(tx, id)? {
                return Ok((None, after));
            }
            let now = within.now().as_microsecond();
            let new = tx.execute(
                "INSERT OR IGNORE INTO acks(notification, who, channel, at) VALUES(?1, ?2, ?3, ?4)",
                params![id, who, channel, now],
            )?;
            if new > 0 {
                let word = format!("acknowledged by {who}");
                resolve::follow(tx, &within, (id, id), Phase::Acked, &word, &mut after)?;
                after.change = std::mem::take(&mut after.change).and(banners::changed(tx, id, now)?);
            }
            Ok((rows::life(tx, id)?, after))
        })
        .await?;
    after.run(hub);
    Ok(life)
}

/// Not now: hidden until then, and told again if it is not over.
pub(crate) async fn snooze(
    hub: &Arc<Hub>,
    id: i64,
    until: Timestamp,
) -> Result<Option<Notification>, StoreError> {
    let (life, after) = hub
        .db
        .write(move |tx| {
            let due = until.as_microsecond();
            let found = tx.execute("UPDATE notifications SET snoozed=?2 WHERE id=?1", params![id, due])?;
            if found == 0 {
                return Ok((None, After::default()));
            }
            tx.execute(
                "INSERT OR REPLACE INTO timers(kind, name, due) VALUES('snooze', ?1, ?2)",
                params![id, due],
            )?;
            spread::one(tx, id)?;
            let after = After { timers: true, change: banners::Change::cleared(id), ..After::default() };
            Ok((rows::life(tx, id)?, after))
        })
        .await?;
    after.run(hub);
    Ok(life)
}

/// It is over, says somebody.
pub(crate) async fn over(hub: &Arc<Hub>, id: i64, who: String) -> Result<Option<Notification>, StoreError> {
    let within = Arc::clone(hub);
    let (life, after) = hub
        .db
        .write(move |tx| {
            let mut after = After::default();
            if !exists(tx, id)? {
                return Ok((None, after));
            }
            resolve::end(tx, &within, (id, id), within.now(), Some(&who), &mut after)?;
            Ok((rows::life(tx, id)?, after))
        })
        .await?;
    after.run(hub);
    Ok(life)
}

fn exists(db: &sanctum_store::Connection, id: i64) -> Result<bool, SqlError> {
    db.prepare_cached("SELECT EXISTS(SELECT 1 FROM notifications WHERE id=?1)")?
        .query_row([id], |row| row.get(0))
}

/// Takes in what channels hear: receipts and acknowledgements.
pub(crate) fn listen(hub: &Arc<Hub>) {
    let (inbox, mut heard) = mpsc::channel(INBOX);
    for line in hub.lines.values() {
        let (channel, name, inbox) = (Arc::clone(&line.channel), line.name.clone(), inbox.clone());
        hub.shared.tasks.spawn("listen", OnError::Log, |stop| async move {
            if let Some(listening) = channel.confirm(name, inbox, stop) {
                listening.await;
            }
            Ok(())
        });
    }
    let within = Arc::clone(hub);
    hub.shared.tasks.spawn("inbox", OnError::Log, |stop| async move {
        while let Some(Some((channel, heard))) = stop.or(heard.recv()).await {
            if let Err(error) = take_in(&within, channel, heard).await {
                tracing::warn!(%error, "what a channel heard could not be kept");
            }
        }
        Ok(())
    });
}

async fn take_in(hub: &Arc<Hub>, channel: String, heard: Heard) -> Result<(), StoreError> {
    match heard {
        Heard::Confirmed { far_id } => {
            let now = hub.now().as_microsecond();
            let confirm = hub.db.write_soon(move |tx| {
                let mut confirm = tx.prepare_cached(
                    "UPDATE deliveries SET confirmed=?3 WHERE channel=?1 AND far_id=?2 AND confirmed IS NULL AND created>?3-7*86400000000",
                )?;
                confirm.execute(params![channel, far_id, now])
            });
            confirm.await.map(drop)
        }
        Heard::AckedNumber { id, who } => ack(hub, id, who, channel).await.map(drop),
        Heard::AckedMessage { far_id, who } => {
            let name = channel.clone();
            let id = hub.db.read(move |db| {
                db.prepare_cached("SELECT notification FROM deliveries WHERE channel=?1 AND far_id=?2 ORDER BY id DESC LIMIT 1")?
                    .query_row(params![name, far_id], |row| row.get(0))
                    .optional()
            });
            match id.await? {
                Some(id) => ack(hub, id, who, channel).await.map(drop),
                None => Ok(()),
            }
        }
    }
}
