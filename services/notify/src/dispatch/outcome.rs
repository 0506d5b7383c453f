//! What came of attempts, written in groups.

use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::trace::random;
use sanctum_store::{SqlError, Transaction, params};

use super::{backoff, queue};
use crate::channels::{Receipt, SendError};
use crate::config::Delivery;
use crate::message::{Message, Phase};
use crate::schema::state;

/// One attempt that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) message: Message,
    pub(crate) ended: Timestamp,
    pub(crate) outcome: Result<Receipt, SendError>,
}

/// What the hub must speak of itself.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Notifications that no channel took.
    pub(crate) undelivered: Vec<i64>,
    /// Deliveries that were given up, with the reason.
    pub(crate) dead: u32,
    /// Ends may follow now.
    pub(crate) unblocked: bool,
}

/// Writes what came of them.
pub(crate) fn settle(
    tx: &Transaction<'_>,
    channel: &str,
    config: &Delivery,
    done: &[Done],
) -> Result<News, SqlError> {
    let mut news = News::default();
    for done in done {
        let died = one(tx, config, done)?;
        if died {
            news.dead += 1;
            queue::spare(tx, done.message.delivery)?;
            news.undelivered.extend(exhausted(tx, done.message.delivery)?);
        }
    }
    if done.iter().any(|done| done.message.phase == Phase::Fire) {
        news.unblocked = queue::waits(tx, channel)?;
    }
    let success =
        done.iter().filter(|done| done.outcome.is_ok()).map(|done| done.ended.as_microsecond()).max();
    let error = done.iter().rev().find_map(|done| done.outcome.as_ref().err()).map(ToString::to_string);
    let mut standing = tx.prepare_cached(
        "INSERT INTO standing(channel, success, error) VALUES(?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET success=coalesce(?2, success), error=CASE WHEN ?3 IS NULL THEN NULL ELSE ?3 END",
    )?;
    standing.execute(params![channel, success, error])?;
    Ok(news)
}

/// Returns whether the delivery was given up.
fn one(tx: &Transaction<'_>, config: &Delivery, done: &Done) -> Result<bool, SqlError> {
    let message = &done.message;
    let ended = done.ended.as_microsecond();
    let number = message.tries + 1;
    let (state, due, outcome, far_id, confirmed) = match &done.outcome {
        Ok(receipt) => {
            let confirmed = receipt.confirmed.then_some(ended);
            (state::DELIVERED, ended, "delivered".to_owned(), receipt.far_id.as_deref(), confirmed)
        }
        Err(error @ SendError::Later { after, .. }) => {
            let age = done.ended.duration_since(message.since);
            let given_up = age >= SignedDuration::try_from(config.give_up.0).unwrap_or(SignedDuration::MAX)
                && message.tries > message.spent;
            let [chance] = random::<1>();
            let wait = after.map_or_else(
                || backoff(config, number.saturating_sub(message.spent), chance),
                |after| after.max(config.first_wait.0),
            );
            let due = done
                .ended
                .saturating_add(SignedDuration::try_from(wait).unwrap_or_default())
                .unwrap_or(done.ended);
            (
                if given_up { state::DEAD } else { state::FAILED },
                due.as_microsecond(),
                error.to_string(),
                None,
                None,
            )
        }
        Err(error) => (state::DEAD, ended, error.to_string(), None, None),
    };
    tx.prepare_cached("INSERT OR REPLACE INTO attempts(delivery, number, started, ended, outcome, far_id) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![message.delivery, number, message.now.as_microsecond(), ended, outcome, far_id])?;
    tx.prepare_cached("UPDATE deliveries SET state=?2, due=?3, tries=?4, started=NULL, far_id=?5, confirmed=coalesce(?6, confirmed) WHERE id=?1")?
        .execute(params![message.delivery, state, due, number, far_id, confirmed])?;
    Ok(state == state::DEAD)
}

/// The notification of this delivery, if that was the last way to reach anybody. The hub's own words about what could
/// not be delivered do not start the same again.
fn exhausted(tx: &Transaction<'_>, delivery: i64) -> Result<Option<i64>, SqlError> {
    let mut mark = tx.prepare_cached(
        "UPDATE notifications SET undelivered=1 WHERE id=(SELECT notification FROM deliveries WHERE id=?1) AND undelivered=0
         AND NOT EXISTS(SELECT 1 FROM deliveries o WHERE o.notification=notifications.id AND o.phase=0 AND o.state<>3) RETURNING id",
    )?;
    mark.query_map([delivery], |row| row.get(0))?.next().transpose()
}
