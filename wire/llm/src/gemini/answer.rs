//! Whole answers, read and written.

use std::collections::HashMap;

use super::model::Generation;
use super::part::{self, Names, Writer};
use crate::extra::{self, Losses};
use crate::fields::{Fields, malformed};
use crate::json::Object;
use crate::write::{list, object};
use crate::{Answer, Dialect, Finish, Malformed, Part, Raw, Request, Usage, Written};

/// What a candidate says of itself that is not its answer.
const ABOUT: &[&str] = &["index", "tokenCount", "avgLogprobs", "safetyRatings"];

pub(super) fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let mut fields = Fields::body(body)?.camel();
    if let Some(mut error) = fields.object("error")? {
        let message = error.owned("message")?.unwrap_or_default();
        return Err(malformed("error", format!("is there instead of an answer: {message}")));
    }
    let id = fields.owned("responseId")?.unwrap_or_default();
    let mut extra = Vec::new();
    let mut parts = Vec::new();
    let mut finish = None;
    let candidates = fields.list("candidates")?;
    let none = candidates.is_none();
    for (index, raw) in candidates.unwrap_or_default().into_iter().enumerate() {
        let at = format!("candidates[{index}]");
        if index == 0 {
            finish = candidate(Fields::google(raw, at)?, &id, &mut parts, &mut extra)?;
        } else {
            extra.push((format!("/candidates/{index}"), raw.to_owned()));
        }
    }
    let blocked = fields.object_raw("promptFeedback")?;
    match blocked {
        Some(feedback) if parts.is_empty() && finish.is_none() => {
            finish = Some(Finish::Refused);
            extra.push(("promptFeedback".to_owned(), feedback.to_owned()));
        }
        None if none => return Err(malformed("candidates", "is missing; a list of candidates is needed")),
        _ => {}
    }
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let finish = match finish {
        Some(Finish::Stop) if calls => Finish::ToolCalls,
        Some(finish) => finish,
        None => Finish::Other("FINISH_REASON_UNSPECIFIED".to_owned()),
    };
    let usage = fields.object("usageMetadata")?.map(|fields| usage(fields.camel())).transpose()?;
    let model = fields.owned("modelVersion")?.unwrap_or_default();
    // The time in words; this form counts seconds.
    fields.raw("createTime");
    let mut rest = fields.rest();
    rest.append(&mut extra);
    Ok(Answer {
        from: Dialect::Gemini,
        id,
        model,
        created: None,
        parts,
        finish,
        stop_sequence: None,
        usage,
        extra: rest,
    })
}

fn candidate(
    mut fields: Fields<'_>,
    id: &str,
    parts: &mut Vec<Part>,
    extra: &mut Vec<(String, Raw)>,
) -> Result<Option<Finish>, Malformed> {
    let finish = fields.text("finishReason")?.map(|word| finish_of(&word));
    if let Some(mut content) = fields.object("content")?.map(Fields::camel) {
        let at = content.at("parts");
        let mut names = Names::new(id);
        for (index, raw) in content.list("parts")?.unwrap_or_default().into_iter().enumerate() {
            part::read(raw, format!("{at}[{index}]"), &mut names, extra, parts)?;
        }
    }
    // An answer of nothing but signatures has empty texts around them.
    parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    for name in ABOUT {
        fields.raw(name);
    }
    fields.rest_at(extra);
    Ok(finish)
}

pub(super) fn finish_of(word: &str) -> Finish {
    match word {
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => Finish::Refused,
        other => Finish::Other(other.to_owned()),
    }
}

/// Words of this API for an end that is none of the usual.
const ENDS: &[&str] = &[
    "FINISH_REASON_UNSPECIFIED",
    "LANGUAGE",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "OTHER",
];

pub(super) fn finish_word<'f>(finish: &'f Finish, losses: &mut Losses) -> &'f str {
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Refused => "SAFETY",
        Finish::Other(word) if ENDS.contains(&word.as_str()) => word,
        Finish::Paused | Finish::Other(_) => {
            losses.became("finish", "OTHER");
            "OTHER"
        }
    }
}

pub(super) fn usage(mut fields: Fields<'_>) -> Result<Usage, Malformed> {
    let mut count = |name: &str| Ok(fields.whole(name, 0)?.unwrap_or(0));
    let reasoning = count("thoughtsTokenCount")?;
    Ok(Usage {
        input: count("promptTokenCount")? + count("toolUsePromptTokenCount")?,
        cached: count("cachedContentTokenCount")?,
        output: count("candidatesTokenCount")? + reasoning,
        reasoning,
        ..Usage::default()
    })
}

pub(super) fn write_usage(usage: Usage, o: &mut Object<'_>) {
    o.with("usageMetadata", |o| {
        o.put("promptTokenCount", &usage.input);
        if usage.cached > 0 {
            o.put("cachedContentTokenCount", &usage.cached);
        }
        o.put("candidatesTokenCount", &usage.output.saturating_sub(usage.reasoning));
        if usage.reasoning > 0 {
            o.put("thoughtsTokenCount", &usage.reasoning);
        }
        o.put("totalTokenCount", &(usage.input + usage.output));
    });
}

pub(super) fn write(answer: &Answer, asked: &Request) -> Written {
    let mut losses = Losses::default();
    let word = finish_word(&answer.finish, &mut losses).to_owned();
    let mut parts = Vec::new();
    list(&mut parts, |list| {
        // Answers are never taken for calls of another model: no signature is made up for them.
        let mut writer = Writer {
            from: Dialect::Gemini,
            generation: Generation::Budgets,
            functions: HashMap::new(),
            losses: &mut losses,
        };
        writer.parts(&answer.parts, "answer", list);
    });
    if answer.stop_sequence.is_some() {
        losses.dropped("stop_sequence");
    }
    let own = answer.from == Dialect::Gemini;
    let kept = if own { answer.extra.as_slice() } else { &[] };
    let mut body = Vec::with_capacity(parts.len() + 256);
    object(&mut body, |o| {
        o.each("candidates", |list| {
            list.with(|o| {
                o.with("content", |o| {
                    o.key("parts").extend_from_slice(&parts);
                    o.put("role", "model");
                });
                o.put("finishReason", &word);
                o.put("index", &0);
                o.fields(extra::under(kept, "/candidates/0"));
            });
            for (_, raw) in extra::under(kept, "/candidates") {
                list.put(raw);
            }
        });
        if let Some(usage) = answer.usage {
            write_usage(usage, o);
        }
        o.put("modelVersion", if answer.model.is_empty() { &asked.model } else { &answer.model });
        o.put("responseId", &answer.id);
        o.fields(extra::own(kept));
    });
    for field in &answer.extra {
        let placed = own
            && (!field.0.starts_with('/')
                || field.0.matches('/').count() < 4 && field.0.starts_with("/candidates/"));
        if !placed {
            losses.extra("", std::slice::from_ref(field));
        }
    }
    Written { body, losses: losses.take() }
}
