//! A provider's whole message.

use super::{blocks_in, usage};
use crate::{
    Answer, Dialect, Finish, Malformed, Raw, Usage,
    read::{At, Fields, utf8},
};

/// A body with an `error` is no answer: its complaint names that field.
pub(super) fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let root = At::Root;
    let at = &root;
    let mut fields = Fields::read(utf8(body)?, at)?;
    if fields.take("error").is_some() {
        return Err(at.field("error").wrong(crate::fault::read(200, body).message));
    }
    let mut inside = Vec::new();
    let place = at.field("content");
    let blocks =
        fields.list("content", at)?.ok_or_else(|| place.wrong("is missing; an array of blocks is needed"))?;
    let parts = blocks_in::read(&blocks, &place, 0, &mut inside)?;
    let finish = by_word(fields.text("stop_reason", at)?.as_deref(), &parts);
    let used = used(&mut fields, at, &mut inside);
    fields.take("type");
    fields.take("role");
    let answer = Answer {
        from: Dialect::Messages,
        id: fields.owned("id", at)?.unwrap_or_default(),
        model: fields.owned("model", at)?.unwrap_or_default(),
        created: None,
        parts,
        finish,
        stop_sequence: fields.owned("stop_sequence", at)?,
        usage: used,
        extra: Vec::new(),
    };
    let mut extra: Vec<(String, Raw)> = fields.rest();
    // Fields that are always there and say nothing.
    extra.retain(|(_, value)| value.get() != "null");
    extra.append(&mut inside);
    Ok(Answer { extra, ..answer })
}

fn used(fields: &mut Fields<'_>, at: &At<'_>, extra: &mut Vec<(String, Raw)>) -> Option<Usage> {
    let raw = fields.take("usage")?;
    let place = at.field("usage");
    if let Ok(mut rest) = Fields::of(raw, &place) {
        for known in usage::KNOWN {
            rest.take(known);
        }
        rest.rest_inside(&place, 0, extra);
        extra.retain(|(name, value)| !(name.starts_with("/usage/") && value.get() == "null"));
    }
    serde_json::from_str::<usage::Wire>(raw.get()).ok().map(Usage::from)
}

fn by_word(word: Option<&str>, parts: &[crate::Part]) -> Finish {
    finish(word, parts.iter().any(|part| matches!(part, crate::Part::ToolCall { .. })))
}

/// Anthropic's words; servers that imitate it may leave them out.
pub(super) fn finish(word: Option<&str>, calls: bool) -> Finish {
    match word {
        Some("end_turn" | "stop") => Finish::Stop,
        Some("stop_sequence") => Finish::StopSequence,
        Some("max_tokens") => Finish::Length,
        Some("tool_use") => Finish::ToolCalls,
        Some("refusal") => Finish::Refused,
        Some("pause_turn") => Finish::Paused,
        Some(other) => Finish::Other(other.to_owned()),
        None if calls => Finish::ToolCalls,
        None => Finish::Stop,
    }
}
