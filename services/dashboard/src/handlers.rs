//! What happens at each path.

use sanctum_api::firewall::Naming;
use sanctum_api::notify::By;
use sanctum_api::{CallError, Moment, Problem};
use sanctum_http::axum::extract::Form;
use sanctum_http::{
    HeaderMap, IntoResponse, Json, LastEventId, Path, Query, Redirect, Refusal, Response, State, StatusCode,
    header,
};
use sanctum_kernel::trace::TraceId;
use serde::Deserialize;

use crate::access::{self, Actor, Visitor};
use crate::app::App;
use crate::{
    Asked, Overview, Story, body as watched, gather, live, memory as remembered, money, pages, story,
};

pub(crate) async fn page(State(app): State<App>, _: Visitor) -> Response {
    let overview = gather::overview(&app).await;
    let now = app.shared.clock.now();
    overview.banners.items().iter().for_each(|banner| app.seen.shown(banner, now));
    pages::html(pages::home::page(&pages::Cx::new(&app.house, now), &overview)).into_response()
}

pub(crate) async fn overview(State(app): State<App>, _: Visitor) -> Json<Overview> {
    Json(gather::overview(&app).await)
}

pub(crate) async fn events(State(app): State<App>, _: Visitor, LastEventId(last): LastEventId) -> Response {
    let stop = app.shared.tasks.stop();
    sanctum_http::events(live::follow(app, last.as_deref()), stop)
}

pub(crate) async fn models(State(app): State<App>, _: Visitor) -> Response {
    let stats = money::gather(&app).await;
    pages::html(pages::models::page(&pages::Cx::new(&app.house, app.shared.clock.now()), &stats))
        .into_response()
}

pub(crate) async fn models_events(State(app): State<App>, _: Visitor) -> Response {
    let stop = app.shared.tasks.stop();
    sanctum_http::events(money::follow(app), stop)
}

pub(crate) async fn body(State(app): State<App>, _: Visitor) -> Response {
    let body = watched::gather(&app).await;
    pages::html(pages::body::page(&pages::Cx::new(&app.house, app.shared.clock.now()), &body)).into_response()
}

pub(crate) async fn body_events(State(app): State<App>, _: Visitor) -> Response {
    let stop = app.shared.tasks.stop();
    sanctum_http::events(watched::follow(app), stop)
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    q: String,
}

pub(crate) async fn memory(
    State(app): State<App>,
    _: Visitor,
    Query(Wanted { q }): Query<Wanted>,
) -> Response {
    let query = q.trim();
    let found = async {
        match query {
            "" => None,
            query => Some(remembered::search(&app, query).await),
        }
    };
    let (seen, found) = tokio::join!(remembered::gather(&app), found);
    let cx = pages::Cx::new(&app.house, app.shared.clock.now());
    pages::html(pages::memory::page(&cx, &seen, query, found.as_ref())).into_response()
}

pub(crate) async fn memory_events(State(app): State<App>, _: Visitor) -> Response {
    let stop = app.shared.tasks.stop();
    sanctum_http::events(remembered::follow(app), stop)
}

pub(crate) async fn note_page(State(app): State<App>, _: Visitor, Path(id): Path<String>) -> Response {
    let (note, links) = remembered::note(&app, &id).await;
    let cx = pages::Cx::new(&app.house, app.shared.clock.now());
    let status = if note.is_known() { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
    (status, pages::html(pages::memory::note_page(&cx, &note, &links))).into_response()
}

pub(crate) async fn incident_page(State(app): State<App>, _: Visitor, Path(id): Path<i64>) -> Response {
    let (incident, written) = watched::incident(&app, id).await;
    let cx = pages::Cx::new(&app.house, app.shared.clock.now());
    let status = match incident {
        Asked::Known(_) => StatusCode::OK,
        Asked::Unknown(_) => StatusCode::BAD_GATEWAY,
    };
    (status, pages::html(pages::body::incident::page(&cx, id, &incident, &written))).into_response()
}

#[derive(Debug, Deserialize)]
pub(crate) struct Key {
    #[serde(default)]
    key: String,
}

/// The link of `sanctum up` leads here.
pub(crate) async fn enter(
    State(app): State<App>,
    headers: HeaderMap,
    Query(Key { key }): Query<Key>,
) -> Response {
    let known = app.shared.peers.admit(&key).is_some_and(|(caller, _)| caller == "browser");
    if !known {
        if access::wants_page(&headers) {
            return (StatusCode::UNAUTHORIZED, pages::html(pages::door::page(&app.house.house.name, true)))
                .into_response();
        }
        let problem = Problem::new(401, "key", "this key opens nothing here");
        return Refusal(problem.hint(
            "a key is good until the house is started again; `sanctum status --url` prints the one of now",
        ))
        .into_response();
    }
    let id = app.sessions.begin().await;
    let cookie = access::set_cookie(&id, app.sessions.length().as_secs());
    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

pub(crate) async fn story_page(State(app): State<App>, _: Visitor, Path(trace): Path<String>) -> Response {
    let cx = pages::Cx::new(&app.house, app.shared.clock.now());
    match trace.parse::<TraceId>() {
        Ok(trace) => {
            let story = story::gather(&app, trace).await;
            pages::html(pages::story::page(&cx, &story)).into_response()
        }
        Err(error) => {
            let said = error.to_string();
            (
                StatusCode::NOT_FOUND,
                pages::html(pages::door::sorry(&cx.house.house.name, "There is no such story", &said)),
            )
                .into_response()
        }
    }
}

pub(crate) async fn story(
    State(app): State<App>,
    _: Visitor,
    Path(trace): Path<String>,
) -> Result<Json<Story>, Refusal> {
    Ok(Json(story::gather(&app, trace.parse().map_err(|_| no_trace(&trace))?).await))
}

pub(crate) async fn trace(
    State(app): State<App>,
    Path(trace): Path<String>,
) -> Result<Json<Vec<Moment>>, Refusal> {
    Ok(Json(app.seen.of(trace.parse().map_err(|_| no_trace(&trace))?).await))
}

/// Names what was given and what a trace id looks like.
fn no_trace(text: &str) -> Refusal {
    let shown: String = text.chars().take(80).collect();
    Refusal(Problem::field("trace", shown, "32 lower-case hexadecimal digits, not all zero"))
}

pub(crate) async fn ack(
    State(app): State<App>,
    Actor(who): Actor,
    headers: HeaderMap,
    Path(id): Path<i64>,
) -> Response {
    let notify = app.calls.notify.clone();
    let by = By { who, until: None };
    done(&app, &headers, "#banners", acted(notify, async |notify| notify.ack(id, &by).await).await)
}

/// The form of the approve buttons.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// The known device the newcomer really is.
    #[serde(default)]
    same_as: Option<String>,
}

pub(crate) async fn approve(
    State(app): State<App>,
    _: Actor,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form<Approval>, sanctum_http::axum::extract::rejection::FormRejection>,
) -> Response {
    // A request without a form is a plain approval; a form that does not read is a mistake worth an answer.
    let same_as = match form {
        Ok(Form(approval)) => approval.same_as.filter(|same_as| !same_as.is_empty()),
        Err(_) if !headers.contains_key(header::CONTENT_TYPE) => None,
        Err(rejection) => {
            let problem = Problem::new(422, "bad-form", "the form does not have the right shape")
                .detail(rejection.body_text());
            return done(&app, &headers, "#devices", Err(Refusal(problem)));
        }
    };
    let naming = Naming { approved: Some(true), same_as, ..Naming::default() };
    let firewall = app.calls.firewall.clone();
    done(
        &app,
        &headers,
        "#devices",
        acted(firewall, async |firewall| firewall.name(&id, &naming).await).await,
    )
}

pub(crate) async fn unlock(
    State(app): State<App>,
    _: Actor,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Response {
    let supervise = app.calls.supervise.clone();
    done(
        &app,
        &headers,
        "#services",
        acted(supervise, async |supervise| supervise.act(&name, "unlock").await).await,
    )
}

/// Acts with the client's own time-out, not the page's patience: whether it was done must be known.
async fn acted<C, T>(
    client: Result<C, String>,
    act: impl AsyncFnOnce(C) -> Result<T, CallError>,
) -> Result<(), Refusal> {
    let client = client.map_err(|reason| {
        Refusal(Problem::new(502, "peer-failed", "a service behind this one failed").detail(reason))
    })?;
    act(client).await.map(drop).map_err(Refusal::from)
}

/// A script hears what came of it; a form without JavaScript is led back to where it was.
fn done(app: &App, headers: &HeaderMap, place: &str, outcome: Result<(), Refusal>) -> Response {
    match outcome {
        Ok(()) if access::wants_page(headers) => Redirect::to(&format!("/{place}")).into_response(),
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(Refusal(problem)) if access::wants_page(headers) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let page =
                pages::door::sorry(&app.house.house.name, "That could not be done", &problem.to_string());
            (status, pages::html(page)).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

pub(crate) async fn style() -> Response {
    asset("text/css; charset=utf-8", pages::assets::CSS)
}

pub(crate) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", pages::assets::JS)
}

pub(crate) async fn icon() -> Response {
    asset("image/svg+xml", pages::assets::ICON)
}

/// Pages name assets together with a hash of what is in them, so a browser may keep them for good.
fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")], text)
        .into_response()
}
