//! Looking: history, banners, events, channels, dead letters, explanations, traces.

use jiff::Timestamp;
use jiff::civil::Time;
use sanctum_api::notify::{Banner, Channel, DeadLetter, DeliveryState, Explained, Page, Severity, Told};
use sanctum_api::{Moment, Problem};
use sanctum_http::{
    IntoResponse, Json, LastEventId, Path, Query, Refusal, Response, State, events as stream,
};
use sanctum_kernel::trace::TraceId;
use sanctum_store::{Connection, OptionalExtension, SqlError};
use serde::Deserialize;

use super::{House, post, refuse, rules};
use crate::accept::{inhibited, silence};
use crate::decide::{Known, decide};
use crate::dispatch::queue;
use crate::history::{self, Search};
use crate::matching::Subject;
use crate::{banners, rows, spread};

type Answer<T> = Result<Json<T>, Refusal>;

pub(crate) const HISTORY: &[(&str, &str)] = &[
    ("severity", "only this one"),
    ("source", "only from this one"),
    ("since", "not before this time (RFC 3339)"),
    ("until", "before this time (RFC 3339)"),
    ("q", "words that must all occur; each may be the beginning of a word"),
    ("undelivered", "`true`: only what reached nobody"),
    ("limit", "how many, 1 to 500; 50 if absent"),
    ("cursor", "`next` of the page before"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    severity: Option<String>,
    source: Option<String>,
    since: Option<String>,
    until: Option<String>,
    q: Option<String>,
    undelivered: bool,
    limit: Option<usize>,
    cursor: Option<String>,
}

fn time(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    let wrong = |text: &str| Problem::field(field, text, "a time such as `2026-11-21T02:47:00Z`");
    text.map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
}

pub(crate) async fn history(State(hub): State<House>, Query(asked): Query<Asked>) -> Answer<Page> {
    let limit = asked.limit.unwrap_or(50);
    if !(1..=500).contains(&limit) {
        return Err(Refusal(Problem::field("limit", limit.to_string(), "1 to 500")));
    }
    let before = asked.cursor.map(|cursor| {
        cursor.parse().map_err(|_| Problem::field("cursor", cursor, "`next` of the page before"))
    });
    let search = Search {
        severity: asked.severity.map(|word| rules::severity("severity", &word)).transpose()?,
        source: asked.source,
        since: time("since", asked.since)?,
        until: time("until", asked.until)?,
        words: asked.q,
        undelivered: asked.undelivered,
        limit,
        before: before.transpose()?,
    };
    history::page(&hub, search).await.map(Json).map_err(|error| refuse(&error))
}

pub(crate) async fn banners(State(hub): State<House>) -> Answer<Vec<Banner>> {
    let now = hub.now().as_microsecond();
    hub.db.read(move |db| banners::all(db, now)).await.map(Json).map_err(|error| refuse(&error))
}

pub(crate) async fn events(State(hub): State<House>, last: LastEventId) -> Response {
    stream(hub.feed.follow(last.0.as_deref()), hub.shared.tasks.stop()).into_response()
}

pub(crate) async fn channels(State(hub): State<House>) -> Answer<Vec<Channel>> {
    let lines: Vec<(String, &'static str, &'static str)> = hub
        .lines
        .values()
        .map(|line| (line.name.clone(), line.kind, line.with(|breaker| breaker.word())))
        .collect();
    spread::all(&hub).await.map_err(|error| refuse(&error))?;
    let all = hub.db.read(move |db| {
        lines
            .into_iter()
            .map(|(name, kind, breaker)| {
                let mut standing =
                    db.prepare_cached("SELECT success, error FROM standing WHERE channel=?1")?;
                let standing = standing
                    .query_row([&name], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?)))
                    .optional()?;
                let (success, last_error) = standing.unwrap_or_default();
                Ok(Channel {
                    queued: queue::open(db, &name)?,
                    name,
                    kind: kind.to_owned(),
                    last_success: success.map(rows::instant),
                    last_error,
                    breaker: breaker.to_owned(),
                })
            })
            .collect::<Result<Vec<_>, SqlError>>()
    });
    all.await.map(Json).map_err(|error| refuse(&error))
}

pub(crate) async fn dead(State(hub): State<House>) -> Answer<Vec<DeadLetter>> {
    let all = hub.db.read(|db| {
        let mut all = db.prepare_cached(
            "SELECT d.id, d.notification, d.channel, n.severity, n.title, n.accepted, d.tries,
               coalesce((SELECT outcome FROM attempts a WHERE a.delivery=d.id ORDER BY number DESC LIMIT 1), '')
             FROM deliveries d JOIN notifications n ON n.id=d.notification WHERE d.state=3 ORDER BY d.id DESC LIMIT 500",
        )?;
        let all = all.query_map([], |row| {
            Ok(DeadLetter {
                id: row.get(0)?,
                notification: row.get(1)?,
                channel: row.get(2)?,
                severity: rows::severity_of(row.get(3)?),
                title: row.get(4)?,
                accepted: rows::instant(row.get(5)?),
                tries: row.get(6)?,
                outcome: row.get(7)?,
            })
        })?;
        all.collect::<Result<Vec<_>, _>>()
    });
    all.await.map(Json).map_err(|error| refuse(&error))
}

pub(crate) const EXPLAIN: &[(&str, &str)] = &[
    ("severity", "`info`, `warn`, `error` or `critical`"),
    ("source", "who would say it; `cli` if absent"),
    ("at", "when: `HH:MM` of today in the house's zone, or RFC 3339; now if absent"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct What {
    severity: Option<String>,
    source: Option<String>,
    at: Option<String>,
}

pub(crate) async fn explain(State(hub): State<House>, Query(what): Query<What>) -> Answer<Explained> {
    let severity = what.severity.map_or(Ok(Severity::Critical), |word| rules::severity("severity", &word))?;
    let now = hub.now().to_zoned(hub.rules.zone.clone());
    let at = match what.at.as_deref() {
        None => now,
        Some(text) => match (text.parse::<Timestamp>(), text.parse::<Time>()) {
            (Ok(at), _) => at.to_zoned(hub.rules.zone.clone()),
            (_, Ok(time)) => now.with().time(time).build().unwrap_or(now),
            _ => {
                return Err(Refusal(Problem::field(
                    "at",
                    text,
                    "`HH:MM`, or a time such as `2026-11-21T02:47:00Z`",
                )));
            }
        },
    };
    let source = what.source.unwrap_or_else(|| "cli".to_owned());
    let notice = post::plain(source, severity, Some("explain".to_owned()), String::new());
    let (within, instant) = (House::clone(&hub), at.timestamp());
    let known = hub.db.read({
        let notice = notice.clone();
        move |db: &Connection| {
            let subject = Subject::of(&notice);
            let silence = silence(db, subject, instant)?;
            Ok(Known { silence, inhibited: inhibited(db, &within, &notice, subject)?, ..Known::default() })
        }
    });
    let known = known.await.map_err(|error| refuse(&error))?;
    let plan = decide(&notice, &hub.rules, &known, &at);
    let told = plan.sends.into_iter();
    Ok(Json(Explained {
        severity,
        source: notice.source,
        at: at.timestamp(),
        wall: at.strftime("%a %H:%M %Z").to_string(),
        quiet_hours: hub.rules.is_quiet(&at),
        told: told
            .map(|send| Told {
                channel: send.channel,
                manner: send.manner.word().to_owned(),
                reason: send.reason,
            })
            .collect(),
        held_until: plan.hold.map(|hold| hold.due),
        reasons: plan.reasons,
    }))
}

pub(crate) async fn trace(State(hub): State<House>, Path(id): Path<String>) -> Answer<Vec<Moment>> {
    let trace: TraceId = id.parse().map_err(|_| {
        Refusal(Problem::field("id", id.chars().take(64).collect::<String>(), "32 hexadecimal digits"))
    })?;
    let ids = history::of_trace(&hub, trace.to_string()).await.map_err(|error| refuse(&error))?;
    hub.db.read(move |db| moments(db, trace, ids)).await.map(Json).map_err(|error| refuse(&error))
}

fn moments(db: &Connection, trace: TraceId, ids: Vec<i64>) -> Result<Vec<Moment>, SqlError> {
    let mut moments = Vec::new();
    for id in ids {
        let Some(life) = rows::life(db, id)? else { continue };
        let mut add = |at, what: &str, detail: String| {
            moments.push(Moment {
                at,
                service: "notify".to_owned(),
                what: what.to_owned(),
                detail,
                trace_id: trace,
            });
        };
        add(life.accepted, "accepted", format!("{id} “{}”: {}", life.notice.title, life.reasons.join("; ")));
        for delivery in &life.deliveries {
            for attempt in &delivery.attempts {
                let what = match (attempt.outcome.as_str(), delivery.channel.as_str()) {
                    ("delivered", "dashboard") => "banner",
                    ("delivered", _) => "delivered",
                    _ => "attempted",
                };
                add(
                    attempt.ended.unwrap_or(attempt.started),
                    what,
                    format!("{}: {}", delivery.channel, attempt.outcome),
                );
            }
            if delivery.state == DeliveryState::Dead {
                add(
                    delivery.attempts.last().and_then(|last| last.ended).unwrap_or(life.accepted),
                    "given-up",
                    delivery.channel.clone(),
                );
            }
            delivery.confirmed.into_iter().for_each(|at| add(at, "confirmed", delivery.channel.clone()));
        }
        life.acks
            .iter()
            .for_each(|ack| add(ack.at, "acknowledged", format!("{} by {}", ack.who, ack.channel)));
        life.resolved.into_iter().for_each(|at| add(at, "resolved", life.notice.title.clone()));
    }
    moments.sort_by_key(|moment| moment.at);
    Ok(moments)
}
