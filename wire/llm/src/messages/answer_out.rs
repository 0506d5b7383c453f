//! A whole message for a client.

use super::{blocks_out, seals, usage};
use crate::{
    Answer, Dialect, Finish, Part, Written,
    extra::{self, Kept, Losses},
    json::{Array, Object},
};

pub(super) fn write(answer: &Answer) -> Written {
    let same = answer.from == Dialect::Messages;
    let mut losses = Losses::default();
    let kept = Kept::of(&answer.extra, same);
    let mut body = Vec::with_capacity(512);
    {
        let mut object = Object::new(&mut body);
        object.string("id", &answer.id).string("type", "message").string("role", "assistant");
        object.string("model", &answer.model);
        {
            let mut list = object.array("content");
            for (index, part) in answer.parts.iter().enumerate() {
                block(&kept, same, &mut losses, &mut list, index, part);
            }
        }
        object.string("stop_reason", finish(&answer.finish, &mut losses));
        match &answer.stop_sequence {
            Some(sequence) => object.string("stop_sequence", sequence),
            None => object.null("stop_sequence"),
        };
        {
            let used = answer.usage.unwrap_or_default();
            reasoning(used.reasoning, &mut losses);
            let mut object = object.object("usage");
            usage::write(&used, &mut object);
            object.fields(extra::under(&answer.extra, "/usage").filter(|_| same));
        }
        if same {
            object.fields(extra::own(&answer.extra));
        } else {
            losses.extra("", &answer.extra);
        }
    }
    Written { body, losses: losses.into_vec() }
}

/// Anthropic counts what was thought among what was generated, and not apart.
pub(super) fn reasoning(tokens: u64, losses: &mut Losses) {
    if tokens > 0 {
        losses.became("usage.reasoning", "part of output_tokens");
    }
}

fn block(kept: &Kept<'_>, same: bool, losses: &mut Losses, list: &mut Array<'_>, index: usize, part: &Part) {
    let at = format!("content[{index}]");
    let rest = |object: &mut Object<'_>| {
        object.fields(kept.under(&format!("/content/{index}")));
    };
    match part {
        Part::Text { text, notes, .. } => {
            let mut object = list.object();
            object.string("type", "text").string("text", text);
            match notes {
                Some(notes) if same => {
                    object.raw("citations", notes.get());
                }
                Some(_) => losses.dropped(format!("{at}.annotations")),
                None => {}
            }
            rest(&mut object);
        }
        Part::Refusal { text } => {
            losses.became(at, "as text");
            list.object().string("type", "text").string("text", text);
        }
        Part::ToolCall { id, signature, .. } => {
            if let Some(signature) = signature {
                let data = seals::of_call(id, signature);
                list.object().string("type", "redacted_thinking").string("data", &data);
            }
            let mut object = list.object();
            blocks_out::call(&mut object, id, part, losses, &at);
            rest(&mut object);
        }
        Part::Thinking { text, signature } => {
            let mut object = list.object();
            blocks_out::thinking(&mut object, text, signature.as_deref());
            rest(&mut object);
        }
        Part::Redacted { data, id } => {
            let mut object = list.object();
            object
                .string("type", "redacted_thinking")
                .string("data", &seals::of_redacted(data, id.as_deref()));
            rest(&mut object);
        }
        Part::Opaque { dialect: Dialect::Messages, json } => list.raw(json.get()),
        _ => losses.dropped(at),
    }
}

/// Anthropic's words. Those it does not know become `end_turn`, and are reported.
pub(super) fn finish<'f>(finish: &'f Finish, losses: &mut Losses) -> &'f str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Refused => "refusal",
        Finish::Paused => "pause_turn",
        Finish::Other(word) if matches!(word.as_str(), "model_context_window_exceeded" | "compaction") => {
            word
        }
        Finish::Other(word) => {
            losses.became(format!("finish.{word}"), "end_turn");
            "end_turn"
        }
    }
}
