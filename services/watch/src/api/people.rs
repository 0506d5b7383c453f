//! What people say: look now, leave it alone, heed this, try again.

use std::time::Duration;

use sanctum_api::Problem;
use sanctum_api::watch::{Attention, AttentionRequest, Hold, HoldRequest, Incident, Node};
use sanctum_http::{Caller, Json, Path, Refusal, State};
use tokio::sync::oneshot;

use super::{Desk, known, stuck};
use crate::brain::ALL;
use crate::hub::Message;
use crate::words;

/// Longer than this is no maintenance any more.
const LONGEST: Duration = Duration::from_hours(90 * 24);
/// Longer words explain nothing.
const LONGEST_WORD: usize = 200;

/// Says it to the shell, and waits for what it answers.
async fn say<T>(desk: &Desk, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, Refusal> {
    let (done, answer) = oneshot::channel();
    desk.hub.mail.send(message(done)).await.map_err(|_| stuck())?;
    answer.await.map_err(|_| stuck())
}

fn length(length: sanctum_kernel::Period) -> Result<Duration, Refusal> {
    if length.0.is_zero() || length.0 > LONGEST {
        return Err(Problem::field("length", length.to_string(), "more than nothing, at most `90d`").into());
    }
    Ok(length.0)
}

fn short(field: &str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.len() > LONGEST_WORD {
        return Err(Problem::field(field, format!("{} bytes", text.len()), "at most 200 bytes").into());
    }
    Ok(text.to_owned())
}

pub(super) async fn check(State(desk): State<Desk>, Path(name): Path<String>) -> Result<Json<Node>, Refusal> {
    let at = known(&desk, &name)?;
    let name = desk.hub.brain().name(at);
    say(&desk, |done| Message::Check { name, done }).await.map(Json)
}

/// `all`, or a service of the list.
fn place(desk: &Desk, name: &str) -> Result<String, Refusal> {
    if name == ALL {
        return Ok(name.to_owned());
    }
    known(desk, name).map(|at| desk.hub.brain().name(at))
}

pub(super) async fn hold(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    caller: Caller,
    Json(request): Json<HoldRequest>,
) -> Result<Json<Hold>, Refusal> {
    let name = place(&desk, &name)?;
    let until = words::after(desk.hub.now(), length(request.length)?);
    let hold = Hold { until, by: caller.name, why: short("why", &request.why)? };
    say(&desk, |done| Message::Hold { name, hold: Some(hold.clone()), done }).await?;
    Ok(Json(hold))
}

pub(super) async fn release(State(desk): State<Desk>, Path(name): Path<String>) -> Result<Json<()>, Refusal> {
    let name = place(&desk, &name)?;
    say(&desk, |done| Message::Hold { name, hold: None, done }).await.map(Json)
}

pub(super) async fn attend(
    State(desk): State<Desk>,
    caller: Caller,
    Json(request): Json<AttentionRequest>,
) -> Result<Json<Attention>, Refusal> {
    let word = short("word", &request.word)?;
    if word.is_empty() {
        return Err(Problem::field("word", word, "a word such as `recording` or `asleep`").into());
    }
    let until = words::after(desk.hub.now(), length(request.length)?);
    let attention = Attention { word, until, by: caller.name };
    say(&desk, |done| Message::Attend { attention: Some(attention.clone()), done }).await?;
    Ok(Json(attention))
}

pub(super) async fn relax(State(desk): State<Desk>) -> Result<Json<()>, Refusal> {
    say(&desk, |done| Message::Attend { attention: None, done }).await.map(Json)
}

pub(super) async fn again(State(desk): State<Desk>, Path(id): Path<i64>) -> Result<Json<Incident>, Refusal> {
    let known = say(&desk, |done| Message::Again { incident: id, done }).await?;
    let incident = known.ok_or_else(|| Problem::not_found("incident", id.to_string()))?;
    if incident.resolved.is_some() {
        return Err(Problem::conflict(format!("incident {id} is over")).into());
    }
    Ok(Json(incident))
}
