//! A request for messages, for a provider.

use super::{reasoning::Plan, turns_out};
use crate::{
    Choice, Dialect, Format, Request, Tool, Written,
    extra::{self, Kept, Losses},
    ids,
    json::{Array, Object},
};

/// What the writing of one request carries along.
#[derive(Debug)]
pub(super) struct Out<'r> {
    pub(super) request: &'r Request,
    /// The request was read from this dialect: its extra fields and opaque blocks can be said again.
    pub(super) same: bool,
    pub(super) losses: Losses,
    pub(super) ids: ids::Ids<'r>,
}

pub(super) fn write(request: &Request) -> Written {
    let same = request.from == Dialect::Messages;
    let ids = if same { ids::Ids::verbatim() } else { ids::Ids::new(ids::MESSAGES) };
    let mut out = Out { request, same, losses: Losses::default(), ids };
    let mut body = Vec::with_capacity(1024);
    {
        let mut object = Object::new(&mut body);
        let plan = Plan::of(&mut out);
        object.string("model", &request.model).count("max_tokens", plan.max_tokens);
        turns_out::write(&mut out, &mut object);
        let tools = tools(&mut out, &mut object);
        choice(&mut out, &mut object, tools);
        settings(&mut out, &plan, &mut object);
        format(&mut out);
        plan.write(&mut out, &mut object);
        if request.stream {
            object.flag("stream", true);
        }
        user(&out, &mut object);
        if same {
            object.fields(extra::own(&request.extra));
        } else {
            out.losses.extra("", &request.extra);
        }
    }
    Written { body, losses: out.losses.into_vec() }
}

fn settings(out: &mut Out<'_>, plan: &Plan, object: &mut Object<'_>) {
    let request = out.request;
    let bound = !out.same && plan.thinks();
    match request.temperature {
        Some(temperature) if bound && (temperature - 1.0).abs() > f64::EPSILON => {
            out.losses.dropped("temperature, because thinking allows none");
        }
        Some(temperature) if temperature > 1.0 => {
            out.losses.became("temperature", "clamped to 1");
            object.float("temperature", 1.0);
        }
        Some(temperature) => {
            object.float("temperature", temperature);
        }
        None => {}
    }
    match request.top_p {
        // "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled".
        Some(top_p) if bound && top_p < 0.95 => out.losses.dropped("top_p, because thinking allows none"),
        Some(top_p) => {
            object.float("top_p", top_p);
        }
        None => {}
    }
    if let Some(top_k) = request.top_k {
        if bound {
            out.losses.dropped("top_k, because thinking allows none");
        } else {
            object.count("top_k", top_k);
        }
    }
    stops(out, object);
    if request.seed.is_some() {
        out.losses.dropped("seed");
    }
}

/// "each stop sequence must contain non-whitespace".
fn stops(out: &mut Out<'_>, object: &mut Object<'_>) {
    let request = out.request;
    let sayable = |stop: &str| out.same || !stop.trim().is_empty();
    let stops: Vec<&str> = request.stop.iter().map(String::as_str).filter(|stop| sayable(stop)).collect();
    if !stops.is_empty() {
        let mut list = object.array("stop_sequences");
        for stop in &stops {
            list.string(stop);
        }
    }
    if stops.len() < request.stop.len() {
        out.losses.dropped("stop sequences of blanks");
    }
}

/// `output_config.format` itself is written with the rest of `output_config`.
fn format(out: &mut Out<'_>) {
    match &out.request.format {
        Some(Format::JsonObject) => out.losses.dropped("response_format.json_object"),
        Some(Format::JsonSchema { name, description, strict, .. }) => {
            if !name.is_empty() {
                out.losses.dropped("response_format.name");
            }
            if description.is_some() {
                out.losses.dropped("response_format.description");
            }
            // Anthropic is always strict.
            if *strict == Some(false) {
                out.losses.became("response_format.strict", "true");
            }
        }
        Some(Format::Text) | None => {}
    }
}

fn user(out: &Out<'_>, object: &mut Object<'_>) {
    let request = out.request;
    let mut kept = extra::under(&request.extra, "/metadata").filter(|_| out.same).peekable();
    if request.user.is_some() || kept.peek().is_some() {
        let mut metadata = object.object("metadata");
        metadata.maybe("user_id", request.user.as_deref());
        metadata.fields(kept);
    }
}

/// Returns how many could be said.
fn tools(out: &mut Out<'_>, object: &mut Object<'_>) -> usize {
    let request = out.request;
    let mut count = 0;
    for (index, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Opaque { dialect, .. } if *dialect != Dialect::Messages => {
                out.losses.dropped(format!("tools[{index}]"));
            }
            _ => count += 1,
        }
    }
    if count == 0 {
        return 0;
    }
    let kept = Kept::of(&request.extra, out.same);
    let mut list = object.array("tools");
    for (index, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Opaque { dialect: Dialect::Messages, json } => list.raw(json.get()),
            Tool::Opaque { .. } => {}
            Tool::Function { .. } => function(out, &mut list, &kept, index, tool),
        }
    }
    count
}

fn function(out: &Out<'_>, list: &mut Array<'_>, kept: &Kept<'_>, index: usize, tool: &Tool) {
    let Tool::Function { name, description, schema, strict, cache } = tool else { return };
    let mut object = list.object();
    object.string("name", name).maybe("description", description.as_deref());
    match schema {
        // "input_schema.type: Field required".
        Some(schema) if out.same || schema.get().trim() != "{}" => object.raw("input_schema", schema.get()),
        None if out.same => &mut object,
        _ => object.raw("input_schema", r#"{"type":"object","properties":{}}"#),
    };
    if let Some(strict) = strict {
        object.flag("strict", *strict);
    }
    if let Some(cache) = cache {
        cache.write(&mut object);
    }
    object.fields(kept.under(&format!("/tools/{index}")));
}

fn choice(out: &mut Out<'_>, object: &mut Object<'_>, tools: usize) {
    let request = out.request;
    // "tool_choice may only be specified while providing tools".
    if tools == 0 && !out.same {
        if matches!(request.choice, Some(Choice::Required | Choice::Named(_))) {
            out.losses.dropped("tool_choice");
        }
        return;
    }
    let kind = match &request.choice {
        None if request.parallel == Some(false) => "auto",
        None => return,
        Some(Choice::Auto) => "auto",
        Some(Choice::None) => "none",
        Some(Choice::Required) => "any",
        Some(Choice::Named(_)) => "tool",
    };
    let mut choice = object.object("tool_choice");
    choice.string("type", kind);
    if let Some(Choice::Named(name)) = &request.choice {
        choice.string("name", name);
    }
    if let Some(parallel) = request.parallel
        && (out.same || request.choice != Some(Choice::None))
    {
        choice.flag("disable_parallel_tool_use", !parallel);
    }
    if out.same {
        choice.fields(extra::under(&request.extra, "/tool_choice"));
    }
}
