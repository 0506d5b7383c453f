//! The surface of the service under `/screen`.

mod acts;
mod ask;
mod credits;
mod guests;
mod holidays;
mod look;

use jiff::Timestamp;
use sanctum_api::screen as wire;
use sanctum_api::{Moment, Problem};
use sanctum_http::axum::Router;
use sanctum_http::{Json, LastEventId, Op, Path, Refusal, Response, Routes, State, events};
use sanctum_kernel::Spec;
use sanctum_kernel::trace::TraceId;
use sanctum_store::StoreError;

use crate::engine::Target;
use crate::hub::{Hub, World};

/// A school calendar of many years fits.
const CALENDAR_LIMIT: usize = 4 * 1024 * 1024;

pub(crate) fn router(spec: &'static Spec, hub: &Hub) -> Router {
    let routes = Routes::new(spec, &hub.shared);
    house(acts(sight(routes))).finish(hub.clone())
}

/// What can be seen.
fn sight(routes: Routes<Hub>) -> Routes<Hub> {
    routes
        .on(
            Op::get("/screen/status", "Who is allowed what now, and whether the firewall holds it")
                .returns::<wire::Status>(),
            look::status,
        )
        .on(
            Op::get("/screen/schedule", "Tonight's timeline, device by device")
                .returns::<Vec<wire::Stretch>>(),
            look::schedule,
        )
        .on(
            Op::get("/screen/devices", "The ruling of every device").returns::<Vec<wire::Ruling>>(),
            look::devices,
        )
        .on(
            Op::get("/screen/explain", "The rule that decides, those it beat, and the next change")
                .queries(&[
                    ("device", "a device's id"),
                    ("at", "`fri 21:45`, `21:45`, `2026-12-25 21:45` or RFC 3339; now by default"),
                ])
                .returns::<wire::Explanation>(),
            look::explain,
        )
        .on(
            Op::get("/screen/violations", "What was tried against the rules, the newest first")
                .queries(&[("limit", "at most so many; 50 by default"), ("device", "of this device only")])
                .returns::<Vec<wire::Violation>>(),
            look::violations,
        )
        .on(
            Op::get("/screen/report", "Minutes online by day")
                .queries(&[("days", "7 by default")])
                .returns::<Vec<wire::DayReport>>(),
            look::report,
        )
        .on(
            Op::get("/screen/digest", "The last seven days in a few numbers").returns::<wire::Digest>(),
            look::digest,
        )
        .on(Op::get("/screen/events", "Violations and changes as they come").stream(), follow)
        .on(Op::get("/trace/{id}", "What this service did in a story").returns::<Vec<Moment>>(), story)
}

/// What people do for a while.
fn acts(routes: Routes<Hub>) -> Routes<Hub> {
    routes
        .on(
            Op::post("/screen/override", "More time, curfew now, or all clear")
                .takes::<wire::Override>()
                .returns::<wire::Status>(),
            acts::overrule,
        )
        .on(
            Op::post("/screen/homework", "Homework mode, until it ends by itself")
                .takes::<wire::Homework>()
                .returns::<wire::Status>(),
            acts::homework,
        )
        .on(
            Op::post("/screen/undo", "Takes back the last act that is still in force")
                .returns::<wire::Undone>(),
            acts::undo,
        )
        .on(
            Op::get("/screen/credits", "Credits of today, by person").returns::<Vec<wire::Balance>>(),
            credits::list,
        )
        .on(
            Op::post("/screen/credit", "Earns a credit").takes::<wire::Earn>().returns::<wire::Balance>(),
            credits::earn,
        )
        .on(
            Op::post("/screen/credit/redeem", "Spends credits on tonight's bedtime")
                .takes::<wire::Redeem>()
                .returns::<wire::Redeemed>(),
            credits::redeem,
        )
        .on(
            Op::get("/screen/requests", "Requests for more time, the newest first")
                .returns::<Vec<wire::MoreTime>>(),
            ask::list,
        )
        .on(
            Op::post("/screen/requests", "A child asks for more")
                .takes::<wire::Wish>()
                .returns::<wire::MoreTime>(),
            ask::ask,
        )
        .on(
            Op::post("/screen/requests/{id}/answer", "A parent answers")
                .takes::<wire::Answer>()
                .returns::<wire::MoreTime>(),
            ask::answer,
        )
}

/// What lasts: guests and days off.
fn house(routes: Routes<Hub>) -> Routes<Hub> {
    routes
        .on(
            Op::get("/screen/guests", "Devices nobody has named").returns::<Vec<wire::GuestState>>(),
            guests::list,
        )
        .on(
            Op::post("/screen/guest/approve", "Says what a guest is")
                .takes::<wire::Approval>()
                .returns::<wire::GuestState>(),
            guests::approve,
        )
        .on(
            Op::get("/screen/holidays", "Days off, with where they come from")
                .returns::<Vec<wire::Holiday>>(),
            holidays::list,
        )
        .on(
            Op::post("/screen/holidays", "Imports an iCalendar file")
                .takes::<wire::Calendar>()
                .returns::<wire::Imported>()
                .body_limit(CALENDAR_LIMIT),
            holidays::import,
        )
        .on(
            Op::delete("/screen/holidays/{name}", "Forgets what was imported under a name")
                .returns::<wire::Imported>(),
            holidays::forget,
        )
}

async fn follow(State(hub): State<Hub>, LastEventId(last): LastEventId) -> Response {
    events(hub.feed.follow(last.as_deref()), hub.shared.tasks.stop())
}

async fn story(State(hub): State<Hub>, Path(id): Path<String>) -> Result<Json<Vec<Moment>>, Refusal> {
    let id: TraceId = id.parse().map_err(|_| Problem::field("id", id, "32 lower-case hexadecimal digits"))?;
    Ok(Json(hub.records.story(id).await.map_err(unkept)?))
}

/// A store that cannot keep something: what a person can mend is said.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unkept(error: StoreError) -> Refusal {
    match error.hint() {
        Some(hint) => Refusal(Problem::new(error.status(), "store", error.to_string()).hint(hint)),
        None => Refusal::inside(&error),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "there is none yet".to_owned() } else { names.join(", ") }
}

/// A person of the house.
fn person(hub: &Hub, field: &str, name: &str) -> Result<String, Problem> {
    let people = &hub.rules.house.person;
    if people.contains_key(name) {
        Ok(name.to_owned())
    } else {
        Err(Problem::field(field, name, list(people.keys())))
    }
}

/// A person or a device; everyone if absent.
fn target(hub: &Hub, world: &World, field: &str, name: Option<&str>) -> Result<Target, Problem> {
    let Some(name) = name else { return Ok(Target::Everyone) };
    if hub.rules.house.person.contains_key(name) {
        Ok(Target::Person(name.to_owned()))
    } else if world.policy.subjects.contains_key(name) {
        Ok(Target::Device(name.to_owned()))
    } else {
        Err(Problem::field(
            field,
            name,
            list(hub.rules.house.person.keys().chain(world.policy.subjects.keys())),
        ))
    }
}

/// A number of minutes that somebody wrote.
fn minutes(field: &str, minutes: i64, most: u32) -> Result<u32, Problem> {
    let inside = u32::try_from(minutes).ok().filter(|minutes| (1..=most).contains(minutes));
    inside.ok_or_else(|| Problem::field(field, minutes.to_string(), format!("from 1 to {most}")))
}

/// Somebody's name; an act without an author explains nothing.
fn author(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    if name.is_empty() || name.len() > 100 {
        return Err(Problem::field("author", name, "who does it, in 1 to 100 letters"));
    }
    Ok(name.to_owned())
}

/// Why somebody does it, in a few words: it is shown wherever the rule is.
fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.len() > 200 {
        return Err(Problem::field("reason", format!("{} bytes", text.len()), "at most 200 bytes"));
    }
    Ok(text.to_owned())
}

/// An end that lies ahead.
fn end(field: &str, text: &str, world: &World) -> Result<Timestamp, Problem> {
    let at = crate::when::moment(field, text, world.now, &world.policy.tz)?;
    if at > world.now {
        Ok(at)
    } else {
        Err(Problem::field(field, text, format!("a moment after now, {}", world.now)))
    }
}
