//! What people do: acknowledge, snooze, resolve, silence, try a channel, send again.

use jiff::Timestamp;
use sanctum_api::Problem;
use sanctum_api::notify::{Attempt, By, Notification, Severity, Silence};
use sanctum_http::{Json, Path, Refusal, State, StatusCode};
use sanctum_kernel::Trace;
use sanctum_store::{OptionalExtension, params};

use super::{House, post, refuse};
use crate::acts;
use crate::message::{Message, Phase};
use crate::target::Manner;
use crate::{rows, spread};

type Answer<T> = Result<Json<T>, Refusal>;

fn number(text: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_| {
        Refusal(Problem::field("id", text.chars().take(40).collect::<String>(), "a whole number"))
    })
}

fn found(life: Option<Notification>, id: i64) -> Answer<Notification> {
    life.map(Json).ok_or_else(|| Refusal(Problem::not_found("notification", id.to_string())))
}

pub(crate) async fn life(State(hub): State<House>, Path(id): Path<String>) -> Answer<Notification> {
    let id = number(&id)?;
    spread::of(&hub, vec![id]).await.map_err(|error| refuse(&error))?;
    found(hub.db.read(move |db| rows::life(db, id)).await.map_err(|error| refuse(&error))?, id)
}

fn who(by: &By) -> Result<String, Refusal> {
    match by.who.trim() {
        "" => Err(Refusal(Problem::field("who", "", "the name of who does it"))),
        who => Ok(who.chars().take(100).collect()),
    }
}

pub(crate) async fn ack(
    State(hub): State<House>,
    Path(id): Path<String>,
    Json(by): Json<By>,
) -> Answer<Notification> {
    let id = number(&id)?;
    found(acts::ack(&hub, id, who(&by)?, "api".to_owned()).await.map_err(|error| refuse(&error))?, id)
}

pub(crate) async fn snooze(
    State(hub): State<House>,
    Path(id): Path<String>,
    Json(by): Json<By>,
) -> Answer<Notification> {
    let id = number(&id)?;
    who(&by)?;
    let until = by.until.filter(|until| *until > hub.now());
    let until = until.ok_or_else(|| {
        Refusal(Problem::field(
            "until",
            by.until.map(|until| until.to_string()).unwrap_or_default(),
            "a time that is still to come",
        ))
    })?;
    found(acts::snooze(&hub, id, until).await.map_err(|error| refuse(&error))?, id)
}

pub(crate) async fn resolve(
    State(hub): State<House>,
    Path(id): Path<String>,
    Json(by): Json<By>,
) -> Answer<Notification> {
    let id = number(&id)?;
    found(acts::over(&hub, id, who(&by)?).await.map_err(|error| refuse(&error))?, id)
}

pub(crate) async fn silences(State(hub): State<House>) -> Answer<Vec<Silence>> {
    let now = hub.now().as_microsecond();
    let all = hub.db.read(move |db| {
        let mut all = db.prepare_cached(
            "SELECT id, matchers, author, reason, until FROM silences WHERE until>?1 ORDER BY id",
        )?;
        let all = all.query_map([now], |row| {
            let matchers: String = row.get(1)?;
            let matchers = serde_json::from_str(&matchers).unwrap_or_default();
            Ok(Silence {
                id: row.get(0)?,
                matchers,
                author: row.get(2)?,
                reason: row.get(3)?,
                until: rows::instant(row.get(4)?),
            })
        })?;
        all.collect::<Result<Vec<_>, _>>()
    });
    all.await.map(Json).map_err(|error| refuse(&error))
}

/// Without an id a new one; with an id that one is changed.
pub(crate) async fn silence(State(hub): State<House>, Json(silence): Json<Silence>) -> Answer<Silence> {
    let wrong =
        |field: &str, value: String, allowed: &str| Err(Refusal(Problem::field(field, value, allowed)));
    if silence.matchers.is_empty() {
        return wrong(
            "matchers",
            "{}".to_owned(),
            "at least one of `source`, `severity` or a label, with its value",
        );
    }
    if silence.author.trim().is_empty() || silence.reason.trim().is_empty() {
        return wrong("author", silence.author, "an author and a reason, neither empty");
    }
    if silence.until <= hub.now() {
        return wrong("until", silence.until.to_string(), "a time that is still to come");
    }
    hub.silenced_until(silence.until.as_microsecond());
    let mut kept = silence.clone();
    let id = hub.db.write(move |tx| {
        let matchers = serde_json::to_string(&silence.matchers).unwrap_or_default();
        let until = silence.until.as_microsecond();
        if silence.id != 0 {
            let changed = tx.execute(
                "UPDATE silences SET matchers=?2, author=?3, reason=?4, until=?5 WHERE id=?1",
                params![silence.id, matchers, silence.author, silence.reason, until],
            )?;
            return Ok((changed > 0).then_some(silence.id));
        }
        let values = params![matchers, silence.author, silence.reason, until];
        tx.execute("INSERT INTO silences(matchers, author, reason, until) VALUES(?1, ?2, ?3, ?4)", values)?;
        Ok(Some(tx.last_insert_rowid()))
    });
    match id.await.map_err(|error| refuse(&error))? {
        Some(id) => kept.id = id,
        None => return Err(Refusal(Problem::not_found("silence", kept.id.to_string()))),
    }
    tracing::info!(id = kept.id, author = %kept.author, reason = %kept.reason, until = %kept.until, "a silence began");
    Ok(Json(kept))
}

pub(crate) async fn unsilence(
    State(hub): State<House>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let id = number(&id)?;
    let now = hub.now().as_microsecond();
    // It ends; its row stays, because it explains why something was not told.
    let ended = hub.db.write(move |tx| {
        tx.execute("UPDATE silences SET until=?2 WHERE id=?1 AND until>?2", params![id, now])
    });
    match ended.await.map_err(|error| refuse(&error))? {
        0 => Err(Refusal(Problem::not_found("silence", id.to_string()))),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// A test goes past routing and queue: it says what the channel says now.
pub(crate) async fn test(State(hub): State<House>, Path(name): Path<String>) -> Answer<Attempt> {
    let Some(line) = hub.lines.get(&name) else {
        let mut problem = Problem::not_found("channel", name);
        problem.allowed = Some(hub.names());
        return Err(Refusal(problem));
    };
    let started = hub.now();
    let mut notice = post::plain(
        "notify".to_owned(),
        Severity::Info,
        Some("A test of Sanctum".to_owned()),
        format!("If you can read this, `{name}` works."),
    );
    notice.labels.insert("test".to_owned(), "true".to_owned());
    let message = Message {
        id: 0,
        delivery: started.as_microsecond(),
        trace: Trace::current().id(),
        notice: std::sync::Arc::new(notice),
        phase: Phase::Fire,
        manner: Manner::Sound,
        accepted: started,
        word: None,
        before: None,
        tries: 0,
        spent: 0,
        since: started,
        now: started,
    };
    let deadline = hub.rules.config.delivery.deadline.0;
    let channel = std::sync::Arc::clone(&line.channel);
    let outcome = match channel.check().await {
        Ok(_) => tokio::time::timeout(deadline, channel.send(&message)).await.ok(),
        Err(error) => Some(Err(error)),
    };
    let (outcome, far_id) = match outcome {
        Some(Ok(receipt)) => ("delivered".to_owned(), receipt.far_id),
        Some(Err(error)) => (error.to_string(), None),
        None => (format!("no answer within {} s", deadline.as_secs_f32()), None),
    };
    Ok(Json(Attempt { started, ended: Some(hub.now()), outcome, far_id }))
}

/// A dead letter is sent again, from the beginning of its patience.
pub(crate) async fn retry(State(hub): State<House>, Path(id): Path<String>) -> Answer<Notification> {
    let id = number(&id)?;
    let now: Timestamp = hub.now();
    let again = hub.db.write(move |tx| {
        let again = tx
            .prepare("UPDATE deliveries SET state=0, due=?2, created=?2, spent=tries, reason=reason||'; sent again by hand' WHERE id=?1 AND state IN (2, 3) RETURNING notification, channel")?
            .query_row(params![id, now.as_microsecond()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
            .optional()?;
        let Some((notification, channel)) = again else { return Ok(None) };
        tx.execute("UPDATE notifications SET undelivered=0 WHERE id=?1", [notification])?;
        Ok(rows::life(tx, notification)?.map(|life| (life, channel)))
    });
    let Some((life, channel)) = again.await.map_err(|error| refuse(&error))? else {
        let problem = Problem::not_found("failed or dead delivery", id.to_string());
        return Err(Refusal(problem.hint("`GET /dead` lists them")));
    };
    if let Some(line) = hub.lines.get(&channel) {
        line.nudge.nudge();
    }
    Ok(Json(life))
}
