//! The surface of the service.

mod heal;
mod looks;
mod people;

use sanctum_api::{Moment, Problem, watch as wire};
use sanctum_http::axum::Router;
use sanctum_http::{Json, LastEventId, Op, Path, Refusal, Response, Routes, State, events};
use sanctum_kernel::Spec;
use sanctum_kernel::trace::TraceId;
use sanctum_store::StoreError;

use crate::hub::Hub;
use crate::shell::Hands;

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) hub: Hub,
    pub(crate) hands: Hands,
}

pub(crate) fn router(spec: &'static Spec, desk: &Desk) -> Router {
    let routes = Routes::new(spec, &desk.hub.shared);
    mend(tell(sight(routes))).finish(desk.clone())
}

/// What can be seen.
fn sight(routes: Routes<Desk>) -> Routes<Desk> {
    const DAYS: &[(&str, &str)] = &[("days", "how far back; 30 by default")];
    routes
        .on(Op::get("/body", "Everything at one glance").returns::<wire::Body>(), looks::body)
        .on(
            Op::get("/incidents", "Incidents, open ones first, then the newest")
                .queries(DAYS)
                .returns::<Vec<wire::Incident>>(),
            looks::incidents,
        )
        .on(
            Op::get("/incidents/{id}", "One incident, with its timeline").returns::<wire::Incident>(),
            looks::incident,
        )
        .on(
            Op::get("/incidents/{id}/post-mortem", "A page to be written on, in Markdown")
                .returns::<wire::PostMortem>(),
            looks::post_mortem,
        )
        .on(
            Op::get("/why/{service}", "From a symptom to its root, with the evidence").returns::<wire::Why>(),
            looks::why,
        )
        .on(
            Op::get("/trends", "How long it takes to notice and to heal, by service")
                .queries(DAYS)
                .returns::<Vec<wire::Trend>>(),
            looks::trends,
        )
        .on(
            Op::get("/transitions", "Every turn of every service, the oldest first")
                .queries(&[("days", "how far back; 30 by default"), ("service", "of this one only")])
                .returns::<Vec<wire::Transition>>(),
            looks::transitions,
        )
        .on(Op::get("/events", "Nodes, incidents and sentinels as they change").stream(), follow)
        .on(Op::get("/trace/{id}", "What this service did in a story").returns::<Vec<Moment>>(), story)
}

/// What people say.
fn tell(routes: Routes<Desk>) -> Routes<Desk> {
    routes
        .on(
            Op::post("/nodes/{name}/check", "Asks every check of a service now").returns::<wire::Node>(),
            people::check,
        )
        .on(
            Op::put("/holds/{name}", "A maintenance window; `all` is the whole house")
                .takes::<wire::HoldRequest>()
                .returns::<wire::Hold>(),
            people::hold,
        )
        .on(Op::delete("/holds/{name}", "Ends a maintenance window"), people::release)
        .on(
            Op::put("/attention", "Something the house should heed, such as `recording` or `asleep`")
                .takes::<wire::AttentionRequest>()
                .returns::<wire::Attention>(),
            people::attend,
        )
        .on(Op::delete("/attention", "Nothing needs to be heeded any more"), people::relax)
        .on(
            Op::post("/incidents/{id}/again", "Somebody did something: what may be tried begins anew")
                .returns::<wire::Incident>(),
            people::again,
        )
}

/// What healing knows.
fn mend(routes: Routes<Desk>) -> Routes<Desk> {
    routes
        .on(
            Op::get("/recipes", "Every recipe, and how it has done").returns::<Vec<wire::Recipe>>(),
            heal::recipes,
        )
        .on(
            Op::get("/audit", "What healing did, and what it refused to do, the newest first")
                .queries(&[("days", "how far back; 30 by default")])
                .returns::<Vec<wire::Audit>>(),
            heal::audit,
        )
        .on(
            Op::post("/audit/{id}/undo", "Undoes what a line of the audit says can be undone")
                .returns::<wire::Audit>(),
            heal::undo,
        )
        .on(
            Op::post("/classify", "Matches free text with a recipe that exists; it is rehearsed, never more")
                .takes::<wire::FreeText>()
                .returns::<wire::Classified>(),
            heal::classify,
        )
}

async fn follow(State(desk): State<Desk>, LastEventId(last): LastEventId) -> Response {
    events(desk.hub.feed.follow(last.as_deref()), desk.hub.shared.tasks.stop())
}

/// An incident is a story: its timeline is what this service did in it.
async fn story(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<Vec<Moment>>, Refusal> {
    let trace: TraceId =
        id.parse().map_err(|_| Problem::field("id", id, "32 lower-case hexadecimal digits"))?;
    let at_hand = desk.hub.brain().book.values().find(|record| record.trace == trace).cloned();
    let record = match at_hand {
        Some(record) => Some(record),
        None => desk.hub.store.of_trace(trace).await.map_err(unkept)?,
    };
    let moments = record.into_iter().flat_map(|record| record.wire.timeline).map(|entry| Moment {
        at: entry.at,
        service: "watch".to_owned(),
        what: entry.what,
        detail: entry.detail,
        trace_id: trace,
    });
    Ok(Json(moments.collect()))
}

/// A store that cannot answer: what a person can mend is said.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unkept(error: StoreError) -> Refusal {
    match error.hint() {
        Some(hint) => Refusal(Problem::new(error.status(), "store", error.to_string()).hint(hint)),
        None => Refusal::inside(&error),
    }
}

/// The shell does not answer.
fn stuck() -> Refusal {
    Refusal(
        Problem::new(503, "stuck", "the watch does not come to answer")
            .hint("`sanctum status` says how it is"),
    )
}

/// A service of the list, or who there is.
fn known(desk: &Desk, name: &str) -> Result<usize, Refusal> {
    let brain = desk.hub.brain();
    let found = brain.find(name).or_else(|| {
        let mut items = brain.inventory.0.iter();
        items.position(|item| item.house_name.eq_ignore_ascii_case(name))
    });
    found.ok_or_else(|| {
        let names: Vec<String> = brain.inventory.0.iter().map(|item| item.name.clone()).collect();
        Refusal(Problem::not_found("service", name).hint(format!("services are: {}", names.join(", "))))
    })
}
