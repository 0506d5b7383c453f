//! A client's request for messages.

use serde_json::value::RawValue;

use super::{blocks_in, reasoning, seals};
use crate::{
    Cache, Choice, Dialect, Format, Malformed, Raw, Request, Role, Tool, Turn, json,
    read::{At, Content, Fields, utf8},
};

type Extra = Vec<(String, Raw)>;

const ROLES: &str = "one of `user`, `assistant`, `system`";

/// `max_tokens` may be missing: counting needs none, and whoever writes for Anthropic adds it.
pub(super) fn read(body: &[u8]) -> Result<Request, Malformed> {
    let root = At::Root;
    let at = &root;
    let mut fields = Fields::read(utf8(body)?, at)?;
    let mut inside = Extra::new();
    let model = fields.need("model", at)?;
    if model.is_empty() {
        return Err(at.field("model").wrong("\"\" is not the name of a model"));
    }
    let mut turns = Vec::new();
    turns.extend(system(&mut fields, at)?);
    messages(&mut fields, at, &mut turns)?;
    let (choice, parallel) = choice(&mut fields, at, &mut inside)?;
    let format = format(&mut fields, at, &mut inside)?;
    let request = Request {
        from: Dialect::Messages,
        model,
        turns,
        tools: tools(&mut fields, at, &mut inside)?,
        choice,
        parallel,
        max_tokens: fields.count("max_tokens", at, 1)?,
        temperature: fields.number("temperature", at, 0.0, 1.0)?,
        top_p: fields.number("top_p", at, 0.0, 1.0)?,
        top_k: fields.count("top_k", at, 0)?,
        stop: fields.get("stop_sequences", at, "an array of strings")?.unwrap_or_default(),
        seed: None,
        stream: fields.flag("stream", at)?.unwrap_or(false),
        include_usage: true,
        reasoning: reasoning::read(&mut fields, at, &mut inside)?,
        format,
        user: user(&mut fields, at, &mut inside)?,
        extra: Extra::new(),
    };
    let mut extra = fields.rest();
    extra.append(&mut inside);
    Ok(Request { extra, ..request })
}

fn system(fields: &mut Fields<'_>, at: &At<'_>) -> Result<Option<Turn>, Malformed> {
    let mut extra = Extra::new();
    let parts = match fields.get::<Content<'_>>("system", at, "a string or an array of text blocks")? {
        None => return Ok(None),
        Some(Content::Text(text)) => vec![crate::Part::text(text)],
        // A turn keeps its fields under `/content`, wherever its blocks stood.
        Some(Content::Parts(list)) => {
            let place = at.field("system");
            let parts = blocks_in::read(&list, &place, 1, &mut extra)?;
            for (name, _) in &mut extra {
                name.insert_str(0, "/content");
            }
            parts
        }
    };
    Ok((!parts.is_empty()).then_some(Turn { role: Role::System, parts, name: None, extra }))
}

fn messages(fields: &mut Fields<'_>, at: &At<'_>, turns: &mut Vec<Turn>) -> Result<(), Malformed> {
    let place = at.field("messages");
    let list = fields
        .list("messages", at)?
        .ok_or_else(|| place.wrong("is missing; an array of messages is needed"))?;
    if list.is_empty() {
        return Err(place.wrong("`[]` is empty; at least one message is needed"));
    }
    for (index, raw) in list.into_iter().enumerate() {
        turns.push(message(raw, &place.index(index))?);
    }
    Ok(())
}

fn message(raw: &RawValue, at: &At<'_>) -> Result<Turn, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    let mut extra = Extra::new();
    let given = fields
        .take("role")
        .ok_or_else(|| at.field("role").wrong(format!("is missing; it must be {ROLES}")))?;
    let role = match serde_json::from_str::<&str>(given.get()) {
        Ok("user") => Role::User,
        Ok("assistant") => Role::Assistant,
        Ok("system") => {
            // Tells it from the instructions before the conversation.
            extra.push(("role".to_owned(), given.to_owned()));
            Role::System
        }
        _ => return Err(at.field("role").is_not(given, ROLES)),
    };
    let place = at.field("content");
    let parts = match fields.get::<Content<'_>>("content", at, "a string or an array of blocks")? {
        None => return Err(place.wrong("is missing; a string or an array of blocks is needed")),
        Some(Content::Text(text)) => vec![crate::Part::text(text)],
        Some(Content::Parts(list)) if list.is_empty() && role != Role::Assistant => {
            return Err(place.wrong("`[]` is empty; at least one block is needed"));
        }
        Some(Content::Parts(list)) => {
            let mut parts = blocks_in::read(&list, &place, 2, &mut extra)?;
            seals::open(&mut parts, &mut extra);
            parts
        }
    };
    extra.extend(fields.rest());
    Ok(Turn { role, parts, name: None, extra })
}

type Chosen = (Option<Choice>, Option<bool>);

fn choice(fields: &mut Fields<'_>, at: &At<'_>, extra: &mut Extra) -> Result<Chosen, Malformed> {
    let place = at.field("tool_choice");
    let Some(raw) = fields.take("tool_choice") else { return Ok((None, None)) };
    let mut given = Fields::of(raw, &place)?;
    let kind = given.need("type", &place)?;
    let choice = match &*kind {
        "auto" => Choice::Auto,
        "any" => Choice::Required,
        "none" => Choice::None,
        "tool" => Choice::Named(given.need("name", &place)?),
        _ => {
            let allowed = "one of `auto`, `any`, `tool`, `none`";
            return Err(place.field("type").wrong(format!("`{kind}` is not {allowed}")));
        }
    };
    let parallel = given.flag("disable_parallel_tool_use", &place)?.map(|disabled| !disabled);
    given.rest_inside(&place, 0, extra);
    Ok((Some(choice), parallel))
}

/// `output_config.format`, or the `output_format` of its beta.
fn format(fields: &mut Fields<'_>, at: &At<'_>, extra: &mut Extra) -> Result<Option<Format>, Malformed> {
    let config = at.field("output_config");
    let (raw, place) = if let Some(raw) = fields.take("output_format") {
        (Some(raw), at.field("output_format"))
    } else {
        let given = fields.peek("output_config").filter(|raw| raw.get() != "null");
        let inner = given.map(|raw| Fields::of(raw, &config)).transpose()?;
        (inner.and_then(|mut inner| inner.take("format")), config.field("format"))
    };
    let Some(raw) = raw else { return Ok(None) };
    let mut format = Fields::of(raw, &place)?;
    if format.need("type", &place)? != "json_schema" {
        extra.push((place.pointer(0), raw.to_owned()));
        return Ok(None);
    }
    let schema = format
        .take("schema")
        .ok_or_else(|| place.field("schema").wrong("is missing; a JSON schema is needed"))?
        .to_owned();
    format.rest_inside(&config.field("format"), 0, extra);
    Ok(Some(Format::JsonSchema { name: String::new(), description: None, schema, strict: None }))
}

fn user(fields: &mut Fields<'_>, at: &At<'_>, extra: &mut Extra) -> Result<Option<String>, Malformed> {
    let place = at.field("metadata");
    let Some(mut metadata) = fields.object("metadata", at)? else { return Ok(None) };
    let user = metadata.owned("user_id", &place)?;
    if user.is_none() && metadata.is_empty() {
        extra.push(("metadata".to_owned(), json::raw("{}".to_owned())));
    }
    metadata.rest_inside(&place, 0, extra);
    Ok(user)
}

fn tools(fields: &mut Fields<'_>, at: &At<'_>, extra: &mut Extra) -> Result<Vec<Tool>, Malformed> {
    let place = at.field("tools");
    let list = fields.list("tools", at)?.unwrap_or_default();
    list.into_iter().enumerate().map(|(index, raw)| tool(raw, &place.index(index), extra)).collect()
}

fn tool(raw: &RawValue, at: &At<'_>, extra: &mut Extra) -> Result<Tool, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    if fields.peek_text("type").is_some_and(|kind| kind != "custom") {
        return Ok(Tool::Opaque { dialect: Dialect::Messages, json: raw.to_owned() });
    }
    let tool = Tool::Function {
        name: fields.need("name", at)?,
        description: fields.owned("description", at)?,
        schema: fields.take("input_schema").map(RawValue::to_owned),
        strict: fields.flag("strict", at)?,
        cache: Cache::take(&mut fields),
    };
    fields.rest_inside(at, 0, extra);
    Ok(tool)
}
