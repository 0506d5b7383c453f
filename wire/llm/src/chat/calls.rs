//! An assistant's message, written: reasoning, text and calls, in the history and in answers.

use super::{request_out::Out, turns_out};
use crate::{
    Dialect, Part, Turn,
    extra::{self},
    json::{Array, Object},
    read::{At, Fields},
};

/// A message of the history.
pub(super) fn assistant<'r>(out: &mut Out<'r>, message: &mut Object<'_>, turn: &'r Turn, index: usize) {
    message.string("role", "assistant");
    turns_out::name(turn, message);
    let said = |part: &Part| match part {
        Part::Text { .. } | Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => true,
        Part::Opaque { dialect, json } => *dialect == Dialect::Chat && place_of(json.get()) == Place::Content,
        _ => false,
    };
    let mut parts = turn.parts.iter().enumerate().filter(|(_, part)| said(part)).peekable();
    let calls = turn.parts.iter().any(is_call);
    if parts.peek().is_some() {
        turns_out::content(out, message, turn, index, parts);
    } else {
        turns_out::fields(out, turn, message);
        if calls || turn.parts.iter().any(|part| matches!(part, Part::Refusal { .. })) {
            message.null("content");
        } else {
            message.string("content", "");
        }
    }
    refusal(&turn.parts, message);
    thoughts(out, message, turn, index);
    if calls {
        tool_calls(out, message, turn, index);
    }
    for (place, part) in turn.parts.iter().enumerate() {
        if matches!(part, Part::Opaque { dialect, .. } if *dialect != Dialect::Chat)
            || matches!(part, Part::ToolResult { .. })
        {
            out.losses.dropped(format!("messages[{index}].content[{place}]"));
        }
    }
}

pub(super) fn refusal(parts: &[Part], message: &mut Object<'_>) {
    let refusal: String = parts
        .iter()
        .filter_map(|part| if let Part::Refusal { text } = part { Some(text.as_str()) } else { None })
        .collect();
    if !refusal.is_empty() {
        message.string("refusal", &refusal);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Content,
    Call,
    Thought,
}

/// Where an opaque part of this dialect stood.
pub(super) fn place_of(json: &str) -> Place {
    let kind =
        Fields::read(json, &At::Root).ok().and_then(|fields| fields.peek_text("type")).unwrap_or_default();
    match &*kind {
        "custom" => Place::Call,
        kind if kind.starts_with("reasoning.") => Place::Thought,
        _ => Place::Content,
    }
}

pub(super) fn is_call(part: &Part) -> bool {
    match part {
        Part::ToolCall { .. } => true,
        Part::Opaque { dialect: Dialect::Chat, json } => place_of(json.get()) == Place::Call,
        _ => false,
    }
}

fn tool_calls<'r>(out: &mut Out<'r>, message: &mut Object<'_>, turn: &'r Turn, index: usize) {
    let mut list = message.array("tool_calls");
    for (count, (place, part)) in turn.parts.iter().enumerate().filter(|(_, part)| is_call(part)).enumerate()
    {
        match part {
            Part::ToolCall { id, cache, .. } => {
                if cache.is_some() {
                    out.losses.dropped(format!("messages[{index}].content[{place}].cache_control"));
                }
                let id = out.ids.call(id);
                let mut object = list.object();
                call(&mut object, &id, part, |function| {
                    if out.same {
                        let way = format!("/tool_calls/{count}/function");
                        function.fields(extra::under(&turn.extra, &way));
                    }
                });
                if out.same {
                    object.fields(extra::under(&turn.extra, &format!("/tool_calls/{count}")));
                }
            }
            Part::Opaque { json, .. } => list.raw(json.get()),
            _ => {}
        }
    }
}

pub(super) fn call(object: &mut Object<'_>, id: &str, part: &Part, more: impl FnOnce(&mut Object<'_>)) {
    let Part::ToolCall { name, arguments, signature, .. } = part else { return };
    object.string("id", id).string("type", "function");
    {
        let mut function = object.object("function");
        // An empty text is no JSON, and servers that parse it refuse the request.
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        function.string("name", name).string("arguments", arguments);
        more(&mut function);
    }
    if let Some(signature) = signature {
        object.object("extra_content").object("google").string("thought_signature", signature);
    }
}

/// Reasoning of the history. From a client of this dialect it goes back as it came. From another one only what bears no
/// foreign signature does: it came from a model behind this dialect, and some of them demand it (DeepSeek: "the
/// reasoning_content in the thinking mode must be passed back"), while OpenAI's own refuse the field.
fn thoughts(out: &mut Out<'_>, message: &mut Object<'_>, turn: &Turn, index: usize) {
    let ours = !super::openai_own(&out.request.model);
    let sayable = |part: &Part| match part {
        Part::Thinking { signature, text } => out.same || (ours && signature.is_none() && !text.is_empty()),
        Part::Redacted { .. } => out.same,
        _ => false,
    };
    let lost: Vec<String> = turn
        .parts
        .iter()
        .enumerate()
        .filter(|(_, part)| matches!(part, Part::Thinking { .. } | Part::Redacted { .. }) && !sayable(part))
        .map(|(place, _)| format!("messages[{index}].content[{place}]"))
        .collect();
    let parts: Vec<&Part> = turn.parts.iter().filter(|part| sayable(part)).collect();
    let kept = if out.same { Some(turn.extra.as_slice()) } else { None };
    write_thoughts(message, &parts, turn, kept);
    for at in lost {
        out.losses.dropped(at);
    }
}

fn write_thoughts(
    message: &mut Object<'_>,
    parts: &[&Part],
    turn: &Turn,
    kept: Option<&[(String, crate::Raw)]>,
) {
    let text = plain(parts.iter().copied());
    if !text.is_empty() {
        message.string("reasoning_content", &text);
    }
    let opaque = |part: &&Part| {
        kept.is_some()
            && matches!(part, Part::Opaque { dialect: Dialect::Chat, json } if place_of(json.get()) == Place::Thought)
    };
    let inner = kept.is_some_and(|kept| kept.iter().any(|(name, _)| name.starts_with("/reasoning_details/")));
    if !(inner || needs_details(parts.iter().copied()) || turn.parts.iter().any(|part| opaque(&part))) {
        return;
    }
    let mut list = message.array("reasoning_details");
    let all = turn
        .parts
        .iter()
        .filter(|part| opaque(part) || parts.iter().any(|sayable| std::ptr::eq(*sayable, *part)));
    for (count, part) in all.enumerate() {
        let rest = kept.map(|kept| (kept, format!("/reasoning_details/{count}")));
        detail(&mut list, part, count, |object| {
            if let Some((kept, way)) = &rest {
                object.fields(extra::under(kept, way));
            }
        });
    }
}

/// All reasoning as one text.
pub(super) fn plain<'p>(parts: impl Iterator<Item = &'p Part>) -> String {
    parts
        .filter_map(|part| if let Part::Thinking { text, .. } = part { Some(text.as_str()) } else { None })
        .collect()
}

/// Whether one plain text would not say all.
pub(super) fn needs_details<'p>(parts: impl Iterator<Item = &'p Part>) -> bool {
    let mut count = 0;
    for part in parts {
        match part {
            Part::Thinking { signature: Some(_), .. } | Part::Redacted { .. } => return true,
            Part::Thinking { .. } => count += 1,
            _ => {}
        }
    }
    count > 1
}

pub(super) fn detail(list: &mut Array<'_>, part: &Part, count: usize, more: impl FnOnce(&mut Object<'_>)) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    match part {
        Part::Thinking { text, signature } => {
            let mut object = list.object();
            object
                .string("type", "reasoning.text")
                .string("text", text)
                .maybe("signature", signature.as_deref());
            object.count("index", count);
            more(&mut object);
        }
        Part::Redacted { data, id } => {
            let mut object = list.object();
            object.string("type", "reasoning.encrypted").string("data", data).maybe("id", id.as_deref());
            object.count("index", count);
            more(&mut object);
        }
        Part::Opaque { json, .. } => list.raw(json.get()),
        _ => {}
    }
}
