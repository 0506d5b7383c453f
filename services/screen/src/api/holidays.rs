//! Days off.

use jiff::{Span, Timestamp};
use sanctum_api::Problem;
use sanctum_api::screen::{Calendar, Holiday, Imported};
use sanctum_http::{Json, Path, Refusal, State};

use super::unkept;
use crate::calendar;
use crate::hub::Hub;

pub(super) async fn list(State(hub): State<Hub>) -> Result<Json<Vec<Holiday>>, Refusal> {
    let imported = hub.records.holidays().await.map_err(unkept)?;
    let listed = hub.rules.listed.iter().map(|(date, (source, name))| (*date, source.clone(), name.clone()));
    let mut all: Vec<Holiday> = imported
        .into_iter()
        .chain(listed)
        .map(|(date, source, name)| Holiday { date, source, name })
        .collect();
    all.sort_by_key(|holiday| holiday.date);
    Ok(Json(all))
}

pub(super) async fn import(
    State(hub): State<Hub>,
    Json(said): Json<Calendar>,
) -> Result<Json<Imported>, Refusal> {
    let name = said.name.trim().to_owned();
    if name.is_empty() || name.len() > 100 || name == "sanctum.toml" {
        return Err(Problem::field("name", name, "what to call this calendar, such as `school`").into());
    }
    let (from, to) = span(&hub, hub.shared.clock.now());
    let taken = calendar::read(&said.ics, from, to).map_err(|error| {
        let first: String = said.ics.trim().chars().take(40).collect();
        Problem::field("ics", first, "the text of an iCalendar file (RFC 5545)").detail(error.to_string())
    })?;
    let imported =
        Imported { name: name.clone(), events: taken.events, days: taken.days.len(), refused: taken.refused };
    hub.records.set_holidays(name, taken.days.into_iter().collect()).await.map_err(unkept)?;
    hub.changed();
    Ok(Json(imported))
}

pub(super) async fn forget(
    State(hub): State<Hub>,
    Path(name): Path<String>,
) -> Result<Json<Imported>, Refusal> {
    let days =
        hub.records.holidays().await.map_err(unkept)?.iter().filter(|(_, source, _)| *source == name).count();
    if days == 0 {
        return Err(Problem::not_found("imported calendar", name).into());
    }
    hub.records.set_holidays(name.clone(), Vec::new()).await.map_err(unkept)?;
    hub.changed();
    Ok(Json(Imported { name, events: 0, days, refused: Vec::new() }))
}

/// Repetitions are written down from last month to three years ahead; a calendar is imported again long before.
fn span(hub: &Hub, now: Timestamp) -> (jiff::civil::Date, jiff::civil::Date) {
    let today = hub.rules.tz.to_datetime(now).date();
    (today - Span::new().months(1), today + Span::new().years(3))
}
