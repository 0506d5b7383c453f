//! Forgetting a note: the user is asked first, in whichever way the client's revision has.

use std::time::Duration;

use sanctum_api::memory::Note;
use sanctum_mcp::modern;
use sanctum_mcp::rmcp::ErrorData;
use sanctum_mcp::rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ElicitRequestParams, ElicitResult,
    ElicitationAction, InputRequest, InputRequiredResult, SealOptions,
};
use sanctum_mcp::rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};

use super::tools::Forget;
use super::{Asker, Inner, says};

/// Name of the question in a round trip.
const QUESTION: &str = "forget";
/// Field of the answer.
const AGREED: &str = "agreed";
/// An answer that comes later is to a question nobody remembers.
const PATIENCE: Duration = Duration::from_mins(10);

pub(super) async fn call(
    inner: &Inner,
    given: Result<Forget, String>,
    request: CallToolRequestParams,
    asker: &Asker,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let given = match given {
        Ok(given) => given,
        Err(words) => return Ok(says::wrong(words).into()),
    };
    let note = match inner.library.read(&given.id, &asker.who).await {
        Ok(note) => note,
        Err(error) => return Ok(says::refused(&error).into()),
    };
    if let Some(confirmed) = &given.confirm
        && *confirmed != note.head.version
    {
        let words = format!(
            "`confirm` is not the version of `{}`: read it with memory_read, show it to the user, and confirm with the version it has then",
            given.id
        );
        return Ok(says::wrong(words).into());
    }
    let asks = context.client_capabilities().is_some_and(|able| able.elicitation.is_some());
    let answer = match (asks, modern(context)) {
        (false, _) if given.confirm.is_some() => Answer::Agreed,
        (false, _) => {
            let words = format!(
                "the user must agree, and this client cannot ask: show them “{}” ({}) and call again with `confirm` = `{}` once they have",
                note.head.title, note.head.path, note.head.version
            );
            return Ok(says::wrong(words).into());
        }
        (true, true) => match round(inner, &request, &note, asker)? {
            Round::Asks(asks) => return Ok(asks.into()),
            Round::Answered(answer) => answer,
        },
        (true, false) => ask(context, &note).await?,
    };
    Ok(match answer {
        Answer::Agreed => forget(inner, &note, asker).await,
        Answer::Declined => says::wrong(format!("the user did not agree: `{}` stays", note.head.id)),
    }
    .into())
}

async fn forget(inner: &Inner, note: &Note, asker: &Asker) -> CallToolResult {
    match inner.library.delete(&note.head.id, &asker.who).await {
        Ok(head) => says::done(&head),
        Err(error) => says::refused(&error),
    }
}

enum Answer {
    Agreed,
    Declined,
}

fn answer(said: &ElicitResult) -> Answer {
    let agreed = said.content.as_ref().and_then(|content| content.get(AGREED)).and_then(Value::as_bool);
    match said.action {
        ElicitationAction::Accept if agreed == Some(true) => Answer::Agreed,
        _ => Answer::Declined,
    }
}

fn question(note: &Note) -> Result<ElicitRequestParams, ErrorData> {
    let head = &note.head;
    let message = format!(
        "Forget “{}” ({})? It can be brought back with `sanctum memory undo {}`.",
        head.title, head.path, head.id
    );
    let schema = json!({
        "type": "object",
        "properties": { AGREED: { "type": "boolean", "title": "Forget it", "default": false } },
        "required": [AGREED],
    });
    let requested_schema =
        serde_json::from_value(schema).map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    Ok(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema })
}

/// Within a session, the question is a request of its own.
async fn ask(context: &RequestContext<RoleServer>, note: &Note) -> Result<Answer, ErrorData> {
    let asking = context.peer.create_elicitation_with_timeout(question(note)?, Some(PATIENCE));
    match asking.await {
        Ok(said) => Ok(answer(&said)),
        Err(error) => Err(ErrorData::internal_error(format!("the user could not be asked: {error}"), None)),
    }
}

enum Round {
    Asks(InputRequiredResult),
    Answered(Answer),
}

/// Where every request stands for itself, the question is its answer, and the answer comes with the same request again: sealed
/// with who was asked about which version of which note, so that a yes to one thing is none to another.
fn round(
    inner: &Inner,
    request: &CallToolRequestParams,
    note: &Note,
    asker: &Asker,
) -> Result<Round, ErrorData> {
    let about = format!("{}\n{}\n{}", asker.who.name, note.head.id, note.head.version);
    let said = request.input_responses.as_ref().and_then(|said| said.get(QUESTION));
    if let (Some(said), Some(state)) = (said, &request.request_state) {
        inner.codec.open_with(state, about.as_bytes()).map_err(|error| {
            let words = format!("`requestState` does not belong to this question: {error}; the note may have changed since: ask again");
            ErrorData::invalid_params(words, None)
        })?;
        // Whatever is no answer is asked again.
        if let Ok(said) = serde_json::from_value::<ElicitResult>(said.clone()) {
            return Ok(Round::Answered(answer(&said)));
        }
    }
    let asks: InputRequest =
        serde_json::from_value(json!({ "method": "elicitation/create", "params": question(note)? }))
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let options = SealOptions::new().associated_data(about.as_bytes()).ttl(PATIENCE);
    let state = inner.codec.seal_with(b"forget", &options);
    Ok(Round::Asks(InputRequiredResult::new(Some([(QUESTION.to_owned(), asks)].into()), Some(state))))
}
