//! Whole answers, read and written.

use serde_json::value::RawValue;

use super::envelope::{self, Head, State};
use super::sealed::{self, Sealed};
use super::{content, read};
use crate::extra::Losses;
use crate::fields::{Fields, malformed};
use crate::json::Object;
use crate::write::{list, object};
use crate::{Answer, Dialect, Finish, Malformed, Part, Raw, Request, Usage, Written, extra};

/// What a response repeats of its request or says of itself; none of it is the model's answer.
pub(super) const ECHO: &[&str] = &[
    "background",
    "billing",
    "completed_at",
    "conversation",
    "error",
    "frequency_penalty",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "moderation",
    "object",
    "output_text",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "status",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

pub(super) fn read(body: &[u8]) -> Result<Answer, Malformed> {
    let mut fields = Fields::body(body)?;
    if let Some(mut error) = fields.object("error")? {
        let message = error.owned("message")?.unwrap_or_default();
        return Err(malformed("error", format!("is there instead of an answer: {message}")));
    }
    let mut extra = Vec::new();
    let mut parts = Vec::new();
    let Some(output) = fields.list("output")? else {
        return Err(malformed("output", "is missing; a list of items is needed"));
    };
    for (index, raw) in output.into_iter().enumerate() {
        item(raw, format!("output[{index}]"), &mut extra, &mut parts)?;
    }
    let finish = finish(&mut fields, &parts)?;
    let usage = fields.object("usage")?.map(usage).transpose()?;
    let (id, model) = (fields.needed("id")?.into_owned(), fields.owned("model")?.unwrap_or_default());
    let created = created(&mut fields);
    for name in ECHO {
        fields.raw(name);
    }
    let mut rest = fields.rest();
    rest.append(&mut extra);
    Ok(Answer {
        from: Dialect::Responses,
        id,
        model,
        created,
        parts,
        finish,
        stop_sequence: None,
        usage,
        extra: rest,
    })
}

/// Seconds, which some servers write with a fraction.
pub(super) fn created(fields: &mut Fields<'_>) -> Option<i64> {
    let raw = fields.raw("created_at")?;
    raw.get().split('.').next()?.parse().ok()
}

/// One item of the output as parts.
pub(super) fn item(
    raw: &RawValue,
    at: String,
    extra: &mut Vec<(String, Raw)>,
    parts: &mut Vec<Part>,
) -> Result<(), Malformed> {
    let mut fields = Fields::of(raw, at)?;
    match fields.needed("type")?.as_ref() {
        "message" => {
            let at = fields.at("content");
            if let Some(raw) = fields.raw("content") {
                parts.append(&mut content::read(raw, &at, extra)?);
            }
            let _names = (fields.raw("id"), fields.raw("role"), fields.raw("status"));
            fields.rest_at(extra);
        }
        "function_call" => {
            let id = fields.needed("call_id")?.into_owned();
            let name = fields.needed("name")?.into_owned();
            let arguments = fields.owned("arguments")?.unwrap_or_default();
            let _names = (fields.raw("id"), fields.raw("status"));
            fields.rest_at(extra);
            parts.push(Part::ToolCall { id, name, arguments, signature: None, cache: None });
        }
        "reasoning" => {
            read::reasoning_parts(fields, raw, extra, parts)?;
        }
        _ => parts.push(read::opaque(raw)),
    }
    Ok(())
}

fn finish(fields: &mut Fields<'_>, parts: &[Part]) -> Result<Finish, Malformed> {
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let reason = match fields.object("incomplete_details")? {
        Some(mut details) => details.owned("reason")?,
        None => None,
    };
    Ok(finish_of(fields.text("status")?.as_deref(), reason.as_deref(), calls))
}

pub(super) fn finish_of(status: Option<&str>, reason: Option<&str>, calls: bool) -> Finish {
    match (status, reason) {
        (_, Some("max_output_tokens" | "max_tokens")) => Finish::Length,
        (_, Some("content_filter")) => Finish::Refused,
        (_, Some("pause_turn")) => Finish::Paused,
        (_, Some(reason)) => Finish::Other(reason.to_owned()),
        (None | Some("completed"), None) if calls => Finish::ToolCalls,
        (None | Some("completed"), None) => Finish::Stop,
        (Some(status), None) => Finish::Other(status.to_owned()),
    }
}

pub(super) fn usage(mut fields: Fields<'_>) -> Result<Usage, Malformed> {
    let mut usage = Usage {
        input: fields.whole("input_tokens", 0)?.unwrap_or(0),
        output: fields.whole("output_tokens", 0)?.unwrap_or(0),
        ..Usage::default()
    };
    if let Some(mut details) = fields.object("input_tokens_details")? {
        usage.cached = details.whole("cached_tokens", 0)?.unwrap_or(0);
        usage.written_5m = details.whole("cache_write_tokens", 0)?.unwrap_or(0);
    }
    if let Some(mut details) = fields.object("output_tokens_details")? {
        usage.reasoning = details.whole("reasoning_tokens", 0)?.unwrap_or(0);
    }
    Ok(usage)
}

pub(super) fn write(answer: &Answer, asked: &Request) -> Written {
    let mut losses = Losses::default();
    let mut output = Vec::with_capacity(1024);
    let state = State::of(&answer.finish);
    let stem = envelope::stem(&answer.id);
    items(&mut output, answer, stem, state, &mut losses);
    if answer.stop_sequence.is_some() {
        losses.dropped("stop_sequence");
    }
    let own = answer.from == Dialect::Responses;
    let told = if own { answer.extra.as_slice() } else { &[] };
    let fresh = |name: &str| !envelope::REPEATED.iter().any(|(repeated, _)| *repeated == name);
    for kept in answer.extra.iter().filter(|(name, _)| !own || name.starts_with('/')) {
        losses.extra("", std::slice::from_ref(kept));
    }
    let id = envelope::id(&answer.id);
    let created = answer.created.unwrap_or(0);
    let head = Head { id: &id, model: &answer.model, created, state, usage: answer.usage };
    let mut body = Vec::with_capacity(output.len() + 1024);
    object(&mut body, |o| {
        envelope::write(o, head, &envelope::echo(asked, told), &output);
        o.fields(extra::own(told).filter(|(name, _)| fresh(name)));
    });
    Written { body, losses: losses.take() }
}

/// Parts as items, separated by commas: texts that follow each other are one message.
fn items(out: &mut Vec<u8>, answer: &Answer, stem: &str, state: State<'_>, losses: &mut Losses) {
    let mut rest = answer.parts.iter().enumerate().peekable();
    let mut count = 0;
    while let Some((index, part)) = rest.next() {
        let at = format!("parts[{index}]");
        let before = out.len();
        if before > 0 {
            out.push(b',');
        }
        match part {
            Part::Text { .. } | Part::Refusal { .. } => {
                let mut contents = Vec::new();
                list(&mut contents, |list| {
                    let place = content::Place { at: &at, from: answer.from, assistant: true };
                    content::write(part, place, list, losses);
                    while let Some((_, next)) = rest.next_if(|(_, part)| is_said(part)) {
                        content::write(next, place, list, losses);
                    }
                });
                let status = if rest.peek().is_none() { state.item() } else { "completed" };
                object(out, |o| message(o, &item_id("msg", stem, count), status, &contents));
            }
            Part::ToolCall { id, name, arguments, signature, .. } => {
                if let Some(signature) = signature {
                    let sealed = Sealed::Call { id: id.into(), signature: signature.into() }.write();
                    object(out, |o| reasoning(o, &item_id("rs", stem, count), "", Some(&sealed)));
                    out.push(b',');
                    count += 1;
                }
                object(out, |o| {
                    call(o, &item_id("fc", stem, count), "completed", Call { id, name, arguments });
                });
            }
            Part::Thinking { text, signature } => {
                let own = rest.next_if(|(_, part)| is_own(part)).map(|(_, part)| part);
                let sealed = match (own, signature) {
                    (Some(Part::Redacted { data, .. }), _) => Some(data.clone()),
                    (_, Some(signature)) => Some(Sealed::Thinking(signature.into()).write()),
                    _ => None,
                };
                let id = own_id(own).unwrap_or_else(|| item_id("rs", stem, count));
                object(out, |o| reasoning(o, &id, text, sealed.as_deref()));
            }
            Part::Redacted { data, id } => {
                let (id, sealed) = redacted(data, id.as_deref(), || item_id("rs", stem, count));
                object(out, |o| reasoning(o, &id, "", Some(&sealed)));
            }
            Part::Opaque { dialect: Dialect::Responses, json } => {
                out.extend_from_slice(json.get().as_bytes());
            }
            _ => {
                losses.dropped(at);
                out.truncate(before);
                continue;
            }
        }
        count += 1;
    }
}

fn is_said(part: &Part) -> bool {
    matches!(part, Part::Text { .. } | Part::Refusal { .. })
}

fn is_own(part: &Part) -> bool {
    matches!(part, Part::Redacted { data, id } if sealed::is_own(data, id.as_deref()))
}

fn own_id(part: Option<&Part>) -> Option<String> {
    match part {
        Some(Part::Redacted { id, .. }) => id.clone(),
        _ => None,
    }
}

/// The id and the content of an item of redacted reasoning.
pub(super) fn redacted(data: &str, id: Option<&str>, fresh: impl FnOnce() -> String) -> (String, String) {
    let sealed =
        if sealed::is_own(data, id) { Sealed::Own(data.into()) } else { Sealed::Redacted(data.into()) };
    (id.map_or_else(fresh, ToOwned::to_owned), sealed.write())
}

/// An item's id, the same every time.
pub(super) fn item_id(kind: &str, stem: &str, count: usize) -> String {
    format!("{kind}_{stem}_{count}")
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}

/// An empty text is no JSON, and whoever parses it fails.
pub(super) fn arguments(arguments: &str) -> &str {
    if arguments.is_empty() { "{}" } else { arguments }
}

pub(super) fn message(o: &mut Object<'_>, id: &str, status: &str, contents: &[u8]) {
    o.put("id", id);
    o.put("type", "message");
    o.put("status", status);
    o.put("role", "assistant");
    o.key("content").extend_from_slice(contents);
}

pub(super) fn call(o: &mut Object<'_>, id: &str, status: &str, call: Call<'_>) {
    o.put("id", id);
    o.put("type", "function_call");
    o.put("status", status);
    o.put("call_id", call.id);
    o.put("name", call.name);
    let begun = status == "in_progress";
    o.put("arguments", if begun { call.arguments } else { arguments(call.arguments) });
}

pub(super) fn reasoning(o: &mut Object<'_>, id: &str, text: &str, sealed: Option<&str>) {
    o.put("id", id);
    o.put("type", "reasoning");
    o.each("summary", |list| {
        if !text.is_empty() {
            list.with(|o| {
                o.put("type", "summary_text");
                o.put("text", text);
            });
        }
    });
    o.some("encrypted_content", sealed);
}
