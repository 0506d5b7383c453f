//! A chat completion request for a provider.

use super::{reasoning, turns_out};
use crate::{
    Choice, Dialect, Format, Request, Tool, Written,
    extra::{self, Kept, Losses},
    ids,
    json::Object,
};

/// What the writing of one request carries along.
#[derive(Debug)]
pub(super) struct Out<'r> {
    pub(super) request: &'r Request,
    /// The request was read from this dialect: its extra fields and opaque parts can be said again.
    pub(super) same: bool,
    pub(super) losses: Losses,
    pub(super) ids: ids::Ids<'r>,
}

pub(super) fn write(request: &Request) -> Written {
    let same = request.from == Dialect::Chat;
    let ids = if same { ids::Ids::verbatim() } else { ids::Ids::new(ids::CHAT) };
    let mut out = Out { request, same, losses: Losses::default(), ids };
    let mut body = Vec::with_capacity(1024);
    {
        let mut object = Object::new(&mut body);
        object.string("model", &request.model);
        turns_out::write(&mut out, &mut object);
        let tools = tools(&mut out, &mut object);
        choice(&mut out, &mut object, tools);
        settings(&mut out, &mut object);
        reasoning(&mut out, &mut object);
        format(&mut out, &mut object);
        stream(&out, &mut object);
        if same {
            object.fields(extra::own(&request.extra));
        } else {
            let shared = |name: &str| is_shared(request, name);
            object.fields(extra::own(&request.extra).filter(|(name, _)| shared(name)));
            if let Some(verbosity) =
                extra::get(&request.extra, "/text/verbosity").filter(|_| shared("/text/verbosity"))
            {
                object.raw("verbosity", verbosity.get());
            }
            out.losses.fields("", request.extra.iter().filter(|(name, _)| !shared(name)));
        }
    }
    Written { body, losses: out.losses.into_vec() }
}

/// What OpenAI's two APIs say alike, and its own models take; verbosity since gpt-5.
fn is_shared(request: &Request, name: &str) -> bool {
    const SHARED: [&str; 4] =
        ["prompt_cache_key", "prompt_cache_retention", "safety_identifier", "service_tier"];
    let model = &request.model;
    let wordy = name == "/text/verbosity" && super::wants_completion_tokens(model) && model.contains("gpt-");
    request.from == Dialect::Responses && super::openai_own(model) && (wordy || SHARED.contains(&name))
}

fn settings(out: &mut Out<'_>, object: &mut Object<'_>) {
    let request = out.request;
    if let Some(most) = request.max_tokens {
        let new = super::wants_completion_tokens(&request.model);
        object.count(if new { "max_completion_tokens" } else { "max_tokens" }, most);
    }
    if let Some(temperature) = request.temperature {
        object.float("temperature", temperature);
    }
    if let Some(top_p) = request.top_p {
        object.float("top_p", top_p);
    }
    if let Some(top_k) = request.top_k {
        // Local servers know it, OpenAI does not; only a client that speaks this dialect knows which it means.
        if out.same {
            object.count("top_k", top_k);
        } else {
            out.losses.dropped("top_k");
        }
    }
    if let [one] = request.stop.as_slice() {
        object.string("stop", one);
    } else if !request.stop.is_empty() {
        stops(out, object);
    }
    if let Some(seed) = request.seed {
        object.integer("seed", seed);
    }
    object.maybe("user", request.user.as_deref());
}

/// OpenAI takes four at most; servers of others take any number.
fn stops(out: &mut Out<'_>, object: &mut Object<'_>) {
    let most = if !out.same && super::openai_own(&out.request.model) { 4 } else { usize::MAX };
    let mut list = object.array("stop");
    for (index, stop) in out.request.stop.iter().enumerate() {
        if index < most {
            list.string(stop);
        } else {
            out.losses.dropped(format!("stop[{index}]"));
        }
    }
}

fn reasoning(out: &mut Out<'_>, object: &mut Object<'_>) {
    // OpenRouter's object says more than the word, and is among the extra fields.
    let told = out.same && extra::get(&out.request.extra, "reasoning").is_some();
    if !told {
        reasoning::write(out.request, object, &mut out.losses);
    }
}

fn stream(out: &Out<'_>, object: &mut Object<'_>) {
    let request = out.request;
    if !request.stream {
        return;
    }
    object.flag("stream", true);
    let include = request.include_usage || !out.same;
    let mut others = extra::under(&request.extra, "/stream_options").filter(|_| out.same).peekable();
    if include || others.peek().is_some() {
        let mut options = object.object("stream_options");
        if include {
            options.flag("include_usage", true);
        }
        options.fields(others);
    }
}

/// Returns how many could be said.
fn tools(out: &mut Out<'_>, object: &mut Object<'_>) -> usize {
    let request = out.request;
    let sayable = |tool: &&Tool| !matches!(tool, Tool::Opaque { dialect, .. } if *dialect != Dialect::Chat);
    let count = request.tools.iter().filter(sayable).count();
    for (index, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Opaque { dialect, .. } if *dialect != Dialect::Chat => {
                out.losses.dropped(format!("tools[{index}]"));
            }
            Tool::Function { cache: Some(_), .. } if !out.same => {
                out.losses.dropped(format!("tools[{index}].cache_control"));
            }
            _ => {}
        }
    }
    if count == 0 {
        return 0;
    }
    let kept = Kept::of(&request.extra, out.same);
    let mut list = object.array("tools");
    for (index, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Opaque { dialect: Dialect::Chat, json } => list.raw(json.get()),
            Tool::Opaque { .. } => {}
            Tool::Function { name, description, schema, strict, cache } => {
                let way = format!("/tools/{index}");
                let mut tool = list.object();
                tool.string("type", "function");
                {
                    let mut function = tool.object("function");
                    function.string("name", name).maybe("description", description.as_deref());
                    if let Some(schema) = schema {
                        function.raw("parameters", schema.get());
                    }
                    if let Some(strict) = strict {
                        function.flag("strict", *strict);
                    }
                    function.fields(kept.under(&format!("{way}/function")));
                }
                if out.same {
                    if let Some(cache) = cache {
                        cache.write(&mut tool);
                    }
                    tool.fields(kept.under(&way));
                }
            }
        }
    }
    count
}

fn choice(out: &mut Out<'_>, object: &mut Object<'_>, tools: usize) {
    let request = out.request;
    // OpenAI refuses both fields where there are no tools.
    if tools == 0 && !out.same {
        if matches!(request.choice, Some(Choice::Required | Choice::Named(_))) {
            out.losses.dropped("tool_choice");
        }
        return;
    }
    match &request.choice {
        None => {}
        Some(Choice::Auto) => {
            object.string("tool_choice", "auto");
        }
        Some(Choice::None) => {
            object.string("tool_choice", "none");
        }
        Some(Choice::Required) => {
            object.string("tool_choice", "required");
        }
        Some(Choice::Named(name)) => {
            let mut choice = object.object("tool_choice");
            choice.string("type", "function");
            let kept = |way: &'static str| extra::under(&request.extra, way).filter(|_| out.same);
            choice.object("function").string("name", name).fields(kept("/tool_choice/function"));
            choice.fields(kept("/tool_choice"));
        }
    }
    if let Some(parallel) = request.parallel {
        object.flag("parallel_tool_calls", parallel);
    }
}

fn format(out: &mut Out<'_>, object: &mut Object<'_>) {
    let Some(format) = &out.request.format else { return };
    let kept = |way: &'static str| extra::under(&out.request.extra, way).filter(|_| out.same);
    let mut said = object.object("response_format");
    match format {
        Format::Text => said.string("type", "text"),
        Format::JsonObject => said.string("type", "json_object"),
        Format::JsonSchema { name, description, schema, strict } => {
            said.string("type", "json_schema");
            {
                let mut inner = said.object("json_schema");
                // The name is demanded here, and other dialects have none.
                inner.string("name", if name.is_empty() { "answer" } else { name });
                inner.maybe("description", description.as_deref()).raw("schema", schema.get());
                if let Some(strict) = strict {
                    inner.flag("strict", *strict);
                }
                inner.fields(kept("/response_format/json_schema"));
            }
            &mut said
        }
    }
    .fields(kept("/response_format"));
}
