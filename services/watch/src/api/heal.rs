//! What healing knows, did, and can undo.

use sanctum_api::Problem;
use sanctum_api::watch::{Audit, Classified, FreeText, Recipe};
use sanctum_http::{Caller, Json, Path, Query, Refusal, State};
use serde::Deserialize;

use super::{Desk, unkept};
use crate::heal::HealError;

#[derive(Debug, Deserialize)]
pub(super) struct Days {
    days: Option<u32>,
}

fn refuse(error: HealError) -> Refusal {
    match error {
        HealError::NoLine(id) => Problem::not_found("line of the audit", id.to_string()).into(),
        error @ HealError::NotUndone { .. } => Problem::conflict(error.to_string()).into(),
        HealError::Store(error) => unkept(error),
    }
}

pub(super) async fn recipes(State(desk): State<Desk>) -> Result<Json<Vec<Recipe>>, Refusal> {
    desk.hands.0.recipes().await.map(Json).map_err(refuse)
}

pub(super) async fn audit(
    State(desk): State<Desk>,
    Query(days): Query<Days>,
) -> Result<Json<Vec<Audit>>, Refusal> {
    desk.hands.0.audit(days.days.unwrap_or(30).min(3660)).await.map(Json).map_err(refuse)
}

pub(super) async fn undo(
    State(desk): State<Desk>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<Json<Audit>, Refusal> {
    desk.hands.0.undo(id, &caller.name).await.map(Json).map_err(refuse)
}

pub(super) async fn classify(
    State(desk): State<Desk>,
    Json(text): Json<FreeText>,
) -> Result<Json<Classified>, Refusal> {
    if text.text.trim().is_empty() || text.text.len() > 4_000 {
        return Err(Problem::field("text", format!("{} bytes", text.text.len()), "1 to 4000 bytes").into());
    }
    if let Some(service) = &text.service {
        super::known(&desk, service)?;
    }
    Ok(Json(desk.hands.0.classify(&text).await))
}
