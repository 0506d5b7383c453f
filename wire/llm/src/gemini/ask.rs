//! Requests written for a provider of this dialect.

use std::collections::HashMap;

use super::model::{self, Generation};
use super::part::Writer;
use super::schema;
use crate::extra::Losses;
use crate::json::{Array, Object};
use crate::write::object;
use crate::{
    Choice, Dialect, Effort, Format, Part, Raw, Reasoning, Request, Role, Tool, Turn, Written, effort, extra,
};

/// Most stop sequences this API takes.
const STOPS: usize = 5;

/// Settings of OpenAI's chat completions that mean the same here.
const SHARED: &[(&str, &str)] = &[
    ("frequency_penalty", "frequencyPenalty"),
    ("presence_penalty", "presencePenalty"),
    ("n", "candidateCount"),
];

/// Ways into objects that are written with what was kept of them.
const PLACED: &[&str] = &["/generationConfig/", "/toolConfig/"];

pub(super) fn request(request: &Request) -> Written {
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(1024);
    object(&mut body, |o| {
        turns(request, o, &mut losses);
        tools(request, o, &mut losses);
        tool_config(request, o, &mut losses);
        settings(request, o, &mut losses);
        if request.user.is_some() {
            losses.dropped("user");
        }
        extras(request, o, &mut losses);
    });
    Written { body, losses: losses.take() }
}

fn turns(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    let mut functions = HashMap::new();
    for part in request.turns.iter().flat_map(|turn| &turn.parts) {
        if let Part::ToolCall { id, name, .. } = part {
            functions.insert(id.as_str(), name.as_str());
        }
    }
    let generation = model::generation(&request.model);
    let mut writer = Writer { from: request.from, generation, functions, losses };
    let system = |turn: &&Turn| turn.role == Role::System;
    if request.turns.iter().any(|turn| system(&turn)) {
        o.with("systemInstruction", |o| {
            o.each("parts", |list| {
                for (index, turn) in request.turns.iter().enumerate().filter(|(_, turn)| system(turn)) {
                    let at = format!("turns[{index}]");
                    unsaid(turn, &at, writer.losses);
                    if request.turns.iter().take(index).any(|earlier| earlier.role != Role::System) {
                        writer
                            .losses
                            .became(format!("{at}.role"), "part of the instructions at the beginning");
                    }
                    writer.parts(&turn.parts, &at, list);
                }
            });
        });
    }
    o.each("contents", |list| {
        let mut rest = request.turns.iter().enumerate().filter(|(_, turn)| !system(turn)).peekable();
        while let Some((index, turn)) = rest.next() {
            let mut parts = Vec::new();
            crate::write::list(&mut parts, |inside| {
                let at = format!("turns[{index}]");
                unsaid(turn, &at, writer.losses);
                writer.parts(&turn.parts, &at, inside);
                // Results must stand together, as many as there were calls.
                while let Some((index, next)) = rest.next_if(|(_, next)| results(turn) && results(next)) {
                    let at = format!("turns[{index}]");
                    unsaid(next, &at, writer.losses);
                    writer.parts(&next.parts, &at, inside);
                }
            });
            if parts == b"[]" {
                if turn.parts.is_empty() {
                    writer.losses.dropped(format!("turns[{index}]"));
                }
                continue;
            }
            list.with(|o| {
                o.put("role", if turn.role == Role::Assistant { "model" } else { "user" });
                o.key("parts").extend_from_slice(&parts);
            });
        }
    });
}

fn results(turn: &Turn) -> bool {
    turn.role == Role::User && turn.parts.iter().all(|part| matches!(part, Part::ToolResult { .. }))
}

fn unsaid(turn: &Turn, at: &str, losses: &mut Losses) {
    if turn.name.is_some() {
        losses.dropped(format!("{at}.name"));
    }
    losses.extra(at, &turn.extra);
}

fn tools(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    if request.tools.is_empty() {
        return;
    }
    let old = model::generation(&request.model) == Generation::Old;
    let mut others: Vec<&Raw> = Vec::new();
    let mut declared = Vec::new();
    crate::write::list(&mut declared, |list| {
        for (index, tool) in request.tools.iter().enumerate() {
            let at = format!("tools[{index}]");
            match tool {
                Tool::Opaque { dialect: Dialect::Gemini, json } => others.push(json),
                Tool::Opaque { .. } => losses.dropped(at),
                Tool::Function { strict, cache, .. } => {
                    if *strict == Some(true) {
                        losses.dropped(format!("{at}.strict"));
                    }
                    if cache.is_some() {
                        losses.became(format!("{at}.cache"), "left to the provider, which caches by itself");
                    }
                    declare(tool, old, &at, list, losses);
                }
            }
        }
    });
    if declared == b"[]" && others.is_empty() {
        return;
    }
    o.each("tools", |list| {
        if declared != b"[]" {
            list.with(|o| o.key("functionDeclarations").extend_from_slice(&declared));
        }
        for other in others {
            list.put(other);
        }
    });
}

fn declare(tool: &Tool, old: bool, at: &str, list: &mut Array<'_>, losses: &mut Losses) {
    let Tool::Function { name, description, schema, .. } = tool else { return };
    list.with(|o| {
        o.put("name", name);
        o.some("description", description.as_deref());
        match schema {
            Some(schema) if old => {
                let reduced = schema::subset(schema, &format!("{at}.parameters"), losses);
                o.put("parameters", &reduced);
            }
            Some(schema) => o.put("parametersJsonSchema", schema),
            None => {}
        }
    });
}

fn kept(request: &Request) -> &[(String, Raw)] {
    if request.from == Dialect::Gemini { &request.extra } else { &[] }
}

fn tool_config(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    if request.parallel == Some(false) && !request.tools.is_empty() {
        losses.dropped("parallel_tool_calls");
    }
    let kept = kept(request);
    let inside = "/toolConfig/functionCallingConfig";
    let mode = match &request.choice {
        Some(Choice::Auto) => Some("AUTO"),
        Some(Choice::None) => Some("NONE"),
        Some(Choice::Required | Choice::Named(_)) => Some("ANY"),
        None => None,
    };
    let mode = mode.filter(|_| extra::get(kept, &format!("{inside}/mode")).is_none());
    if mode.is_none() && !kept.iter().any(|(name, _)| name.starts_with("/toolConfig/")) {
        return;
    }
    o.with("toolConfig", |o| {
        o.with("functionCallingConfig", |o| {
            o.some("mode", mode);
            if let Some(Choice::Named(name)) = &request.choice {
                o.put("allowedFunctionNames", &[name]);
            }
            o.fields(extra::under(kept, inside));
        });
        o.fields(extra::under(kept, "/toolConfig"));
    });
}

fn settings(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    let mut config = Vec::new();
    object(&mut config, |o| {
        o.some("maxOutputTokens", request.max_tokens.as_ref());
        o.some("temperature", request.temperature.as_ref());
        o.some("topP", request.top_p.as_ref());
        o.some("topK", request.top_k.as_ref());
        stops(&request.stop, o, losses);
        match request.seed.map(i32::try_from) {
            Some(Ok(seed)) => o.put("seed", &seed),
            Some(Err(_)) => losses.became("seed", "dropped: it has more than 32 bits"),
            None => {}
        }
        format(request, o, losses);
        if let Some(reasoning) = &request.reasoning {
            thinking(request, reasoning, o, losses);
        }
        if request.from == Dialect::Chat {
            for (name, here) in SHARED {
                o.some(here, extra::get(&request.extra, name));
            }
        }
        o.fields(extra::under(kept(request), "/generationConfig"));
    });
    if config != b"{}" {
        o.key("generationConfig").extend_from_slice(&config);
    }
}

fn stops(stop: &[String], o: &mut Object<'_>, losses: &mut Losses) {
    let Some((kept, more)) = stop.split_at_checked(STOPS.min(stop.len())) else { return };
    if !more.is_empty() {
        losses.became("stop", format!("its first {STOPS}"));
    }
    if !kept.is_empty() {
        o.put("stopSequences", kept);
    }
}

fn format(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    match &request.format {
        None => {}
        Some(Format::Text) => o.put("responseMimeType", "text/plain"),
        Some(Format::JsonObject) => o.put("responseMimeType", "application/json"),
        Some(Format::JsonSchema { schema, description, .. }) => {
            if description.is_some() {
                losses.dropped("response_format.description");
            }
            o.put("responseMimeType", "application/json");
            if model::generation(&request.model) == Generation::Old {
                o.put("responseSchema", &schema::subset(schema, "response_format.schema", losses));
            } else {
                o.put("responseJsonSchema", schema);
            }
        }
    }
}

/// How much to think, in the words of the model's generation.
fn thinking(request: &Request, reasoning: &Reasoning, o: &mut Object<'_>, losses: &mut Losses) {
    let generation = model::generation(&request.model);
    let off = reasoning.enabled == Some(false) || reasoning.effort == Some(Effort::None);
    if generation == Generation::Old {
        if !off {
            losses.became("reasoning", "dropped: this model does not think");
        }
        return;
    }
    let shown = reasoning.shown(request.from);
    let mut config = Vec::new();
    object(&mut config, |o| {
        match generation {
            _ if off && generation == Generation::Levels => {
                let level = model::level(&request.model, Effort::None);
                losses.became("reasoning.enabled", format!("the least level of this model, `{level}`"));
                o.put("thinkingLevel", level);
            }
            _ if off => budget(request, 0, o, losses),
            _ if reasoning.budget.is_some() && reasoning.effort.is_none() => {
                budget(request, reasoning.budget.unwrap_or_default(), o, losses);
            }
            Generation::Budgets => match reasoning.effort {
                Some(effort) => budget(request, effort::budget(effort), o, losses),
                None if reasoning.adaptive => o.put("thinkingBudget", &-1),
                None => {}
            },
            _ => match reasoning.effort {
                Some(effort) => level(request, effort, o, losses),
                None if reasoning.adaptive && request.from == Dialect::Gemini => o.put("thinkingBudget", &-1),
                None => {}
            },
        }
        if shown {
            o.put("includeThoughts", &true);
        }
        o.fields(extra::under(kept(request), "/generationConfig/thinkingConfig"));
    });
    if config != b"{}" {
        o.key("thinkingConfig").extend_from_slice(&config);
    }
}

fn budget(request: &Request, tokens: u64, o: &mut Object<'_>, losses: &mut Losses) {
    let (least, most) = match model::generation(&request.model) {
        Generation::Budgets => model::budgets(&request.model),
        _ => (0, u64::MAX),
    };
    let clamped = tokens.clamp(least, most);
    if clamped != tokens {
        losses.became("reasoning.budget", format!("clamped to {clamped}"));
    }
    o.put("thinkingBudget", &clamped);
}

fn level(request: &Request, effort: Effort, o: &mut Object<'_>, losses: &mut Losses) {
    let level = model::level(&request.model, effort);
    if request.from == Dialect::Gemini {
        return o.put("thinkingLevel", effort::word(effort));
    }
    if level != effort::word(effort) {
        losses.became("reasoning.effort", format!("`{level}`, the nearest level of this model"));
    }
    o.put("thinkingLevel", level);
}

fn extras(request: &Request, o: &mut Object<'_>, losses: &mut Losses) {
    for kept in &request.extra {
        let name = kept.0.as_str();
        let (same, elsewhere) = match request.from {
            Dialect::Gemini => (!name.starts_with('/'), PLACED.iter().any(|way| name.starts_with(way))),
            Dialect::Chat => (false, SHARED.iter().any(|(shared, _)| *shared == name)),
            Dialect::Messages | Dialect::Responses => (false, false),
        };
        if same {
            o.put(name, &kept.1);
        } else if !elsewhere {
            losses.extra("", std::slice::from_ref(kept));
        }
    }
}
