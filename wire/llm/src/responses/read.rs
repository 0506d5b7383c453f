//! Requests read: `instructions`, `input` and the settings.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::content;
use super::sealed::{self, Sealed};
use crate::fields::{Fields, items, malformed, string, wrong};
use crate::{
    Choice, Dialect, Effort, Format, Malformed, Part, Raw, Reasoning, Request, Role, Tool, Turn, effort,
};

/// Instead of `input` a request may continue what the provider keeps.
const CONTINUES: &[&str] = &["previous_response_id", "conversation", "prompt"];

pub(super) fn request(body: &[u8]) -> Result<Request, Malformed> {
    let mut fields = Fields::body(body)?;
    let mut extra = Vec::new();
    let model = fields.needed("model")?.into_owned();
    if model.is_empty() {
        return Err(malformed("model", "is empty; the name of a model is needed"));
    }
    let turns = turns(&mut fields, &mut extra)?;
    let tools = tools(&mut fields, &mut extra)?;
    let choice = choice(&mut fields, &mut extra)?;
    let mut request = Request {
        from: Dialect::Responses,
        model,
        turns,
        tools,
        choice,
        parallel: fields.flag("parallel_tool_calls")?,
        max_tokens: fields.whole("max_output_tokens", 1)?,
        temperature: fields.number("temperature", 0.0, 2.0)?,
        top_p: fields.number("top_p", 0.0, 1.0)?,
        top_k: None,
        stop: Vec::new(),
        seed: None,
        stream: fields.flag("stream")?.unwrap_or(false),
        include_usage: true,
        reasoning: reasoning(&mut fields, &mut extra)?,
        format: format(&mut fields, &mut extra)?,
        user: fields.owned("user")?,
        extra: Vec::new(),
    };
    request.extra = fields.rest();
    request.extra.append(&mut extra);
    Ok(request)
}

fn turns(fields: &mut Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Vec<Turn>, Malformed> {
    let mut reader = Items::default();
    if let Some(text) = fields.text("instructions")? {
        reader.push(Role::System, vec![Part::text(text)]);
    }
    match fields.raw("input") {
        None if CONTINUES.iter().any(|name| fields.has(name)) => {}
        None => return Err(malformed("input", "is missing; a string or a list of items is needed")),
        Some(raw) => match (string(raw), items(raw)) {
            (Some(text), _) => reader.push(Role::User, vec![Part::text(text)]),
            (None, Some(list)) if list.is_empty() => {
                return Err(malformed("input", "is empty; at least one item is needed"));
            }
            (None, Some(list)) => {
                for (index, raw) in list.into_iter().enumerate() {
                    reader.item(raw, format!("input[{index}]"))?;
                }
            }
            (None, None) => return Err(wrong("input", raw, "a string or a list of items")),
        },
    }
    extra.append(&mut reader.extra);
    Ok(reader.turns)
}

/// Items become turns: what the assistant did in a row is one turn, and so are the results it waited for.
#[derive(Default)]
struct Items<'a> {
    turns: Vec<Turn>,
    extra: Vec<(String, Raw)>,
    /// Calls that only this dialect can express; their results are of the same kind.
    opaque_calls: BTreeSet<Cow<'a, str>>,
    /// Signatures of calls to come.
    signatures: BTreeMap<String, String>,
}

impl<'a> Items<'a> {
    fn push(&mut self, role: Role, parts: Vec<Part>) {
        self.turns.push(Turn { role, parts, name: None, extra: Vec::new() });
    }

    fn item(&mut self, raw: &'a RawValue, at: String) -> Result<(), Malformed> {
        let mut fields = Fields::of(raw, at)?;
        let kind = fields.text("type")?;
        match kind.as_deref() {
            Some("message") => self.message(fields),
            None if fields.has("role") => self.message(fields),
            None if !fields.has("id") => {
                Err(malformed(fields.at("type"), "is missing; the kind of item, or a role, is needed"))
            }
            Some("function_call") => self.call(fields, raw),
            Some("function_call_output") => self.result(fields, raw),
            Some("reasoning") => self.reasoning(fields, raw),
            Some(kind) if kind.ends_with("_output") || kind.ends_with("_response") => {
                self.result_part(opaque(raw));
                Ok(())
            }
            _ => {
                self.assistant_part(opaque(raw));
                Ok(())
            }
        }
    }

    fn message(&mut self, mut fields: Fields<'a>) -> Result<(), Malformed> {
        let role = match fields.needed("role")?.as_ref() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" | "developer" => Role::System,
            other => {
                let reason = format!("is {other:?}; user, assistant, system or developer is needed");
                return Err(malformed(fields.at("role"), reason));
            }
        };
        let at = fields.at("content");
        let Some(raw) = fields.raw("content") else {
            return Err(malformed(at, "is missing; a string or a list of parts is needed"));
        };
        let parts = content::read(raw, &at, &mut self.extra)?;
        if parts.is_empty() && role != Role::Assistant {
            return Err(malformed(at, "is empty; at least one part is needed"));
        }
        // Names the API gave to its own answer; they mean nothing in another conversation.
        let _names = (fields.raw("id"), fields.raw("status"));
        let extra = fields.rest();
        match self.turns.last_mut() {
            Some(turn) if role == Role::Assistant && joins(turn) => {
                turn.parts.extend(parts);
                turn.extra.extend(extra);
            }
            _ => self.turns.push(Turn { role, parts, name: None, extra }),
        }
        Ok(())
    }

    fn call(&mut self, mut fields: Fields<'a>, raw: &'a RawValue) -> Result<(), Malformed> {
        let id = fields.needed("call_id")?;
        let name = fields.needed("name")?.into_owned();
        let arguments = fields.owned("arguments")?.unwrap_or_default();
        let _names = (fields.raw("id"), fields.raw("status"));
        if !fields.is_empty() {
            // A namespace, a caller: another dialect would call something else.
            self.opaque_calls.insert(id);
            self.assistant_part(opaque(raw));
            return Ok(());
        }
        let signature = self.signatures.remove(id.as_ref());
        let id = id.into_owned();
        self.assistant_part(Part::ToolCall { id, name, arguments, signature, cache: None });
        Ok(())
    }

    fn result(&mut self, mut fields: Fields<'a>, raw: &'a RawValue) -> Result<(), Malformed> {
        let id = fields.needed("call_id")?;
        if self.opaque_calls.contains(&id) {
            self.result_part(opaque(raw));
            return Ok(());
        }
        let at = fields.at("output");
        let Some(output) = fields.raw("output") else {
            return Err(malformed(at, "is missing; a string or a list of parts is needed"));
        };
        let parts = content::read(output, &at, &mut self.extra)?;
        let _names = (fields.raw("id"), fields.raw("status"));
        fields.rest_at(&mut self.extra);
        self.result_part(Part::ToolResult {
            id: id.into_owned(),
            name: None,
            parts,
            error: false,
            cache: None,
        });
        Ok(())
    }

    fn reasoning(&mut self, fields: Fields<'a>, raw: &'a RawValue) -> Result<(), Malformed> {
        let mut parts = Vec::new();
        match reasoning_parts(fields, raw, &mut self.extra, &mut parts)? {
            Some((id, signature)) => {
                self.signatures.insert(id, signature);
            }
            None => parts.into_iter().for_each(|part| self.assistant_part(part)),
        }
        Ok(())
    }

    fn assistant_part(&mut self, part: Part) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == Role::Assistant => turn.parts.push(part),
            _ => self.push(Role::Assistant, vec![part]),
        }
    }

    fn result_part(&mut self, part: Part) {
        let result = |part: &Part| matches!(part, Part::ToolResult { .. } | Part::Opaque { .. });
        match self.turns.last_mut() {
            Some(turn) if turn.role == Role::User && turn.parts.iter().all(result) => turn.parts.push(part),
            _ => self.push(Role::User, vec![part]),
        }
    }
}

/// Whether a message of the assistant goes on with its turn: nothing was said in it yet, or a call in it still waits
/// for its result, which must follow that very turn in the other dialects.
fn joins(turn: &Turn) -> bool {
    let said = |part: &Part| matches!(part, Part::Text { .. } | Part::Refusal { .. });
    let calls = |part: &Part| matches!(part, Part::ToolCall { .. });
    turn.role == Role::Assistant && (!turn.parts.iter().any(said) || turn.parts.iter().any(calls))
}

/// Reads a reasoning item into parts, or into the signature of a call that follows.
pub(super) fn reasoning_parts(
    mut fields: Fields<'_>,
    raw: &RawValue,
    extra: &mut Vec<(String, Raw)>,
    parts: &mut Vec<Part>,
) -> Result<Option<(String, String)>, Malformed> {
    let id = fields.owned("id")?;
    let mut text = joined(&mut fields, "summary")?;
    let content = joined(&mut fields, "content")?;
    if text.is_empty() {
        text = content;
    }
    let sealed = fields.text("encrypted_content")?.map(sealed::open);
    let _name = fields.raw("status");
    fields.rest_at(extra);
    match sealed {
        Some(Sealed::Call { id, signature }) => return Ok(Some((id.into_owned(), signature.into_owned()))),
        Some(Sealed::Thinking(signature)) => {
            parts.push(Part::Thinking { text, signature: Some(signature.into_owned()) });
        }
        Some(sealed) => {
            if !text.is_empty() {
                parts.push(Part::Thinking { text, signature: None });
            }
            parts.push(match sealed {
                Sealed::Own(data) => Part::Redacted { data: data.into_owned(), id },
                Sealed::Kept { id, data } => {
                    Part::Redacted { data: data.into_owned(), id: Some(id.into_owned()) }
                }
                Sealed::Redacted(data) | Sealed::Thinking(data) | Sealed::Call { signature: data, .. } => {
                    Part::Redacted { data: data.into_owned(), id: None }
                }
            });
        }
        // Kept at the provider under its id.
        None if text.is_empty() => parts.push(opaque(raw)),
        None => parts.push(Part::Thinking { text, signature: None }),
    }
    Ok(None)
}

/// The texts of a list of `summary_text` or `reasoning_text`, paragraphs of one text.
fn joined(fields: &mut Fields<'_>, name: &str) -> Result<String, Malformed> {
    let at = fields.at(name);
    let mut joined = String::new();
    for (index, raw) in fields.list(name)?.unwrap_or_default().into_iter().enumerate() {
        let mut part = Fields::of(raw, format!("{at}[{index}]"))?;
        if index > 0 {
            joined.push_str("\n\n");
        }
        joined.push_str(&part.needed("text")?);
    }
    Ok(joined)
}

pub(super) fn opaque(raw: &RawValue) -> Part {
    Part::Opaque { dialect: Dialect::Responses, json: raw.to_owned() }
}

fn tools(fields: &mut Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Vec<Tool>, Malformed> {
    let list = fields.list("tools")?.unwrap_or_default();
    list.into_iter().enumerate().map(|(index, raw)| tool(raw, format!("tools[{index}]"), extra)).collect()
}

fn tool(raw: &RawValue, at: String, extra: &mut Vec<(String, Raw)>) -> Result<Tool, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    if fields.needed("type")? != "function" {
        return Ok(Tool::Opaque { dialect: Dialect::Responses, json: raw.to_owned() });
    }
    let tool = Tool::Function {
        name: fields.needed("name")?.into_owned(),
        description: fields.owned("description")?,
        schema: fields.object_raw("parameters")?.map(ToOwned::to_owned),
        strict: fields.flag("strict")?,
        cache: None,
    };
    fields.rest_at(extra);
    Ok(tool)
}

fn choice(fields: &mut Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Option<Choice>, Malformed> {
    let Some(raw) = fields.raw("tool_choice") else { return Ok(None) };
    if let Some(word) = string(raw) {
        return match word.as_ref() {
            "auto" => Ok(Some(Choice::Auto)),
            "none" => Ok(Some(Choice::None)),
            "required" => Ok(Some(Choice::Required)),
            _ => Err(wrong("tool_choice", raw, "auto, none, required or an object")),
        };
    }
    let mut object = Fields::of(raw, "tool_choice".to_owned())?;
    if object.needed("type")? == "function" {
        return Ok(Some(Choice::Named(object.needed("name")?.into_owned())));
    }
    extra.push(("tool_choice".to_owned(), raw.to_owned()));
    Ok(None)
}

fn reasoning(
    fields: &mut Fields<'_>,
    extra: &mut Vec<(String, Raw)>,
) -> Result<Option<Reasoning>, Malformed> {
    let Some(mut object) = fields.object("reasoning")? else { return Ok(None) };
    let effort = match object.text("effort")? {
        None => None,
        Some(word) => Some(effort::from_word(&word).ok_or_else(|| {
            malformed("reasoning.effort", format!("is {word:?}; {} is needed", effort::WORDS))
        })?),
    };
    let summary = match object.owned("summary")? {
        Some(word) => Some(word),
        None => object.owned("generate_summary")?,
    };
    object.rest_at(extra);
    if effort.is_none() && summary.is_none() {
        return Ok(None);
    }
    Ok(Some(Reasoning {
        enabled: (effort == Some(Effort::None)).then_some(false),
        effort,
        summary,
        ..Reasoning::default()
    }))
}

fn format(fields: &mut Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Option<Format>, Malformed> {
    let Some(mut text) = fields.object("text")? else { return Ok(None) };
    let format = text.object("format")?.map(|format| shape(format, extra)).transpose()?;
    text.rest_at(extra);
    Ok(format)
}

fn shape(mut format: Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Format, Malformed> {
    let kind = format.needed("type")?;
    let shape = match kind.as_ref() {
        "text" => Format::Text,
        "json_object" => Format::JsonObject,
        "json_schema" => {
            let Some(schema) = format.object_raw("schema")? else {
                return Err(malformed(format.at("schema"), "is missing; a JSON schema is needed"));
            };
            Format::JsonSchema {
                name: format.needed("name")?.into_owned(),
                description: format.owned("description")?,
                schema: schema.to_owned(),
                strict: format.flag("strict")?,
            }
        }
        other => {
            let reason = format!("is {other:?}; text, json_object or json_schema is needed");
            return Err(malformed(format.at("type"), reason));
        }
    };
    format.rest_at(extra);
    Ok(shape)
}
