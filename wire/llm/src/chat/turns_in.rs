//! The messages of a chat completion request.

use serde_json::value::RawValue;

use super::{assistant, parts};
use crate::{
    Malformed, Part, Raw, Role, Turn,
    read::{At, Content, Fields},
};

const ROLES: &str = "one of `system`, `developer`, `user`, `assistant`, `tool`";

pub(super) fn read(messages: Option<Vec<&RawValue>>, at: &At<'_>) -> Result<Vec<Turn>, Malformed> {
    let messages = messages.ok_or_else(|| at.wrong("is missing; an array of messages is needed"))?;
    if messages.is_empty() {
        return Err(at.wrong("`[]` is empty; at least one message is needed"));
    }
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    for (index, raw) in messages.into_iter().enumerate() {
        let turn = message(raw, &at.index(index))?;
        match turns.last_mut() {
            Some(last) if is_results(last) && is_results(&turn) => last.parts.extend(turn.parts),
            _ => turns.push(turn),
        }
    }
    Ok(turns)
}

/// The results of calls that were made together belong into one turn, as every other dialect has it. A turn that begins
/// with a result holds nothing else here.
fn is_results(turn: &Turn) -> bool {
    turn.role == Role::User
        && turn.extra.is_empty()
        && matches!(turn.parts.first(), Some(Part::ToolResult { .. }))
}

fn message(raw: &RawValue, at: &At<'_>) -> Result<Turn, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    let role_raw = fields.take("role");
    let word = role_raw.and_then(|raw| serde_json::from_str::<&str>(raw.get()).ok());
    let wrong = || match role_raw {
        Some(raw) => at.field("role").is_not(raw, ROLES),
        None => at.field("role").wrong(format!("is missing; it must be {ROLES}")),
    };
    let mut extra = Vec::new();
    let (role, parts) = match word.ok_or_else(wrong)? {
        word @ ("system" | "developer") => {
            if let Some(raw) = role_raw.filter(|_| word == "developer") {
                extra.push(("role".to_owned(), raw.to_owned()));
            }
            (Role::System, content(&mut fields, at, &mut extra)?)
        }
        "user" => (Role::User, content(&mut fields, at, &mut extra)?),
        "assistant" => {
            let spoken = fields.peek("content").is_some_and(|raw| raw.get() != "null");
            let parts = assistant::read(&mut fields, at, 2, &mut extra)?;
            if !spoken && parts.is_empty() && fields.is_empty() && extra.is_empty() {
                return Err(at
                    .field("content")
                    .wrong("is missing; a string, an array of parts or tool_calls are needed"));
            }
            (Role::Assistant, parts)
        }
        "tool" => (Role::User, vec![result(&mut fields, at, &mut extra)?]),
        _ => return Err(wrong()),
    };
    let name = fields.owned("name", at)?;
    extra.extend(fields.rest());
    Ok(Turn { role, parts, name, extra })
}

fn result(fields: &mut Fields<'_>, at: &At<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Part, Malformed> {
    let id = fields.owned("tool_call_id", at)?.ok_or_else(|| {
        at.field("tool_call_id").wrong("is missing; the id of the call that is answered is needed")
    })?;
    Ok(Part::ToolResult {
        id,
        name: fields.owned("name", at)?,
        parts: content(fields, at, extra)?,
        error: false,
        cache: None,
    })
}

fn content(
    fields: &mut Fields<'_>,
    at: &At<'_>,
    extra: &mut Vec<(String, Raw)>,
) -> Result<Vec<Part>, Malformed> {
    let place = at.field("content");
    match fields.get::<Content<'_>>("content", at, "a string or an array of parts")? {
        None => Err(place.wrong("is missing; a string or an array of parts is needed")),
        Some(Content::Text(text)) => Ok(vec![Part::text(text)]),
        Some(Content::Parts(list)) if list.is_empty() => {
            Err(place.wrong("`[]` is empty; at least one part is needed"))
        }
        Some(Content::Parts(list)) => parts::read(&list, &place, 2, extra),
    }
}
