//! An assistant's message, written: reasoning, text and calls, in the history and in answers.

use super::{request_out::Out, turns_out};
use crate::{
    Dialect, Part, Turn,
    extra::Kept,
    json::{Array, Object},
};

/// A message of the history.
pub(super) fn assistant<'r>(out: &mut Out<'r>, message: &mut Object<'_>, turn: &'r Turn, index: usize) {
    message.string("role", "assistant");
    turns_out::name(turn, message);
    let said = |part: &Part| match part {
        Part::Text { .. } | Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => true,
        Part::Opaque { dialect, .. } => *dialect == Dialect::Chat,
        _ => false,
    };
    let mut parts = turn.parts.iter().enumerate().filter(|(_, part)| said(part)).peekable();
    let kept = Kept::of(&turn.extra, out.same);
    let calls = turn.parts.iter().any(is_call) || holds(&kept, "/tool_calls");
    if parts.peek().is_some() {
        turns_out::content(out, message, turn, &kept, index, parts);
    } else {
        turns_out::fields(out, turn, message);
        if calls || turn.parts.iter().any(|part| matches!(part, Part::Refusal { .. })) {
            message.null("content");
        } else {
            message.string("content", "");
        }
    }
    refusal(&turn.parts, message);
    thoughts(out, message, turn, &kept, index);
    if calls {
        tool_calls(out, message, turn, &kept, index);
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
    let said = |part: &Part| if let Part::Refusal { text } = part { Some(text.clone()) } else { None };
    let refusal: String = parts.iter().filter_map(said).collect();
    if !refusal.is_empty() {
        message.string("refusal", &refusal);
    }
}

fn is_call(part: &Part) -> bool {
    matches!(part, Part::ToolCall { .. })
}

fn is_thought(part: &Part) -> bool {
    matches!(part, Part::Thinking { .. } | Part::Redacted { .. })
}

/// Whether whole elements of the list at `way` were kept because nobody knows their kind.
fn holds(kept: &Kept<'_>, way: &str) -> bool {
    kept.under(way).next().is_some()
}

/// Writes a list of which some elements were kept whole, each where it stood.
fn list<'p>(
    list: &mut Array<'_>,
    kept: &Kept<'_>,
    way: &str,
    parts: impl Iterator<Item = &'p Part>,
    mut each: impl FnMut(&mut Array<'_>, usize, &'p Part),
) {
    let mut count = 0;
    // They are in the order in which they stood.
    let mut whole =
        kept.under(way).filter_map(|(leaf, raw)| Some((leaf.parse::<usize>().ok()?, raw))).peekable();
    let mut raw = |list: &mut Array<'_>, count: &mut usize| {
        while let Some((_, raw)) = whole.next_if(|(place, _)| place == count) {
            list.raw(raw.get());
            *count += 1;
        }
    };
    for part in parts {
        raw(list, &mut count);
        each(list, count, part);
        count += 1;
    }
    raw(list, &mut count);
}

fn tool_calls<'r>(
    out: &mut Out<'r>,
    message: &mut Object<'_>,
    turn: &'r Turn,
    kept: &Kept<'_>,
    index: usize,
) {
    let parts = turn.parts.iter().filter(|part| is_call(part));
    list(&mut message.array("tool_calls"), kept, "/tool_calls", parts, |list, count, part| {
        let Part::ToolCall { id, cache, name, .. } = part else { return };
        if cache.is_some() {
            out.losses.dropped(format!("messages[{index}].tool_calls.{name}.cache_control"));
        }
        let id = out.ids.call(id);
        call(&mut list.object(), &id, part, kept, &format!("/tool_calls/{count}"));
    });
}

/// The calls of an answer; `way` leads to its message.
pub(super) fn answered(parts: &[Part], message: &mut Object<'_>, kept: &Kept<'_>, way: &str) {
    let way = format!("{way}/tool_calls");
    if !parts.iter().any(is_call) && !holds(kept, &way) {
        return;
    }
    let parts = parts.iter().filter(|part| is_call(part));
    list(&mut message.array("tool_calls"), kept, &way, parts, |list, count, part| {
        let Part::ToolCall { id, .. } = part else { return };
        call(&mut list.object(), id, part, kept, &format!("{way}/{count}"));
    });
}

fn call(object: &mut Object<'_>, id: &str, part: &Part, kept: &Kept<'_>, way: &str) {
    let Part::ToolCall { name, arguments, signature, .. } = part else { return };
    object.string("id", id).string("type", "function");
    {
        let mut function = object.object("function");
        // An empty text is no JSON, and whoever parses it fails.
        let arguments = if arguments.is_empty() { "{}" } else { arguments };
        function.string("name", name).string("arguments", arguments);
        function.fields(kept.under(&format!("{way}/function")));
    }
    if let Some(signature) = signature {
        object.object("extra_content").object("google").string("thought_signature", signature);
    }
    object.fields(kept.under(way));
}

/// Reasoning of the history. From a client of this dialect it goes back as it came. From another one only what bears no
/// foreign signature does: it came from a model behind this dialect, and some of them demand it (DeepSeek: "the
/// reasoning_content in the thinking mode must be passed back"), while OpenAI's own refuse the field.
fn thoughts(out: &mut Out<'_>, message: &mut Object<'_>, turn: &Turn, kept: &Kept<'_>, index: usize) {
    let ours = !super::openai_own(&out.request.model);
    let sayable = |part: &Part| match part {
        Part::Thinking { signature, text } => out.same || (ours && signature.is_none() && !text.is_empty()),
        Part::Redacted { .. } => out.same,
        _ => false,
    };
    for (place, part) in turn.parts.iter().enumerate() {
        if is_thought(part) && !sayable(part) {
            out.losses.dropped(format!("messages[{index}].content[{place}]"));
        }
    }
    let parts = turn.parts.iter().filter(|part| sayable(part));
    write_thoughts(message, parts, kept, "");
}

/// `reasoning_content`, and `reasoning_details` where one text does not say all; `way` leads to the message.
pub(super) fn write_thoughts<'p>(
    message: &mut Object<'_>,
    parts: impl Iterator<Item = &'p Part> + Clone,
    kept: &Kept<'_>,
    way: &str,
) {
    let parts = parts.filter(|part| is_thought(part));
    let plain =
        |part: &'p Part| if let Part::Thinking { text, .. } = part { Some(text.as_str()) } else { None };
    let text: String = parts.clone().filter_map(plain).collect();
    if !text.is_empty() {
        message.string("reasoning_content", &text);
    }
    let way = format!("{way}/reasoning_details");
    let inner = kept.within(&way);
    if !inner && !needs_details(parts.clone()) {
        return;
    }
    list(&mut message.array("reasoning_details"), kept, &way, parts, |list, count, part| {
        let mut object = list.object();
        match part {
            Part::Thinking { text, signature } => {
                object.string("type", "reasoning.text").string("text", text);
                object.maybe("signature", signature.as_deref());
            }
            Part::Redacted { data, id } => {
                object.string("type", "reasoning.encrypted").string("data", data).maybe("id", id.as_deref());
            }
            _ => {}
        }
        object.count("index", u64::try_from(count).unwrap_or(u64::MAX));
        object.fields(kept.under(&format!("{way}/{count}")));
    });
}

/// Whether one plain text would not say all.
fn needs_details<'p>(parts: impl Iterator<Item = &'p Part>) -> bool {
    let mut count = 0;
    for part in parts {
        match part {
            Part::Thinking { signature: None, .. } => count += 1,
            _ => return true,
        }
    }
    count > 1
}
