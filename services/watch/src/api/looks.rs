//! What can be seen: the body, incidents and what is to be learned from them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::Problem;
use sanctum_api::watch::{Body, Incident, PostMortem, Transition, Trend, Why};
use sanctum_http::{Json, Path, Query, Refusal, State};
use serde::Deserialize;

use super::{Desk, known, unkept};
use crate::store::Record;
use crate::{post_mortem as page, trends as tally};

#[derive(Debug, Deserialize)]
pub(super) struct Days {
    days: Option<i64>,
    service: Option<String>,
}

impl Days {
    fn since(&self, desk: &Desk) -> Result<Timestamp, Refusal> {
        let days = self.days.unwrap_or(30);
        if !(1..=3660).contains(&days) {
            return Err(Problem::field("days", days.to_string(), "from 1 to 3660").into());
        }
        Ok(desk.hub.now().checked_sub(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MIN))
    }
}

pub(super) async fn body(State(desk): State<Desk>) -> Json<Body> {
    Json(desk.hub.brain().body(desk.hub.now()))
}

/// Those of the store, and in their place those at hand: what waits for the disk is shown as well.
async fn records(desk: &Desk, since: Timestamp) -> Result<Vec<Record>, Refusal> {
    let kept = desk.hub.store.incidents(since).await;
    let at_hand: BTreeMap<i64, Record> = desk.hub.brain().book.clone();
    let mut all: BTreeMap<i64, Record> = match kept {
        Ok(kept) => kept.into_iter().map(|record| (record.wire.id, record)).collect(),
        Err(error) if at_hand.is_empty() => return Err(unkept(error)),
        Err(_) => BTreeMap::new(),
    };
    all.extend(
        at_hand
            .into_iter()
            .filter(|(_, record)| record.wire.resolved.is_none() || record.wire.began >= since),
    );
    let mut all: Vec<Record> = all.into_values().collect();
    all.sort_by_key(|record| (record.wire.resolved.is_some(), std::cmp::Reverse(record.wire.id)));
    Ok(all)
}

pub(super) async fn incidents(
    State(desk): State<Desk>,
    Query(days): Query<Days>,
) -> Result<Json<Vec<Incident>>, Refusal> {
    let all = records(&desk, days.since(&desk)?).await?;
    Ok(Json(all.into_iter().map(|record| Incident { timeline: Vec::new(), ..record.wire }).collect()))
}

async fn find(desk: &Desk, id: i64) -> Result<Record, Refusal> {
    let at_hand = desk.hub.brain().book.get(&id).cloned();
    let record = match at_hand {
        Some(record) => Some(record),
        None => desk.hub.store.incident(id).await.map_err(unkept)?,
    };
    record.ok_or_else(|| Problem::not_found("incident", id.to_string()).into())
}

pub(super) async fn incident(
    State(desk): State<Desk>,
    Path(id): Path<i64>,
) -> Result<Json<Incident>, Refusal> {
    Ok(Json(find(&desk, id).await?.wire))
}

pub(super) async fn post_mortem(
    State(desk): State<Desk>,
    Path(id): Path<i64>,
) -> Result<Json<PostMortem>, Refusal> {
    let record = find(&desk, id).await?;
    let text = page::write(&record.wire, &desk.hub.zone(), desk.hub.now());
    Ok(Json(PostMortem { incident: id, text }))
}

pub(super) async fn why(State(desk): State<Desk>, Path(name): Path<String>) -> Result<Json<Why>, Refusal> {
    let at = known(&desk, &name)?;
    let why = desk.hub.brain().why(at, desk.hub.now());
    why.map(Json).ok_or_else(|| Problem::not_found("service", name).into())
}

pub(super) async fn trends(
    State(desk): State<Desk>,
    Query(days): Query<Days>,
) -> Result<Json<Vec<Trend>>, Refusal> {
    let all = records(&desk, days.since(&desk)?).await?;
    Ok(Json(tally::of(all.iter().map(|record| (&record.wire, record.escalated.is_some())))))
}

pub(super) async fn transitions(
    State(desk): State<Desk>,
    Query(days): Query<Days>,
) -> Result<Json<Vec<Transition>>, Refusal> {
    let since = days.since(&desk)?;
    Ok(Json(desk.hub.store.transitions(since, days.service).await.map_err(unkept)?))
}
