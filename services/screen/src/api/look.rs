//! What can be seen: rulings, tonight, why, and what was tried.

use jiff::{SignedDuration, Timestamp};
use sanctum_api::Problem;
use sanctum_api::screen::{DayReport, Digest, Explanation, Ruling, Status, Stretch, Violation};
use sanctum_http::{Json, Query, Refusal, State};
use sanctum_kernel::house::DeviceTier;
use serde::Deserialize;

use super::{list, unkept};
use crate::config::Mode;
use crate::engine::{self, Frame, Subject, describe, timeline};
use crate::hub::{Hub, World};

pub(super) async fn status(State(hub): State<Hub>) -> Result<Json<Status>, Refusal> {
    seen(&hub).await.map(Json)
}

/// The status, as every act answers with it.
pub(super) async fn seen(hub: &Hub) -> Result<Status, Refusal> {
    let world = hub.world().await.map_err(unkept)?;
    let (enforced, detail) = hub.look(|state| (state.enforced, state.detail.clone()));
    let agreement = hub.rules.config.mode == Mode::Agreement;
    let detail = if agreement {
        Some("an agreement: the rules are shown and nothing is blocked".to_owned())
    } else {
        detail
    };
    Ok(Status { now: world.now, tonight: tonight(&world), devices: rulings(&world), enforced, detail })
}

pub(super) async fn devices(State(hub): State<Hub>) -> Result<Json<Vec<Ruling>>, Refusal> {
    Ok(Json(rulings(&hub.world().await.map_err(unkept)?)))
}

fn rulings(world: &World) -> Vec<Ruling> {
    world.policy.subjects.values().map(|subject| ruling(subject, world.decide(subject))).collect()
}

fn ruling(subject: &Subject, ruling: engine::Ruling) -> Ruling {
    Ruling {
        device: subject.id.clone(),
        name: subject.name.clone(),
        owner: subject.owner.clone(),
        tier: subject.tier,
        blocked: ruling.blocked,
        because: ruling.because,
        until: ruling.until,
    }
}

/// A console of the house itself: what tonight is for whoever has no hours of their own.
fn the_house(world: &World) -> Subject {
    Subject { tier: DeviceTier::Gaming, hours: world.policy.hours, ..world.policy.newcomer() }
}

fn tonight(world: &World) -> String {
    let house = the_house(world);
    let frame = Frame::of(&world.policy, &world.ledger, &house, world.now);
    let Some(moved) = frame.night(world.now) else { return "no curfew is in sight".to_owned() };
    format!(
        "{}, {} night",
        describe(moved.lock, moved.night.unlock, &world.policy.tz),
        moved.night.kind.word()
    )
}

pub(super) async fn schedule(State(hub): State<Hub>) -> Result<Json<Vec<Stretch>>, Refusal> {
    let world = hub.world().await.map_err(unkept)?;
    let house = the_house(&world);
    let frame = Frame::of(&world.policy, &world.ledger, &house, world.now);
    let evening = |at: Timestamp, hours: i64| at.checked_add(SignedDuration::from_hours(hours)).unwrap_or(at);
    let (from, to) = frame.night(world.now).map_or((world.now, evening(world.now, 24)), |moved| {
        (evening(moved.night.lock, -4).min(world.now), evening(moved.night.unlock, 1))
    });
    let mut stretches = Vec::new();
    for subject in world.policy.subjects.values() {
        stretches.extend(timeline(&world.policy, &world.ledger, subject, from, to).into_iter().map(
            |stretch| Stretch {
                device: subject.id.clone(),
                name: subject.name.clone(),
                from: stretch.from,
                to: stretch.to,
                blocked: stretch.ruling.blocked,
                because: stretch.ruling.because,
            },
        ));
    }
    Ok(Json(stretches))
}

#[derive(Debug, Deserialize)]
pub(super) struct Why {
    device: Option<String>,
    at: Option<String>,
}

pub(super) async fn explain(
    State(hub): State<Hub>,
    Query(why): Query<Why>,
) -> Result<Json<Explanation>, Refusal> {
    let world = hub.world().await.map_err(unkept)?;
    let subjects = &world.policy.subjects;
    let id = why.device.unwrap_or_default();
    let subject = subjects.get(&id).ok_or_else(|| Problem::field("device", id, list(subjects.keys())))?;
    let at = match why.at {
        Some(text) => crate::when::moment("at", &text, world.now, &world.policy.tz)?,
        None => world.now,
    };
    // What the rules look back at is loaded around now; another moment needs what was done around it.
    let ledger = hub.records.ledger(at, hub.rules.listed.keys().copied()).await.map_err(unkept)?;
    let (said, rules) = engine::explain(&world.policy, &ledger, subject, at);
    Ok(Json(Explanation { ruling: ruling(subject, said), at, rules }))
}

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    limit: Option<i64>,
    device: Option<String>,
}

pub(super) async fn violations(
    State(hub): State<Hub>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Violation>>, Refusal> {
    let limit = super::minutes("limit", page.limit.unwrap_or(50), 1000)?;
    Ok(Json(hub.records.violations(limit, page.device).await.map_err(unkept)?))
}

#[derive(Debug, Deserialize)]
pub(super) struct Days {
    days: Option<i64>,
}

pub(super) async fn report(
    State(hub): State<Hub>,
    Query(days): Query<Days>,
) -> Result<Json<Vec<DayReport>>, Refusal> {
    let days = super::minutes("days", days.days.unwrap_or(7), 366)?;
    Ok(Json(hub.records.report(days).await.map_err(unkept)?))
}

pub(super) async fn digest(State(hub): State<Hub>) -> Result<Json<Digest>, Refusal> {
    Ok(Json(crate::digest::week(&hub, hub.shared.clock.now()).await.map_err(unkept)?))
}
