//! A whole chat completion for a client.

use super::{calls, usage};
use crate::{
    Answer, Dialect, Finish, Part, Written,
    extra::{self, Kept, Losses},
    json::Object,
};

pub(super) fn write(answer: &Answer) -> Written {
    let same = answer.from == Dialect::Chat;
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(512);
    {
        let mut object = Object::new(&mut body);
        object.string("id", &answer.id).string("object", "chat.completion");
        object.integer("created", answer.created.unwrap_or(0)).string("model", &answer.model);
        {
            let mut choices = object.array("choices");
            {
                let mut choice = choices.object();
                choice.count("index", 0);
                message(answer, same, &mut choice, &mut losses);
                let word = finish(&answer.finish, &mut losses);
                let mut kept = extra::under(&answer.extra, "/choices/0").filter(|_| same).peekable();
                if !same || !extra::under(&answer.extra, "/choices/0").any(|(name, _)| name == "logprobs") {
                    choice.null("logprobs");
                }
                choice.string("finish_reason", word);
                if kept.peek().is_some() {
                    choice.fields(kept);
                }
            }
            for (_, other) in extra::under(&answer.extra, "/choices").filter(|_| same) {
                choices.raw(other.get());
            }
        }
        if let Some(used) = &answer.usage {
            usage::write(used, object.key("usage"));
        }
        if same {
            object.fields(extra::own(&answer.extra));
        } else {
            losses.extra("", &answer.extra);
        }
    }
    if answer.stop_sequence.is_some() {
        losses.dropped("stop_sequence");
    }
    Written { body, losses: losses.into_vec() }
}

fn message(answer: &Answer, same: bool, choice: &mut Object<'_>, losses: &mut Losses) {
    let parts = &answer.parts;
    let mut message = choice.object("message");
    message.string("role", "assistant");
    let mut texts = parts
        .iter()
        .filter_map(|part| if let Part::Text { text, .. } = part { Some(text.as_str()) } else { None });
    match texts.next() {
        None => message.null("content"),
        Some(first) => {
            let rest: String = texts.collect();
            if rest.is_empty() {
                message.string("content", first)
            } else {
                message.string("content", &format!("{first}{rest}"))
            }
        }
    };
    if parts.iter().any(|part| matches!(part, Part::Refusal { .. })) {
        calls::refusal(parts, &mut message);
    } else {
        message.null("refusal");
    }
    let kept = Kept::of(&answer.extra, same);
    calls::write_thoughts(&mut message, parts.iter(), &kept, "/choices/0/message");
    calls::answered(parts, &mut message, &kept, "/choices/0/message");
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Text { notes: Some(notes), .. } if same => {
                message.raw("annotations", notes.get());
            }
            Part::Text { notes: Some(_), .. } => losses.dropped(format!("content[{index}].citations")),
            Part::Opaque { .. }
            | Part::Image { .. }
            | Part::Audio { .. }
            | Part::Document { .. }
            | Part::ToolResult { .. } => losses.dropped(format!("content[{index}]")),
            _ => {}
        }
    }
    message.fields(extra::under(&answer.extra, "/choices/0/message").filter(|_| same));
}

/// OpenAI's five words. Others become the nearest, and are reported.
pub(super) fn finish(finish: &Finish, losses: &mut Losses) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Refused => "content_filter",
        Finish::Paused => {
            losses.became("finish.pause_turn", "stop");
            "stop"
        }
        Finish::Other(word) => {
            let near = if word == "model_context_window_exceeded" { "length" } else { "stop" };
            losses.became(format!("finish.{word}"), near);
            near
        }
    }
}
