//! A provider's whole chat completion, with what servers get wrong set right.

use serde_json::value::RawValue;

use super::{assistant, usage};
use crate::{
    Answer, Dialect, Finish, Malformed, Part, Usage, ids,
    read::{At, Fields, utf8},
    think,
};

/// A body with an `error`, or with the finish reason `error`, is no answer: its complaint names that field.
pub(super) fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let root = At::Root;
    let at = &root;
    let mut fields = Fields::read(utf8(body)?, at)?;
    if fields.take("error").is_some() {
        return Err(at.field("error").wrong(crate::fault::read(200, body).message));
    }
    let id = fields.owned("id", at)?.unwrap_or_default();
    let model = fields.owned("model", at)?.unwrap_or_default();
    let created = fields.get::<f64>("created", at, "a number of seconds")?;
    let counted = fields.take("usage").and_then(|raw| serde_json::from_str::<usage::Wire>(raw.get()).ok());
    fields.take("object");
    let place = at.field("choices");
    let choices = fields.list("choices", at)?.unwrap_or_default();
    let mut choices = choices.into_iter();
    let first = choices.next().ok_or_else(|| place.wrong("has no choice; at least one is needed"))?;
    let mut extra = Vec::new();
    let (mut parts, finish) = choice(first, &place.index(0), &mut extra)?;
    for (index, other) in choices.enumerate() {
        extra.push((format!("/choices/{}", index + 1), other.to_owned()));
    }
    split_thoughts(&mut parts);
    name_calls(&id, &mut parts);
    let mut own = fields.rest();
    own.append(&mut extra);
    Ok(Answer {
        from: Dialect::Chat,
        finish: finished(finish.as_deref(), &parts),
        id,
        model,
        created: created.map(seconds),
        parts,
        stop_sequence: None,
        usage: counted.map(Usage::from),
        extra: own,
    })
}

type Extra = Vec<(String, crate::Raw)>;

fn choice(raw: &RawValue, at: &At<'_>, extra: &mut Extra) -> Result<(Vec<Part>, Option<String>), Malformed> {
    let mut choice = Fields::of(raw, at)?;
    let finish = choice.owned("finish_reason", at)?;
    if finish.as_deref() == Some("error") {
        return Err(at.field("finish_reason").wrong("the provider ended the answer with an error"));
    }
    choice.take("index");
    let place = at.field("message");
    let mut message =
        choice.object("message", at)?.ok_or_else(|| place.wrong("is missing; an object is needed"))?;
    message.take("role");
    let parts = assistant::read(&mut message, &place, 0, extra)?;
    message.rest_inside(&place, 0, extra);
    choice.rest_inside(at, 0, extra);
    Ok((parts, finish))
}

/// Some servers write fractions of seconds.
#[expect(clippy::cast_possible_truncation, reason = "a time beyond 2^53 seconds is none")]
pub(super) fn seconds(created: f64) -> i64 {
    created as i64
}

/// Reasoning inside of the text becomes a part, unless it is told in a field of its own.
fn split_thoughts(parts: &mut Vec<Part>) {
    if parts.iter().any(|part| matches!(part, Part::Thinking { .. } | Part::Redacted { .. })) {
        return;
    }
    let Some(Part::Text { text, .. }) = parts.first_mut() else { return };
    let mut splitter = think::Splitter::default();
    let (mut thinking, mut rest) = (String::new(), String::new());
    let mut each = |piece: think::Piece<'_>| match piece {
        think::Piece::Thinking(piece) => thinking.push_str(piece),
        think::Piece::Text(piece) => rest.push_str(piece),
    };
    splitter.push(text, &mut each);
    splitter.finish(&mut each);
    if thinking.is_empty() && rest.len() == text.len() {
        return;
    }
    *text = rest;
    if text.is_empty() {
        parts.remove(0);
    }
    if !thinking.is_empty() {
        parts.insert(0, Part::Thinking { text: thinking, signature: None });
    }
}

/// Every call gets an id that no other call of this answer has.
fn name_calls(answer: &str, parts: &mut [Part]) {
    let mut seen: Vec<String> = Vec::new();
    for part in parts {
        if let Part::ToolCall { id, .. } = part {
            let taken = seen.contains(id);
            *id = unique(answer, std::mem::take(id), seen.len(), taken);
            seen.push(id.clone());
        }
    }
}

/// An id for the call after `before` others, of which one may have taken it.
pub(super) fn unique(answer: &str, id: String, before: usize, taken: bool) -> String {
    if id.is_empty() {
        return ids::make(answer, before);
    }
    if taken { format!("{id}_{}", before + 1) } else { id }
}

/// The words of OpenAI and of those who imitate it. Servers that say `stop` beside tool calls mean the calls.
pub(super) fn finished(word: Option<&str>, parts: &[Part]) -> Finish {
    by_word(word, parts.iter().any(|part| matches!(part, Part::ToolCall { .. })))
}

pub(super) fn by_word(word: Option<&str>, calls: bool) -> Finish {
    match word {
        Some("length" | "max_tokens" | "MAX_TOKENS") => Finish::Length,
        Some("content_filter" | "refusal") => Finish::Refused,
        Some(
            "stop" | "eos" | "eos_token" | "end_turn" | "tool_calls" | "function_call" | "tool_use" | "STOP",
        )
        | None => match word {
            Some("tool_calls" | "function_call" | "tool_use") => Finish::ToolCalls,
            _ if calls => Finish::ToolCalls,
            _ => Finish::Stop,
        },
        Some(other) => Finish::Other(other.to_owned()),
    }
}
