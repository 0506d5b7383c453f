//! The handlers: who asks, what for, and the library's answer.

use sanctum_api::memory::{
    Audit, Change, Exchange, Found, Graph, Head, Ingested, Kind, Links, List, Note, Page, Rebuilt, Recall,
    Report, Search, State as Numbers, Write, Written,
};
use sanctum_api::{Moment, Problem};
use sanctum_http::{
    Caller, HeaderMap, IntoResponse, Json, LastEventId, Path, Query, Refusal, Response, State, StatusCode,
    events as stream,
};
use sanctum_kernel::trace::TraceId;
use serde::Deserialize;

use crate::library::{Error, Library};

type Answer<T> = Result<Json<T>, Refusal>;

pub(crate) const WHO: &[(&str, &str)] = &[("agent", "for whom, if it is an agent")];
pub(crate) const APPLY: &[(&str, &str)] = &[("apply", "`true`: change what is to be changed")];
pub(crate) const MOST: &[(&str, &str)] = &[("most", "how many notes, 1 to 2000; 500 if absent")];
pub(crate) const LIST: &[(&str, &str)] = &[
    ("folder", "only below this folder"),
    ("agent", "only notes of this agent"),
    ("type", "only notes of this type"),
    ("tag", "only notes with this tag"),
    ("trouble", "`true`: only files something is wrong with"),
    ("limit", "how many, 1 to 1000; 100 if absent"),
    ("cursor", "`next` of the page before"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct For {
    agent: Option<String>,
}

pub(crate) async fn search(
    State(library): State<Library>,
    caller: Caller,
    Json(mut search): Json<Search>,
) -> Answer<Found> {
    search.agent = caller.agent.clone().or(search.agent);
    let who = library.who(&caller, search.agent.as_deref());
    Ok(Json(library.search(&search, &who).await?))
}

pub(crate) async fn recall(
    State(library): State<Library>,
    caller: Caller,
    Json(mut recall): Json<Recall>,
) -> Answer<Found> {
    recall.agent = caller.agent.clone().unwrap_or(recall.agent);
    let who = library.who(&caller, Some(&recall.agent));
    Ok(Json(library.recall(&recall, &who).await?))
}

pub(crate) async fn ingest(
    State(library): State<Library>,
    caller: Caller,
    headers: HeaderMap,
    Json(mut exchange): Json<Exchange>,
) -> Result<(StatusCode, Json<Ingested>), Refusal> {
    if let Some(key) = headers.get("idempotency-key").and_then(|key| key.to_str().ok()) {
        key.clone_into(&mut exchange.key);
    }
    exchange.agent = caller.agent.clone().unwrap_or(exchange.agent);
    let who = library.who(&caller, Some(&exchange.agent));
    Ok((StatusCode::ACCEPTED, Json(library.ingest(exchange, &who).await?)))
}

pub(crate) async fn write(
    State(library): State<Library>,
    caller: Caller,
    Json(mut write): Json<Write>,
) -> Answer<Written> {
    write.agent = caller.agent.clone().or(write.agent);
    let who = library.who(&caller, write.agent.as_deref());
    Ok(Json(library.write(write, &who).await?))
}

pub(crate) async fn read(
    State(library): State<Library>,
    caller: Caller,
    Path(id): Path<String>,
    Query(on_behalf): Query<For>,
) -> Answer<Note> {
    let who = library.who(&caller, on_behalf.agent.as_deref());
    Ok(Json(library.read(&id, &who).await?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listed {
    folder: Option<String>,
    agent: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    tag: Option<String>,
    trouble: bool,
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(crate) async fn list(
    State(library): State<Library>,
    caller: Caller,
    Query(listed): Query<Listed>,
) -> Answer<Page> {
    let Listed { folder, agent, kind, tag, trouble, cursor, limit } = listed;
    let allowed = "`semantic`, `episodic`, `procedural`, `observation` or `session_summary`";
    let word = |word: String| {
        let read = serde_json::from_value::<Kind>(serde_json::Value::String(word.clone()));
        read.map_err(|_| Error::field("type", &word, allowed))
    };
    let list = List { folder, agent, kind: kind.map(word).transpose()?, tag, trouble, cursor, limit };
    Ok(Json(library.list(&list, &library.who(&caller, None)).await?))
}

pub(crate) async fn links(
    State(library): State<Library>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Links> {
    Ok(Json(library.links(&id, &library.who(&caller, None)).await?))
}

pub(crate) async fn delete(
    State(library): State<Library>,
    caller: Caller,
    Path(id): Path<String>,
    Query(on_behalf): Query<For>,
) -> Answer<Head> {
    let who = library.who(&caller, on_behalf.agent.as_deref());
    Ok(Json(library.delete(&id, &who).await?))
}

pub(crate) async fn history(State(library): State<Library>, Path(id): Path<String>) -> Answer<Vec<Change>> {
    Ok(Json(library.history(&id).await?))
}

pub(crate) async fn undo(
    State(library): State<Library>,
    caller: Caller,
    Path(id): Path<String>,
    Query(on_behalf): Query<For>,
) -> Answer<Vec<Change>> {
    let who = library.who(&caller, on_behalf.agent.as_deref());
    Ok(Json(library.undo(&id, &who).await?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Apply {
    apply: bool,
}

pub(crate) async fn consolidate(
    State(library): State<Library>,
    Query(Apply { apply }): Query<Apply>,
) -> Answer<Report> {
    Ok(Json(library.consolidate(apply, library.teller()).await?))
}

pub(crate) async fn reports(State(library): State<Library>) -> Answer<Vec<Report>> {
    Ok(Json(library.reports().await?))
}

pub(crate) async fn audit(State(library): State<Library>) -> Answer<Audit> {
    Ok(Json(library.audit().await?))
}

pub(crate) async fn state(State(library): State<Library>) -> Answer<Numbers> {
    Ok(Json(library.state().await?))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Most {
    most: Option<usize>,
}

pub(crate) async fn graph(
    State(library): State<Library>,
    caller: Caller,
    Query(Most { most }): Query<Most>,
) -> Answer<Graph> {
    let most = most.unwrap_or(500);
    if !(1..=2000).contains(&most) {
        return Err(Error::field("most", &most.to_string(), "1 to 2000").into());
    }
    Ok(Json(library.graph(most, &library.who(&caller, None)).await?))
}

pub(crate) async fn rebuild(State(library): State<Library>) -> Answer<Rebuilt> {
    Ok(Json(library.rebuild(std::sync::Arc::new(|_| {})).await?))
}

pub(crate) async fn events(State(library): State<Library>, last: LastEventId) -> Response {
    stream(library.feed().follow(last.0.as_deref()), library.shared().tasks.stop()).into_response()
}

pub(crate) async fn trace(State(library): State<Library>, Path(id): Path<String>) -> Answer<Vec<Moment>> {
    let trace: TraceId = id.parse().map_err(|_| {
        Refusal(Problem::field("id", id.chars().take(64).collect::<String>(), "32 hexadecimal digits"))
    })?;
    Ok(Json(library.moments(trace)))
}
