//! Requests written for a provider of this dialect.

use super::answer;
use super::content::{self, Place};
use super::sealed;
use crate::chat::{openai_own, spoken, wants_completion_tokens};
use crate::extra::Losses;
use crate::json::{Array, Object};
use crate::write::object;
use crate::{
    Choice, Dialect, Effort, Format, Part, Raw, Reasoning, Request, Role, Tool, Turn, Written, effort, extra,
};

/// Fields that mean the same in OpenAI's chat completions.
const SHARED: &[&str] = &[
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
];

pub(super) fn request(request: &Request) -> Written {
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(1024);
    object(&mut body, |o| {
        o.put("model", &request.model);
        let turns = instructions(request, o);
        o.each("input", |list| {
            for (index, turn) in request.turns.iter().enumerate().skip(turns) {
                Turns { request, index, list, losses: &mut losses }.turn(turn);
            }
        });
        tools(request, o, &mut losses);
        settings(request, o, &mut losses);
        extra_fields(request, o, &mut losses);
    });
    Written { body, losses: losses.take() }
}

/// Writes the first turn as `instructions` if it can be; how many turns that were.
fn instructions(request: &Request, o: &mut Object<'_>) -> usize {
    let Some(text) = instructions_of(request) else { return 0 };
    o.put("instructions", text);
    1
}

/// The text of a first turn that is nothing but instructions.
pub(super) fn instructions_of(request: &Request) -> Option<&str> {
    let turn = request.turns.first().filter(|turn| turn.role == Role::System)?;
    if turn.name.is_some() || !turn.extra.is_empty() {
        return None;
    }
    match turn.parts.as_slice() {
        [Part::Text { text, cache: None, notes: None }] => Some(text),
        _ => None,
    }
}

struct Turns<'t, 'l, 'o> {
    request: &'t Request,
    index: usize,
    list: &'l mut Array<'o>,
    losses: &'l mut Losses,
}

impl<'t> Turns<'t, '_, '_> {
    fn turn(&mut self, turn: &'t Turn) {
        let at = format!("turns[{}]", self.index);
        if turn.name.is_some() {
            self.losses.dropped(format!("{at}.name"));
        }
        if self.request.from != Dialect::Responses {
            self.losses.extra(&at, &turn.extra);
        }
        let mut said = Vec::new();
        let mut parts = turn.parts.iter().enumerate().peekable();
        while let Some((index, part)) = parts.next() {
            if is_content(part) {
                said.push((index, part));
                continue;
            }
            self.message(turn, &std::mem::take(&mut said));
            let sealed = match part {
                Part::Thinking { .. } => match parts.peek() {
                    Some((_, Part::Redacted { data, id })) if sealed::is_own(data, id.as_deref()) => {
                        parts.next().map(|(_, part)| part)
                    }
                    _ => None,
                },
                _ => None,
            };
            self.item(part, sealed, &format!("{at}.parts[{index}]"));
        }
        if !said.is_empty() || turn.parts.is_empty() {
            self.message(turn, &said);
        }
    }

    fn message(&mut self, turn: &Turn, said: &[(usize, &Part)]) {
        if said.is_empty() && !turn.parts.is_empty() {
            return;
        }
        let (request, index, losses) = (self.request, self.index, &mut *self.losses);
        let assistant = turn.role == Role::Assistant;
        self.list.with(|o| {
            o.put("type", "message");
            o.put(
                "role",
                match turn.role {
                    Role::System => "system",
                    Role::User => "user",
                    Role::Assistant => "assistant",
                },
            );
            o.each("content", |list| {
                for (part_index, part) in said {
                    let at = format!("turns[{index}].parts[{part_index}]");
                    content::write(part, Place { at: &at, from: request.from, assistant }, list, losses);
                }
            });
            if request.from == Dialect::Responses {
                o.fields(extra::own(&turn.extra));
            }
        });
    }

    fn item(&mut self, part: &Part, sealed: Option<&Part>, at: &str) {
        match part {
            Part::ToolCall { id, name, arguments, signature, cache } => {
                if signature.is_some() {
                    self.losses.dropped(format!("{at}.signature"));
                }
                if cache.is_some() {
                    self.losses.became(format!("{at}.cache"), "left to the provider, which caches by itself");
                }
                self.list.with(|o| {
                    o.put("type", "function_call");
                    o.put("call_id", id);
                    o.put("name", name);
                    o.put("arguments", answer::arguments(arguments));
                });
            }
            Part::ToolResult { id, parts, error, cache, .. } => {
                self.result(at, id, parts, *error, cache.is_some());
            }
            Part::Thinking { text, signature } => self.thinking(at, text, signature.as_deref(), sealed),
            Part::Redacted { data, id } if sealed::is_own(data, id.as_deref()) => {
                self.list.with(|o| reasoning(o, None, Some((data, id.as_deref()))));
            }
            Part::Opaque { dialect: Dialect::Responses, json } => self.list.put(json),
            _ => self.losses.dropped(at),
        }
    }

    fn result(&mut self, at: &str, id: &str, parts: &[Part], error: bool, marked: bool) {
        if error {
            self.losses.became(format!("{at}.error"), "left to its text");
        }
        if marked {
            self.losses.became(format!("{at}.cache"), "left to the provider, which caches by itself");
        }
        let (from, losses) = (self.request.from, &mut *self.losses);
        self.list.with(|o| {
            o.put("type", "function_call_output");
            o.put("call_id", id);
            if let [Part::Text { text, cache: None, notes: None }] = parts {
                return o.put("output", text);
            }
            o.each("output", |list| {
                for (index, part) in parts.iter().enumerate() {
                    let at = format!("{at}.parts[{index}]");
                    content::write(part, Place { at: &at, from, assistant: false }, list, losses);
                }
            });
        });
    }

    /// Reasoning without OpenAI's own seal means nothing to OpenAI; its own clients' goes back as it came.
    fn thinking(&mut self, at: &str, text: &str, signature: Option<&str>, sealed: Option<&Part>) {
        let own = match sealed {
            Some(Part::Redacted { data, id }) => Some((data.as_str(), id.as_deref())),
            _ => None,
        };
        let ours = own.is_some() || (self.request.from == Dialect::Responses && signature.is_none());
        if !ours {
            return self.losses.became(at, "dropped: only its issuer can read it");
        }
        self.list.with(|o| reasoning(o, Some(text), own));
    }
}

fn reasoning(o: &mut Object<'_>, text: Option<&str>, sealed: Option<(&str, Option<&str>)>) {
    o.put("type", "reasoning");
    o.some("id", sealed.and_then(|(_, id)| id));
    o.each("summary", |list| {
        if let Some(text) = text {
            list.with(|o| {
                o.put("type", "summary_text");
                o.put("text", text);
            });
        }
    });
    o.some("encrypted_content", sealed.map(|(data, _)| data));
}

/// What stands inside of a message rather than beside it.
pub(super) fn is_content(part: &Part) -> bool {
    match part {
        Part::Text { .. }
        | Part::Image { .. }
        | Part::Document { .. }
        | Part::Audio { .. }
        | Part::Refusal { .. } => true,
        Part::Opaque { dialect: Dialect::Responses, json } => json.get().contains("\"input_"),
        _ => false,
    }
}

fn tools(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    if request.tools.is_empty() {
        return;
    }
    o.each("tools", |list| {
        for (index, tool) in request.tools.iter().enumerate() {
            match tool {
                Tool::Function { name, description, schema, strict, cache } => {
                    if cache.is_some() {
                        let at = format!("tools[{index}].cache");
                        losses.became(at, "left to the provider, which caches by itself");
                    }
                    let kept =
                        if request.from == Dialect::Responses { request.extra.as_slice() } else { &[] };
                    list.with(|o| {
                        function(o, (name, description.as_deref()), schema.as_ref(), *strict, request.from);
                        o.fields(extra::under(kept, &format!("/tools/{index}")));
                    });
                }
                Tool::Opaque { dialect: Dialect::Responses, json } => list.put(json),
                Tool::Opaque { .. } => losses.dropped(format!("tools[{index}]")),
            }
        }
    });
}

fn function(
    o: &mut Object<'_>,
    (name, description): (&str, Option<&str>),
    schema: Option<&Raw>,
    strict: Option<bool>,
    from: Dialect,
) {
    o.put("type", "function");
    o.put("name", name);
    o.some("description", description);
    match schema {
        Some(schema) => o.put("parameters", schema),
        None => o.with("parameters", |o| {
            o.put("type", "object");
            o.with("properties", |_| ());
        }),
    }
    // This API is strict unless told otherwise; the others are not.
    let strict = strict.or((from != Dialect::Responses).then_some(false));
    o.some("strict", strict.as_ref());
}

pub(super) fn choice(choice: &Choice, o: &mut Object<'_>) {
    match choice {
        Choice::Auto => o.put("tool_choice", "auto"),
        Choice::None => o.put("tool_choice", "none"),
        Choice::Required => o.put("tool_choice", "required"),
        Choice::Named(name) => o.with("tool_choice", |o| {
            o.put("type", "function");
            o.put("name", name);
        }),
    }
}

fn settings(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    if let Some(wanted) = &request.choice {
        choice(wanted, o);
    }
    o.some("parallel_tool_calls", request.parallel.as_ref());
    o.some("max_output_tokens", request.max_tokens.as_ref());
    o.some("temperature", request.temperature.as_ref());
    o.some("top_p", request.top_p.as_ref());
    o.some("user", request.user.as_deref());
    if request.stream {
        o.put("stream", &true);
    }
    reasoning_settings(request, o, losses);
    text(request, o);
    if request.top_k.is_some() {
        losses.dropped("top_k");
    }
    if !request.stop.is_empty() {
        losses.dropped("stop");
    }
    if request.seed.is_some() {
        losses.dropped("seed");
    }
}

fn reasoning_settings(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    let unsaid = Reasoning::default();
    let reasoning = request.reasoning.as_ref().unwrap_or(&unsaid);
    let own = request.from == Dialect::Responses;
    let mut effort = reasoning.as_effort();
    if !own && openai_own(&request.model) && !wants_completion_tokens(&request.model) {
        // "Unsupported parameter: 'reasoning.effort' is not supported with this model."
        if effort.is_some_and(|effort| effort != Effort::None) {
            losses.became("reasoning", "dropped: this model does none");
        }
        return;
    }
    if let Some(wanted) = effort.filter(|_| !own) {
        let (nearest, word) = spoken(&request.model, wanted);
        if nearest != wanted {
            losses.became("reasoning.effort", format!("`{word}`, the nearest of this model"));
        }
        effort = Some(nearest);
    }
    if let (None, Some(budget), Some(effort)) = (reasoning.effort, reasoning.budget, effort) {
        losses.became("reasoning.budget", format!("{} for {budget} tokens", effort::word(effort)));
    }
    let kept = if own { request.extra.as_slice() } else { &[] };
    let summary = match reasoning.summary.as_deref() {
        Some(word @ ("auto" | "concise" | "detailed")) => Some(word),
        _ if reasoning.shown(request.from) => Some("auto"),
        _ => None,
    };
    if effort.is_none() && summary.is_none() && extra::under(kept, "/reasoning").next().is_none() {
        return;
    }
    o.with("reasoning", |o| {
        o.some("effort", effort.map(effort::word));
        o.some("summary", summary);
        o.fields(extra::under(kept, "/reasoning"));
    });
    // Nothing is kept at the provider for these clients, so what it wants to see again must travel with the answer.
    if !own && effort != Some(Effort::None) {
        o.each("include", |list| list.put("reasoning.encrypted_content"));
    }
}

/// `text`: the shape of the answer and how wordy it is.
fn text(request: &Request, o: &mut Object<'_>) {
    let kept = if request.from == Dialect::Responses { request.extra.as_slice() } else { &[] };
    let wordy = match request.from {
        Dialect::Chat => extra::get(&request.extra, "verbosity"),
        _ => None,
    };
    if request.format.is_none() && wordy.is_none() && extra::under(kept, "/text").next().is_none() {
        return;
    }
    o.with("text", |o| {
        if let Some(format) = &request.format {
            o.with("format", |o| {
                shape(format, o);
                o.fields(extra::under(kept, "/text/format"));
            });
        }
        o.some("verbosity", wordy);
        o.fields(extra::under(kept, "/text"));
    });
}

pub(super) fn shape(format: &Format, o: &mut Object<'_>) {
    match format {
        Format::Text => o.put("type", "text"),
        Format::JsonObject => o.put("type", "json_object"),
        Format::JsonSchema { name, description, schema, strict } => {
            o.put("type", "json_schema");
            o.put("name", name);
            o.some("description", description.as_deref());
            o.put("schema", schema);
            o.some("strict", strict.as_ref());
        }
    }
}

/// Ways into objects that are written with what was kept of them.
const PLACED: &[&str] = &["/text/", "/reasoning/", "/tools/"];

fn extra_fields(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    let mut stores = false;
    for kept in &request.extra {
        let (name, value) = (kept.0.as_str(), &kept.1);
        let (same, elsewhere) = match request.from {
            Dialect::Responses => (!name.starts_with('/'), PLACED.iter().any(|way| name.starts_with(way))),
            Dialect::Chat => (SHARED.contains(&name), name == "verbosity"),
            Dialect::Messages | Dialect::Gemini => (false, false),
        };
        if same {
            o.put(name, value);
            stores |= name == "store";
        } else if !elsewhere {
            losses.extra("", std::slice::from_ref(kept));
        }
    }
    // This API keeps answers for 30 days unless told otherwise; the other APIs keep none.
    if request.from != Dialect::Responses && !stores {
        o.put("store", &false);
    }
}
