//! Guests: who is here, and what a parent says of them.

use jiff::SignedDuration;
use sanctum_api::Problem;
use sanctum_api::screen::{Approval, GuestState, Pass};
use sanctum_http::{Json, Refusal, State};

use super::{author, list as names, unkept};
use crate::hub::Hub;
use crate::records::Sighting;

/// A guest who stays longer lives here.
const MOST_HOURS: u32 = 30 * 24;

pub(super) async fn list(State(hub): State<Hub>) -> Result<Json<Vec<GuestState>>, Refusal> {
    Ok(Json(hub.records.guests().await.map_err(unkept)?))
}

pub(super) async fn approve(
    State(hub): State<Hub>,
    Json(said): Json<Approval>,
) -> Result<Json<GuestState>, Refusal> {
    let now = hub.shared.clock.now();
    let pass = said.pass.unwrap_or(Pass::Approved);
    let length = match said.hours {
        Some(hours) => SignedDuration::from_hours(super::minutes("hours", hours, MOST_HOURS)?.into()),
        None => crate::rules::span(hub.rules.config.guests.pass),
    };
    let expires = if pass == Pass::Approved { now.checked_add(length).ok() } else { None };
    let author = author(&said.author)?;
    // A guest of the configuration has no row before somebody says something of it.
    let configured = hub
        .rules
        .house
        .device
        .get(&said.device)
        .filter(|device| device.tier == sanctum_kernel::house::DeviceTier::Guest);
    if let Some(device) = configured {
        let name = device.name.clone().unwrap_or_else(|| said.device.clone());
        hub.records
            .discover(now, vec![Sighting { device: said.device.clone(), name, pass: Pass::Waiting }])
            .await
            .map_err(unkept)?;
    }
    let changed = hub.records.set_pass(said.device.clone(), pass, expires, author).await.map_err(unkept)?;
    let Some(guest) = changed else {
        let guests = hub.records.guests().await.map_err(unkept)?;
        return Err(
            Problem::field("device", said.device, names(guests.iter().map(|guest| &guest.device))).into()
        );
    };
    hub.changed();
    Ok(Json(guest))
}
