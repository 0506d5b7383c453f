//! Timers are rows: summaries, the end of a snooze, the weekly digest. A restart reads them again.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use sanctum_api::notify::{Notice, Severity};
use sanctum_kernel::{Failure, Stop};
use sanctum_store::{SqlError, Transaction, params};

use crate::accept::{After, Incoming, keep};
use crate::banners;
use crate::hub::Hub;
use crate::rows::{self, severity_of};
use crate::spread;

/// A look at least this often.
const LOOK: SignedDuration = SignedDuration::from_secs(60);
/// Lines of a summary before it says how many more there are.
const LINES: usize = 20;

/// Fires what is due until stopped.
pub(crate) async fn run(hub: Arc<Hub>, stop: Stop) -> Result<(), Failure> {
    let (within, now) = (Arc::clone(&hub), hub.now());
    hub.db.write(move |tx| weekly_from(tx, &within, now, true)).await?;
    while !stop.is_requested() {
        let next = match fire_due(&hub).await {
            Ok(next) => next.unwrap_or(hub.now() + LOOK).min(hub.now() + LOOK),
            Err(error) => {
                tracing::warn!(%error, "timers could not be read; they are tried again");
                hub.now() + SignedDuration::from_secs(1)
            }
        };
        tokio::select! {
            () = stop.requested() => return Ok(()),
            () = hub.timers.nudged() => {}
            () = hub.shared.clock.until(next) => {}
        }
    }
    Ok(())
}

/// Fires every timer that is due; returns when the next one is.
async fn fire_due(hub: &Arc<Hub>) -> Result<Option<Timestamp>, sanctum_store::StoreError> {
    let within = Arc::clone(hub);
    let (after, next) = hub
        .db
        .write(move |tx| {
            let now = within.now();
            let mut due = tx.prepare_cached("SELECT kind, name FROM timers WHERE due<=?1 ORDER BY due")?;
            let due: Vec<(String, i64)> = due
                .query_map([now.as_microsecond()], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            let mut all = Vec::new();
            for (kind, name) in due {
                tx.execute("DELETE FROM timers WHERE kind=?1 AND name=?2", params![kind, name])?;
                all.push(match kind.as_str() {
                    "fold" => unfold(tx, &within, name, now)?,
                    "snooze" => wake(tx, name, now)?,
                    _ => weekly(tx, &within, now)?,
                });
            }
            let next: Option<i64> = tx.query_row("SELECT min(due) FROM timers", [], |row| row.get(0))?;
            Ok((all, next.map(rows::instant)))
        })
        .await?;
    for after in after {
        after.run(hub);
    }
    Ok(next)
}

/// One held-back notification, as a line of the summary.
struct Line {
    source: String,
    severity: Severity,
    title: String,
    resolved: bool,
    count: u32,
}

/// The summary of what was held back, told in the same commit that closes it.
fn unfold(tx: &Transaction<'_>, hub: &Hub, fold: i64, now: Timestamp) -> Result<After, SqlError> {
    let (kind, name): (String, String) =
        tx.query_row("UPDATE folds SET done=1 WHERE id=?1 RETURNING kind, name", [fold], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let mut held = tx.prepare_cached("SELECT source, severity, title, resolved, count FROM notifications WHERE fold=?1 ORDER BY severity DESC, id")?;
    let held: Vec<Line> = held
        .query_map([fold], |row| {
            let resolved = row.get::<_, Option<i64>>(3)?.is_some();
            Ok(Line {
                source: row.get(0)?,
                severity: severity_of(row.get(1)?),
                title: row.get(2)?,
                resolved,
                count: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let Some(worst) = held.iter().map(|line| line.severity).max() else { return Ok(After::default()) };
    let number = held.len();
    let title = match kind.as_str() {
        "digest" => format!("Overnight: {number} {}", if number == 1 { "warning" } else { "warnings" }),
        "group" => format!("{number} more: {}", name.replace('\u{1f}', ", ")),
        _ => format!("+{number} more this hour"),
    };
    let notice = summary(worst, title, &sources(&held), &held, &format!("fold {fold}"));
    keep(tx, hub, &Incoming::own(notice, now, Some(format!("fold:{fold}")))).map(|(_, after)| after)
}

/// `backup 30, cron 7`: the counts add up to all that was held back.
fn sources(held: &[Line]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for line in held {
        match counts.iter_mut().find(|(source, _)| *source == line.source) {
            Some((_, count)) => *count += 1,
            None => counts.push((&line.source, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.iter().map(|(source, count)| format!("{source} {count}")).collect::<Vec<_>>().join(", ")
}

fn summary(severity: Severity, title: String, head: &str, held: &[Line], label: &str) -> Notice {
    let line = |line: &Line| {
        let times = if line.count > 1 { format!(" ×{}", line.count) } else { String::new() };
        format!(
            "{} {}: {}{times}{}",
            line.severity.word(),
            line.source,
            line.title,
            if line.resolved { " (over)" } else { "" }
        )
    };
    let mut lines: Vec<String> =
        std::iter::once(head.to_owned()).chain(held.iter().take(LINES).map(line)).collect();
    if held.len() > LINES {
        lines.push(format!("and {} more in the history", held.len() - LINES));
    }
    Notice {
        labels: [("summary".to_owned(), label.to_owned())].into(),
        ..Notice::plain("notify", severity, title, lines.join("\n"))
    }
}

/// A snooze has ended: what is neither acknowledged nor over is told again.
fn wake(tx: &Transaction<'_>, id: i64, now: Timestamp) -> Result<After, SqlError> {
    let micros = now.as_microsecond();
    tx.execute("UPDATE notifications SET snoozed=NULL WHERE id=?1", [id])?;
    spread::one(tx, id)?;
    tx.execute(
        "INSERT INTO deliveries(notification, channel, phase, manner, state, reason, created, due, severity)
         SELECT notification, channel, 0, manner, 0, 'the snooze has ended', ?2, ?2, severity FROM deliveries WHERE id IN (
           SELECT max(id) FROM deliveries WHERE notification=?1 AND phase=0 AND channel<>'dashboard' GROUP BY channel)
         AND (SELECT resolved IS NULL FROM notifications WHERE id=?1)
         AND NOT EXISTS(SELECT 1 FROM acks WHERE notification=?1)",
        params![id, micros],
    )?;
    let mut channels = tx.prepare_cached("SELECT DISTINCT channel FROM deliveries WHERE notification=?1")?;
    let waiting = channels.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(After { waiting, change: banners::changed(tx, id, micros)?, ..After::default() })
}

/// The week in numbers.
fn weekly(tx: &Transaction<'_>, hub: &Hub, now: Timestamp) -> Result<After, SqlError> {
    weekly_from(tx, hub, now, false)?;
    let since = now - SignedDuration::from_hours(7 * 24);
    let mut counts = tx.prepare_cached(
        "SELECT source, count(*), sum(severity=3), sum(severity=2), sum(severity=1), sum(severity=0) FROM notifications
         WHERE accepted>=?1 AND own=0 GROUP BY source ORDER BY 3 DESC, 4 DESC, 2 DESC LIMIT 20",
    )?;
    let lines = counts.query_map([since.as_microsecond()], |row| {
        let n = |at| row.get::<_, i64>(at);
        let (source, all): (String, i64) = (row.get(0)?, n(1)?);
        Ok((
            all,
            format!("{source}: {all} ({} critical, {} error, {} warn, {} info)", n(2)?, n(3)?, n(4)?, n(5)?),
        ))
    })?;
    let lines: Vec<(i64, String)> = lines.collect::<Result<_, _>>()?;
    let total: i64 = lines.iter().map(|(all, _)| all).sum();
    let text = if lines.is_empty() {
        "Nothing was said.".to_owned()
    } else {
        lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    };
    let notice = summary(Severity::Info, format!("The week: {total} notifications"), &text, &[], "week");
    keep(tx, hub, &Incoming::own(notice, now, Some(format!("week:{}", now.as_second() / 86_400))))
        .map(|(_, after)| after)
}

/// Sets the timer of the weekly digest. At start one that was missed while the service was down stays due.
fn weekly_from(tx: &Transaction<'_>, hub: &Hub, now: Timestamp, at_start: bool) -> Result<(), SqlError> {
    let digest = &hub.rules.config.digest;
    if !digest.weekly {
        return tx.execute("DELETE FROM timers WHERE kind='weekly'", []).map(drop);
    }
    let mut day: Zoned = now.to_zoned(hub.rules.zone.clone());
    for _ in 0..9 {
        let at = day.date().to_datetime(digest.weekly_at.time()).to_zoned(hub.rules.zone.clone());
        if let Ok(at) = at
            && day.date().weekday() == digest.weekly_day.into()
            && at.timestamp() > now
        {
            let missed = if at_start { now.as_microsecond() } else { i64::MIN };
            let due = at.timestamp().as_microsecond();
            tx.execute(
                "INSERT INTO timers(kind, name, due) VALUES('weekly', 0, ?1) ON CONFLICT DO UPDATE SET due=?1 WHERE due>?2",
                params![due, missed],
            )?;
            return Ok(());
        }
        day = day.checked_add(1.day()).unwrap_or(day);
    }
    Ok(())
}
