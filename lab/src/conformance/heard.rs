//! What a client understood of an answer; a stream that breaks its API's grammar is an error with the rule it broke.

use serde_json::{Map, Value, json};

use super::dialect::Client;

/// An answer, whole or put together from a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) text: String,
    pub(super) thinking: String,
    pub(super) signature: String,
    /// Ids, names and arguments.
    pub(super) calls: Vec<(String, String, Value)>,
    /// The dialect's word for how it ended; empty when it did not say.
    pub(super) finish: String,
    /// The usage object as it came; `null` without.
    pub(super) usage: Value,
    /// An error inside of the stream.
    pub(super) error: Option<Value>,
    /// Anthropic's first event knew how much was read; agents draw their meter from it.
    pub(super) begins_counted: bool,
    /// The last event of the API was there.
    pub(super) done: bool,
}

/// What is at a path; `null` when nothing is.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

pub(super) fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn arguments(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|_| format!("arguments are not JSON: `{text}`"))
}

/// Of a whole answer.
pub(super) fn whole(client: Client, body: &Value) -> Result<Heard, String> {
    let mut heard = Heard { usage: at(body, "/usage").clone(), done: true, ..Heard::default() };
    match client {
        Client::Chat => {
            expect(at(body, "/object"), "chat.completion", "object")?;
            let message = at(body, "/choices/0/message");
            expect(at(message, "/role"), "assistant", "role")?;
            words(at(message, "/content")).clone_into(&mut heard.text);
            words(at(message, "/reasoning_content")).clone_into(&mut heard.thinking);
            words(at(body, "/choices/0/finish_reason")).clone_into(&mut heard.finish);
            for call in list(at(message, "/tool_calls")) {
                expect(at(call, "/type"), "function", "tool_calls[].type")?;
                let text = at(call, "/function/arguments").as_str().ok_or("arguments are not a string")?;
                heard.calls.push((
                    words(at(call, "/id")).to_owned(),
                    words(at(call, "/function/name")).to_owned(),
                    arguments(text)?,
                ));
            }
        }
        Client::Messages => {
            expect(at(body, "/type"), "message", "type")?;
            expect(at(body, "/role"), "assistant", "role")?;
            words(at(body, "/stop_reason")).clone_into(&mut heard.finish);
            for block in list(at(body, "/content")) {
                heard.block(block)?;
            }
        }
        Client::Responses => {
            expect(at(body, "/object"), "response", "object")?;
            words(at(body, "/status")).clone_into(&mut heard.finish);
            for item in list(at(body, "/output")) {
                heard.item(item)?;
            }
        }
    }
    Ok(heard)
}

fn expect(value: &Value, wanted: &str, what: &str) -> Result<(), String> {
    if value == wanted { Ok(()) } else { Err(format!("{what} is {value}, not `{wanted}`")) }
}

impl Heard {
    fn block(&mut self, block: &Value) -> Result<(), String> {
        match words(at(block, "/type")) {
            "text" => self.text.push_str(words(at(block, "/text"))),
            "thinking" => {
                self.thinking.push_str(words(at(block, "/thinking")));
                self.signature.push_str(words(at(block, "/signature")));
            }
            "redacted_thinking" => {}
            "tool_use" => {
                let input = at(block, "/input");
                if !input.is_object() {
                    return Err(format!("tool_use.input is {input}, not an object"));
                }
                self.calls.push((
                    words(at(block, "/id")).to_owned(),
                    words(at(block, "/name")).to_owned(),
                    input.clone(),
                ));
            }
            other => return Err(format!("a block of type `{other}`")),
        }
        Ok(())
    }

    fn item(&mut self, item: &Value) -> Result<(), String> {
        match words(at(item, "/type")) {
            "message" => {
                for part in list(at(item, "/content")) {
                    expect(at(part, "/type"), "output_text", "content[].type")?;
                    self.text.push_str(words(at(part, "/text")));
                }
            }
            "reasoning" => {
                for part in list(at(item, "/summary")).iter().chain(list(at(item, "/content"))) {
                    self.thinking.push_str(words(at(part, "/text")));
                }
            }
            "function_call" => {
                let text = words(at(item, "/arguments"));
                let id = words(at(item, "/call_id")).to_owned();
                self.calls.push((id, words(at(item, "/name")).to_owned(), arguments(text)?));
            }
            other => return Err(format!("an item of type `{other}`")),
        }
        Ok(())
    }
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) event: String,
    pub(super) data: String,
}

/// The events in these bytes, and whether bytes are left that make none. Comments are left out.
pub(super) fn frames(bytes: &[u8]) -> Result<(Vec<Frame>, bool), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("the stream is not UTF-8: {error}"))?;
    // One byte order mark at the beginning is to be overlooked (the HTML standard, 9.2.6).
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut frames = Vec::new();
    let mut blocks: Vec<&str> = text.split("\n\n").collect();
    let rest = blocks.pop().unwrap_or_default();
    for block in blocks {
        let mut frame = Frame { event: String::new(), data: String::new() };
        for line in block.lines().filter(|line| !line.starts_with(':')) {
            match line.split_once(':') {
                Some(("event", name)) => name.trim_start().clone_into(&mut frame.event),
                Some(("data", data)) => frame.data.push_str(data.strip_prefix(' ').unwrap_or(data)),
                Some(("id" | "retry", _)) | None => {}
                Some((other, _)) => return Err(format!("a line of the unknown field `{other}`")),
            }
        }
        if !frame.data.is_empty() {
            frames.push(frame);
        }
    }
    Ok((frames, !rest.trim().is_empty()))
}

/// Of a stream. Its grammar is checked as far as it goes; whether it went to the end is in `done`.
pub(super) fn stream(client: Client, frames: &[Frame]) -> Result<Heard, String> {
    match client {
        Client::Chat => chat(frames),
        Client::Messages => messages(frames),
        Client::Responses => responses(frames),
    }
}

fn json_of(frame: &Frame) -> Result<Value, String> {
    serde_json::from_str(&frame.data).map_err(|error| format!("{error} in `{}`", frame.data))
}

fn chat(frames: &[Frame]) -> Result<Heard, String> {
    let mut heard = Heard::default();
    let mut open: Vec<(String, String, String)> = Vec::new();
    let mut id = Value::Null;
    for frame in frames {
        if heard.done {
            return Err("something after [DONE]".to_owned());
        }
        if !frame.event.is_empty() {
            return Err(format!("an event name (`{}`) in chat completions", frame.event));
        }
        if frame.data == "[DONE]" {
            heard.done = true;
            continue;
        }
        let chunk = json_of(frame)?;
        if chunk.get("error").is_some() {
            heard.error = Some(chunk);
            continue;
        }
        expect(at(&chunk, "/object"), "chat.completion.chunk", "object")?;
        if id.is_null() {
            id = at(&chunk, "/id").clone();
            expect(at(&chunk, "/choices/0/delta/role"), "assistant", "the first delta's role")?;
        } else if id != *at(&chunk, "/id") {
            return Err(format!("the id changed from {id} to {}", at(&chunk, "/id")));
        }
        if !at(&chunk, "/usage").is_null() {
            at(&chunk, "/usage").clone_into(&mut heard.usage);
            if !list(at(&chunk, "/choices")).is_empty() {
                return Err("the chunk with usage has choices".to_owned());
            }
        }
        let Some(choice) = chunk.pointer("/choices/0") else { continue };
        heard.text.push_str(words(at(choice, "/delta/content")));
        heard.thinking.push_str(words(at(choice, "/delta/reasoning_content")));
        for call in list(at(choice, "/delta/tool_calls")) {
            piece(call, &mut open)?;
        }
        if let Some(finish) = at(choice, "/finish_reason").as_str() {
            if !heard.finish.is_empty() {
                return Err("two finish reasons".to_owned());
            }
            finish.clone_into(&mut heard.finish);
        }
    }
    let finished = !heard.finish.is_empty();
    for (id, name, text) in open {
        // A cut stream may leave a call half.
        let value = arguments(&text);
        heard.calls.push((id, name, if finished { value? } else { value.unwrap_or_default() }));
    }
    Ok(heard)
}

/// A piece of a tool call: the index always, id and name in the first piece only.
fn piece(call: &Value, open: &mut Vec<(String, String, String)>) -> Result<(), String> {
    let index = at(call, "/index").as_u64().and_then(|index| usize::try_from(index).ok());
    let index = index.ok_or_else(|| format!("a tool call's index is {}", at(call, "/index")))?;
    let (id, name) = (at(call, "/id"), at(call, "/function/name"));
    if index == open.len() {
        if words(id).is_empty() || words(name).is_empty() {
            return Err("a tool call begins without id or name".to_owned());
        }
        open.push((words(id).to_owned(), words(name).to_owned(), String::new()));
    } else if !id.is_null() || !name.is_null() {
        return Err(format!("a later piece of call {index} repeats id {id} or name {name}"));
    }
    let Some((.., text)) = open.get_mut(index) else {
        return Err(format!("call {index} before those below it"));
    };
    text.push_str(words(at(call, "/function/arguments")));
    Ok(())
}

fn messages(frames: &[Frame]) -> Result<Heard, String> {
    let mut heard = Heard::default();
    let mut open: Option<(Value, String)> = None;
    let mut next = 0;
    let mut started = false;
    for frame in frames {
        if heard.done {
            return Err("something after message_stop".to_owned());
        }
        let data = json_of(frame)?;
        expect(at(&data, "/type"), &frame.event, "the data's type")?;
        match frame.event.as_str() {
            "ping" => {}
            "error" => heard.error = Some(data),
            "message_start" if started => return Err("two message_start".to_owned()),
            "message_start" => {
                started = true;
                expect(at(&data, "/message/role"), "assistant", "message.role")?;
                heard.begins_counted =
                    at(&data, "/message/usage/input_tokens").as_u64().is_some_and(|tokens| tokens > 0);
                at(&data, "/message/usage").clone_into(&mut heard.usage);
            }
            _ if !started => return Err(format!("{} before message_start", frame.event)),
            "content_block_start" if open.is_some() => {
                return Err("a block starts inside of another".to_owned());
            }
            "content_block_start" => {
                index(&data, next)?;
                open = Some((at(&data, "/content_block").clone(), String::new()));
            }
            "content_block_delta" => {
                index(&data, next)?;
                let Some((block, text)) = &mut open else {
                    return Err("a delta outside of a block".to_owned());
                };
                delta(at(&data, "/delta"), block, text)?;
            }
            "content_block_stop" => {
                index(&data, next)?;
                next += 1;
                let Some((block, text)) = open.take() else {
                    return Err("a stop without a block".to_owned());
                };
                heard.block(&joined(block, &text)?)?;
            }
            "message_delta" => {
                words(at(&data, "/delta/stop_reason")).clone_into(&mut heard.finish);
                merge(&mut heard.usage, at(&data, "/usage"));
            }
            "message_stop" if open.is_some() => return Err("message_stop inside of a block".to_owned()),
            "message_stop" => heard.done = true,
            other => return Err(format!("an event `{other}`")),
        }
    }
    if let Some((block, text)) = open.filter(|_| !heard.done) {
        let half = joined(block, &text).or_else(|_| Ok::<_, String>(json!({ "type": "text" })))?;
        heard.block(&half)?;
    }
    Ok(heard)
}

fn index(data: &Value, wanted: u64) -> Result<(), String> {
    let index = at(data, "/index");
    if index.as_u64() == Some(wanted) { Ok(()) } else { Err(format!("index {index} instead of {wanted}")) }
}

/// Adds a delta to a block; the arguments of a tool are collected as text.
fn delta(delta: &Value, block: &mut Value, input: &mut String) -> Result<(), String> {
    let (kind, key) = match words(at(delta, "/type")) {
        "text_delta" => ("text", "text"),
        "thinking_delta" => ("thinking", "thinking"),
        "signature_delta" => ("thinking", "signature"),
        "input_json_delta" => ("tool_use", "partial_json"),
        "citations_delta" => return Ok(()),
        other => return Err(format!("a delta of type `{other}`")),
    };
    expect(at(block, "/type"), kind, "the block of a delta")?;
    let piece = delta.get(key).and_then(Value::as_str).ok_or("a delta without its text")?;
    if key == "partial_json" {
        input.push_str(piece);
        return Ok(());
    }
    let mut text = words(block.get(key).unwrap_or(&Value::Null)).to_owned();
    text.push_str(piece);
    if let Some(fields) = block.as_object_mut() {
        fields.insert(key.to_owned(), json!(text));
    }
    Ok(())
}

fn joined(mut block: Value, input: &str) -> Result<Value, String> {
    if let (Some(fields), false) = (block.as_object_mut(), input.is_empty()) {
        fields.insert("input".to_owned(), arguments(input)?);
    }
    Ok(block)
}

fn merge(into: &mut Value, from: &Value) {
    let mut fields = into.as_object().cloned().unwrap_or_else(Map::new);
    fields.extend(from.as_object().cloned().unwrap_or_default());
    *into = Value::Object(fields);
}

fn responses(frames: &[Frame]) -> Result<Heard, String> {
    let mut deltas = (String::new(), String::new());
    let mut heard = Heard::default();
    let (mut added, mut closed) = (0, 0);
    for (number, frame) in frames.iter().enumerate() {
        if heard.done {
            return Err("something after the last event".to_owned());
        }
        let data = json_of(frame)?;
        expect(at(&data, "/type"), &frame.event, "the data's type")?;
        if at(&data, "/sequence_number").as_u64() != u64::try_from(number).ok() {
            return Err(format!("sequence_number {} instead of {number}", at(&data, "/sequence_number")));
        }
        match frame.event.as_str() {
            "response.created" if number != 0 => return Err("response.created is not the first".to_owned()),
            _ if number == 0 && !matches!(frame.event.as_str(), "response.created" | "error") => {
                return Err(format!("{} instead of response.created", frame.event));
            }
            "error" | "response.failed" => heard.error = Some(data),
            "response.output_item.added" => added += 1,
            "response.output_item.done" => closed += 1,
            "response.output_text.delta" => deltas.0.push_str(words(at(&data, "/delta"))),
            "response.function_call_arguments.delta" => deltas.1.push_str(words(at(&data, "/delta"))),
            "response.completed" | "response.incomplete" => {
                heard = whole(Client::Responses, at(&data, "/response"))?;
                if heard.text != deltas.0 {
                    return Err(format!("the deltas say `{}`, the whole `{}`", deltas.0, heard.text));
                }
            }
            _ => {}
        }
    }
    if !heard.done {
        heard.text = deltas.0;
    } else if added != closed {
        return Err(format!("{added} items were added and {closed} done"));
    }
    Ok(heard)
}
