//! A client's chat completion request.

use serde_json::value::RawValue;

use super::{reasoning, turns_in};
use crate::{
    Cache, Choice, Dialect, Format, Malformed, Raw, Request, Tool,
    read::{At, Fields, utf8},
};

type Extra = Vec<(String, Raw)>;

pub(super) fn read(body: &[u8]) -> Result<Request, Malformed> {
    let root = At::Root;
    let at = &root;
    let mut fields = Fields::read(utf8(body)?, at)?;
    let mut inside = Extra::new();
    let model = fields.need("model", at)?;
    if model.is_empty() {
        return Err(at.field("model").wrong("\"\" is not the name of a model"));
    }
    let messages = fields.list("messages", at)?;
    let request = Request {
        from: Dialect::Chat,
        model,
        turns: turns_in::read(messages, &at.field("messages"))?,
        tools: tools(&mut fields, at, &mut inside)?,
        choice: choice(&mut fields, &mut inside),
        parallel: fields.flag("parallel_tool_calls", at)?,
        max_tokens: max_tokens(&mut fields, at)?,
        temperature: fields.number("temperature", at, 0.0, 2.0)?,
        top_p: fields.number("top_p", at, 0.0, 1.0)?,
        top_k: fields.count("top_k", at, 0)?,
        stop: stop(&mut fields, at)?,
        seed: fields.get("seed", at, "a whole number")?,
        stream: fields.flag("stream", at)?.unwrap_or(false),
        include_usage: include_usage(&mut fields, at, &mut inside)?,
        reasoning: reasoning::read(&mut fields),
        format: format(&mut fields, at, &mut inside)?,
        user: fields.owned("user", at)?,
        extra: Extra::new(),
    };
    let mut extra = fields.rest();
    extra.append(&mut inside);
    Ok(Request { extra, ..request })
}

fn max_tokens(fields: &mut Fields<'_>, at: &At<'_>) -> Result<Option<u64>, Malformed> {
    let old = fields.count("max_tokens", at, 1)?;
    let new = fields.count("max_completion_tokens", at, 1)?;
    match (old, new) {
        (Some(old), Some(new)) if old != new => Err(at
            .field("max_tokens")
            .wrong(format!("`{old}` contradicts max_completion_tokens, `{new}`; one of them is enough"))),
        _ => Ok(new.or(old)),
    }
}

fn stop(fields: &mut Fields<'_>, at: &At<'_>) -> Result<Vec<String>, Malformed> {
    let Some(raw) = fields.take("stop") else { return Ok(Vec::new()) };
    serde_json::from_str::<String>(raw.get())
        .map(|one| vec![one])
        .or_else(|_| serde_json::from_str(raw.get()))
        .map_err(|_| at.field("stop").is_not(raw, "a string or an array of strings"))
}

fn include_usage(fields: &mut Fields<'_>, at: &At<'_>, extra: &mut Extra) -> Result<bool, Malformed> {
    let place = at.field("stream_options");
    let Some(mut options) = fields.object("stream_options", at)? else { return Ok(false) };
    let include = options.flag("include_usage", &place)?.unwrap_or(false);
    options.rest_inside(&place, 0, extra);
    Ok(include)
}

/// What is no word of ours stays among the rest.
fn choice(fields: &mut Fields<'_>, extra: &mut Extra) -> Option<Choice> {
    let raw = fields.peek("tool_choice")?;
    let choice = match serde_json::from_str::<&str>(raw.get()) {
        Ok("auto") => Choice::Auto,
        Ok("none") => Choice::None,
        Ok("required" | "any") => Choice::Required,
        Ok(_) => return None,
        Err(_) => named(raw, extra)?,
    };
    fields.take("tool_choice").map(|_| choice)
}

fn named(raw: &RawValue, extra: &mut Extra) -> Option<Choice> {
    let at = At::Root;
    let mut object = Fields::of(raw, &at).ok()?;
    if object.text("type", &at).ok()?? != "function" {
        return None;
    }
    let mut function = object.object("function", &at).ok()??;
    let choice = Choice::Named(function.owned("name", &at).ok()??);
    let place = at.field("tool_choice");
    function.rest_inside(&place.field("function"), 0, extra);
    object.rest_inside(&place, 0, extra);
    Some(choice)
}

fn format(fields: &mut Fields<'_>, at: &At<'_>, extra: &mut Extra) -> Result<Option<Format>, Malformed> {
    let place = at.field("response_format");
    let Some(raw) = fields.take("response_format") else { return Ok(None) };
    let mut format = Fields::of(raw, &place)?;
    let kind = format.text("type", &place)?.unwrap_or_default();
    let read = match &*kind {
        "text" => Format::Text,
        "json_object" => Format::JsonObject,
        "json_schema" => {
            let inner = place.field("json_schema");
            let mut given = format
                .object("json_schema", &place)?
                .ok_or_else(|| inner.wrong("is missing; an object is needed"))?;
            let format = Format::JsonSchema {
                name: given.owned("name", &inner)?.unwrap_or_default(),
                description: given.owned("description", &inner)?,
                schema: given
                    .take("schema")
                    .ok_or_else(|| inner.field("schema").wrong("is missing; a JSON schema is needed"))?
                    .to_owned(),
                strict: given.flag("strict", &inner)?,
            };
            given.rest_inside(&inner, 0, extra);
            format
        }
        _ => {
            extra.push(("response_format".to_owned(), raw.to_owned()));
            return Ok(None);
        }
    };
    format.rest_inside(&place, 0, extra);
    Ok(Some(read))
}

fn tools(fields: &mut Fields<'_>, at: &At<'_>, extra: &mut Extra) -> Result<Vec<Tool>, Malformed> {
    let place = at.field("tools");
    let list = fields.list("tools", at)?.unwrap_or_default();
    list.into_iter().enumerate().map(|(index, raw)| tool(raw, &place.index(index), extra)).collect()
}

fn tool(raw: &RawValue, at: &At<'_>, extra: &mut Extra) -> Result<Tool, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    let function = match fields.peek_text("type").as_deref() {
        Some("function") => true,
        None => fields.peek("function").is_some(),
        Some(_) => false,
    };
    if !function {
        return Ok(Tool::Opaque { dialect: Dialect::Chat, json: raw.to_owned() });
    }
    fields.take("type");
    let inner = at.field("function");
    let mut given =
        fields.object("function", at)?.ok_or_else(|| inner.wrong("is missing; an object is needed"))?;
    let tool = Tool::Function {
        name: given.need("name", &inner)?,
        description: given.owned("description", &inner)?,
        schema: given.take("parameters").map(RawValue::to_owned),
        strict: given.flag("strict", &inner)?,
        cache: Cache::take(&mut fields),
    };
    given.rest_inside(&inner, 0, extra);
    fields.rest_inside(at, 0, extra);
    Ok(tool)
}
