//! The `response` object around the output, whole or in a stream.

use super::ask;
use crate::json::{Array, Object};
use crate::write::object;
use crate::{Choice, Dialect, Fault, Finish, Raw, Request, Tool, Usage, effort, extra};

/// What varies from one response to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a str,
    pub(super) created: i64,
    pub(super) state: State<'a>,
    pub(super) usage: Option<Usage>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum State<'a> {
    InProgress,
    Completed,
    Incomplete(&'a str),
    Failed(&'a Fault),
}

impl<'a> State<'a> {
    /// An answer that ended for a reason this API has no word for is incomplete, in the provider's words.
    pub(super) fn of(finish: &'a Finish) -> Self {
        match finish {
            Finish::Stop | Finish::StopSequence | Finish::ToolCalls => Self::Completed,
            Finish::Length => Self::Incomplete("max_output_tokens"),
            Finish::Refused => Self::Incomplete("content_filter"),
            Finish::Paused => Self::Incomplete("pause_turn"),
            Finish::Other(word) => Self::Incomplete(word),
        }
    }

    /// The status of the last item.
    pub(super) fn item(self) -> &'static str {
        if matches!(self, Self::Completed) { "completed" } else { "incomplete" }
    }

    fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }
}

/// The id of this API for an answer of any provider.
pub(super) fn id(id: &str) -> String {
    if id.starts_with("resp_") { id.to_owned() } else { format!("resp_{}", stem(id)) }
}

/// The part of an id that names the answer rather than the kind of thing.
pub(super) fn stem(id: &str) -> &str {
    ["resp_", "chatcmpl-", "msg_", "gen-"].iter().find_map(|prefix| id.strip_prefix(prefix)).unwrap_or(id)
}

/// Writes a response object; `echo` is what [`echo`] made of the request.
pub(super) fn write(o: &mut Object<'_>, head: Head<'_>, echo: &[u8], output: &[u8]) {
    o.put("id", head.id);
    o.put("object", "response");
    o.put("created_at", &head.created);
    o.put("status", head.state.word());
    let completed = matches!(head.state, State::Completed).then_some(head.created);
    o.put("completed_at", &completed);
    match head.state {
        State::Failed(fault) => o.with("error", |o| {
            o.put("code", fault.code.as_deref().unwrap_or_else(|| super::fault::code(fault.kind)));
            o.put("message", &fault.message);
        }),
        _ => o.put("error", &()),
    }
    match head.state {
        State::Incomplete(reason) => o.with("incomplete_details", |o| o.put("reason", reason)),
        _ => o.put("incomplete_details", &()),
    }
    o.put("model", head.model);
    let out = o.key("output");
    out.push(b'[');
    out.extend_from_slice(output);
    out.push(b']');
    match head.usage {
        Some(tokens) => o.with("usage", |o| usage(o, tokens)),
        None => o.put("usage", &()),
    }
    o.inside(echo);
}

fn usage(o: &mut Object<'_>, usage: Usage) {
    o.put("input_tokens", &usage.input);
    o.with("input_tokens_details", |o| {
        o.put("cached_tokens", &usage.cached);
        o.put("cache_write_tokens", &(usage.written_5m + usage.written_1h));
    });
    o.put("output_tokens", &usage.output);
    o.with("output_tokens_details", |o| o.put("reasoning_tokens", &usage.reasoning));
    o.put("total_tokens", &(usage.input + usage.output));
}

/// The settings of the request as the response repeats them, as the inside of an object. What the provider `told` of
/// them (which tier it served) counts more than what was asked.
pub(super) fn echo(asked: &Request, told: &[(String, Raw)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    object(&mut out, |o| {
        o.put("instructions", &ask::instructions_of(asked));
        o.put("max_output_tokens", &asked.max_tokens);
        o.put("parallel_tool_calls", &asked.parallel.unwrap_or(true));
        o.put("temperature", &asked.temperature.unwrap_or(1.0));
        o.put("top_p", &asked.top_p.unwrap_or(1.0));
        ask::choice(asked.choice.as_ref().unwrap_or(&Choice::Auto), o);
        o.each("tools", |list| asked.tools.iter().for_each(|tool| repeat(tool, list)));
        let reasoning = asked.reasoning.as_ref();
        o.with("reasoning", |o| {
            o.put("effort", &reasoning.and_then(crate::Reasoning::as_effort).map(effort::word));
            o.put("summary", &reasoning.and_then(|reasoning| reasoning.summary.as_deref()));
        });
        o.with("text", |o| {
            o.with("format", |o| ask::shape(asked.format.as_ref().unwrap_or(&crate::Format::Text), o));
            o.some("verbosity", said(asked, "/text/verbosity"));
        });
        o.put("user", &asked.user);
        // Nothing is kept here, whatever was asked.
        o.put("store", &false);
        o.put("background", &false);
        o.put("frequency_penalty", &0.0);
        o.put("presence_penalty", &0.0);
        for (name, default) in REPEATED {
            match extra::get(told, name).or_else(|| said(asked, name)) {
                Some(value) => o.put(name, value),
                None => _ = o.raw(name, default),
            }
        }
    });
    out.strip_prefix(b"{").and_then(|inside| inside.strip_suffix(b"}")).unwrap_or_default().to_vec()
}

/// A tool as responses repeat it: with every field, said or not.
fn repeat(tool: &Tool, list: &mut Array<'_>) {
    match tool {
        Tool::Function { name, description, schema, strict, .. } => list.with(|o| {
            o.put("type", "function");
            o.put("name", name);
            o.put("description", description);
            o.put("parameters", schema);
            o.put("strict", strict);
        }),
        Tool::Opaque { dialect: Dialect::Responses, json } => list.put(json),
        Tool::Opaque { .. } => {}
    }
}

/// Fields that are repeated as they came, and what stands there when they did not.
pub(super) const REPEATED: &[(&str, &str)] = &[
    ("truncation", "\"disabled\""),
    ("previous_response_id", "null"),
    ("max_tool_calls", "null"),
    ("top_logprobs", "0"),
    ("service_tier", "\"default\""),
    ("metadata", "{}"),
    ("safety_identifier", "null"),
    ("prompt_cache_key", "null"),
];

fn said<'r>(asked: &'r Request, name: &str) -> Option<&'r crate::Raw> {
    extra::get(&asked.extra, name).filter(|_| asked.from == Dialect::Responses)
}
