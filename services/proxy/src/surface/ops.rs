//! The operations of the house: what operators and the dashboard ask.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use sanctum_api::proxy::{
    Created, Explain, Explanation, Holder, Key, Model, NewKey, ProviderState, ShownKey, Stats, UsageRow,
};
use sanctum_http::axum::Router;
use sanctum_http::{Caller, Json, Op, Path, Query, Refusal, Routes, State};
use sanctum_kernel::{Right, Service};
use serde::Deserialize;

use super::models;
use crate::Proxy;
use crate::gate::Gate;
use crate::{explain, keys, usage};

type Door = Arc<ArcSwap<Gate>>;

pub(crate) fn routes(door: &Door) -> Router {
    let shared = door.load().house.shared.clone();
    Routes::new(const { &Proxy::SPEC }, &shared)
        .on(
            Op::post(
                "/explain",
                "How a request would be routed, with every candidate and why; sends nothing",
            )
            .right(Right::Read)
            .takes::<Explain>()
            .returns::<Explanation>(),
            explained,
        )
        .on(
            Op::get("/stats", "Spend against caps, live requests, providers, last fallbacks")
                .returns::<Stats>(),
            stats,
        )
        .on(
            Op::get("/usage", "What was asked and what it cost").queries(USAGE).returns::<Vec<UsageRow>>(),
            used,
        )
        .on(Op::get("/models", "The models that can be asked for").returns::<Vec<Model>>(), listed)
        .on(Op::get("/keys", "The virtual keys").returns::<Vec<Key>>(), listed_keys)
        .on(
            Op::post("/keys", "Makes a virtual key; its secret is shown this once")
                .takes::<NewKey>()
                .returns::<Created>(),
            create_key,
        )
        .on(
            Op::post("/keys/check", "Whose a secret is, for another service of the house that was shown it")
                .takes::<ShownKey>()
                .returns::<Holder>(),
            check_key,
        )
        .on(Op::delete("/keys/{id}", "Revokes a virtual key").returns::<Key>(), revoke_key)
        .finish(Arc::clone(door))
}

const USAGE: &[(&str, &str)] =
    &[("by", "`agent`, `model` or `day`"), ("days", "how far back from today; 7 if absent")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    by: Option<String>,
    days: Option<u32>,
}

async fn explained(
    State(door): State<Door>,
    caller: Caller,
    Json(ask): Json<Explain>,
) -> Result<Json<Explanation>, Refusal> {
    explain::explain(&door.load(), &caller, &ask).map(Json)
}

async fn stats(State(door): State<Door>) -> Json<Stats> {
    let gate = door.load_full();
    let spending = gate.house.ledger.spending();
    Json(Stats {
        day: spending.day.to_string(),
        house: spending.house,
        agents: spending.agents,
        live: gate.house.live.list(),
        providers: providers(&gate),
        fallbacks: gate.house.fallbacks(),
        requests: gate.house.requests.load(Ordering::Relaxed),
    })
}

pub(crate) fn providers(gate: &Gate) -> Vec<ProviderState> {
    let now = gate.house.shared.clock.now();
    let mut all: Vec<ProviderState> = gate
        .providers
        .values()
        .map(|provider| {
            let look = provider.breaker.look(now);
            let unusable = provider.unusable().map(|why| why.0.clone());
            ProviderState {
                name: provider.name.to_string(),
                kind: provider.kind.word().to_owned(),
                locality: provider.locality().word().to_owned(),
                breaker: look.word.to_owned(),
                because: look.because.or_else(|| unusable.clone()),
                until: look.until,
                first_byte_ms: look.mean_ms,
                key: unusable.is_none(),
            }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

async fn used(State(door): State<Door>, Query(span): Query<Span>) -> Result<Json<Vec<UsageRow>>, Refusal> {
    let log = door.load().house.log.clone();
    let (by, days) = (span.by.unwrap_or_else(|| "agent".to_owned()), span.days.unwrap_or(7));
    // It may have to wait for the log to be counted, which is the work of another thread.
    let rows = tokio::task::spawn_blocking(move || usage::rows(&log, &by, days)).await;
    match rows {
        Ok(rows) => Ok(Json(rows?)),
        Err(error) => Err(Refusal::inside(&error)),
    }
}

async fn listed(State(door): State<Door>) -> Json<Vec<Model>> {
    Json(models::house(&door.load()))
}

async fn listed_keys(State(door): State<Door>) -> Json<Vec<Key>> {
    Json(keys::list(&door.load().house.keys))
}

async fn create_key(State(door): State<Door>, Json(new): Json<NewKey>) -> Result<Json<Created>, Refusal> {
    let house = Arc::clone(&door.load().house);
    keys::create(&house.keys, new).await.map(Json)
}

async fn check_key(State(door): State<Door>, Json(shown): Json<ShownKey>) -> Result<Json<Holder>, Refusal> {
    keys::holder(&door.load().house.keys, &shown).map(Json)
}

async fn revoke_key(State(door): State<Door>, Path(id): Path<String>) -> Result<Json<Key>, Refusal> {
    let house = Arc::clone(&door.load().house);
    keys::revoke(&house.keys, &id).await.map(Json)
}
