//! OpenAI's `/v1/responses`, as its API reference describes it.

use serde_json::{Value, json};

use super::ask::{Ask, Refused, list, media, string, text_of};
use super::chat::CREATED;
use super::say::{Say, pieces};

pub(super) fn read(body: &Value) -> Result<Ask, Refused> {
    let input = &body["input"];
    if input.as_str().is_none_or(str::is_empty) && list(input).is_empty() {
        return Err((400, "Missing required parameter: 'input'.".to_owned()));
    }
    let format = &body["text"]["format"];
    let effort = body["reasoning"]["effort"].as_str();
    let mut ask = Ask {
        model: string(&body["model"]),
        stream: body["stream"] == true,
        include_usage: true,
        must_call: body["tool_choice"] == "required" || body["tool_choice"]["type"] == "function",
        thinks: effort.is_some_and(|effort| effort != "none"),
        shows: body["reasoning"]["summary"].is_string(),
        encrypted: list(&body["include"]).iter().any(|what| what == "reasoning.encrypted_content"),
        schema: match format["type"].as_str() {
            Some("json_schema") => Some(format["schema"].clone()),
            Some("json_object") => Some(json!({ "type": "object" })),
            _ => None,
        },
        ..Ask::default()
    };
    if body["tool_choice"] != "none" {
        let functions = list(&body["tools"]).iter().filter(|tool| tool["type"] == "function");
        ask.tools = functions.map(|of| (string(&of["name"]), of["parameters"].clone())).collect();
    }
    if let Some(named) = body["tool_choice"]["name"].as_str() {
        ask.tools.retain(|(name, _)| name == named);
    }
    if let Some(text) = input.as_str() {
        text.clone_into(&mut ask.text);
        return Ok(ask);
    }
    outputs(list(input), &mut ask)?;
    if let Some(user) = list(input).iter().rev().find(|item| item["role"] == "user") {
        ask.text = text_of(&user["content"]);
        let pictures = list(&user["content"]).iter().filter(|part| part["type"] == "input_image");
        ask.pictures = pictures.map(|part| media(part["image_url"].as_str().unwrap_or_default())).collect();
    }
    Ok(ask)
}

/// Results of tools at the end; each needs its call before it.
fn outputs(items: &[Value], ask: &mut Ask) -> Result<(), Refused> {
    for item in items {
        match item["type"].as_str() {
            Some("function_call_output") => {
                let id = &item["call_id"];
                let called = items.iter().any(|one| one["type"] == "function_call" && one["call_id"] == *id);
                if !called {
                    return Err((
                        400,
                        format!("No tool call found for function call output with call_id {id}."),
                    ));
                }
                ask.results.push(text_of(&item["output"]));
            }
            Some("reasoning" | "function_call") => {}
            _ if item["role"] == "user" => ask.results.clear(),
            _ => {}
        }
    }
    Ok(())
}

fn items(ask: &Ask, say: &Say, n: u64) -> Vec<Value> {
    let reasoning = say.thinking.as_ref().map(|thinking| {
        let summary =
            if ask.shows { json!([{ "type": "summary_text", "text": thinking }]) } else { json!([]) };
        let mut item = json!({ "id": format!("rs_{n}"), "type": "reasoning", "summary": summary });
        if ask.encrypted {
            item["encrypted_content"] = json!(format!("gAAAAA{n}=="));
        }
        item
    });
    let text = json!({ "type": "output_text", "text": say.text, "annotations": [], "logprobs": [] });
    let message = json!({ "id": format!("msg_{n}"), "type": "message", "status": "completed", "role": "assistant",
        "content": [text] });
    let calls = say.calls.iter().enumerate().map(|(i, call)| {
        json!({ "id": format!("fc_{n}x{i}"), "type": "function_call", "status": "completed",
            "call_id": format!("call_{n}x{i}"), "name": call.name, "arguments": call.arguments.to_string() })
    });
    let message = Some(message).filter(|_| say.calls.is_empty());
    reasoning.into_iter().chain(message).chain(calls).collect()
}

fn response(ask: &Ask, say: &Say, n: u64, status: &str, output: Vec<Value>) -> Value {
    let incomplete = (status == "incomplete").then(|| json!({ "reason": "max_output_tokens" }));
    let usage = (matches!(status, "completed" | "incomplete") && say.counts).then(|| {
        let tokens = say.tokens;
        json!({ "input_tokens": tokens.input, "input_tokens_details": { "cached_tokens": tokens.cached },
            "output_tokens": tokens.output, "output_tokens_details": { "reasoning_tokens": say.reasoning() },
            "total_tokens": tokens.input + tokens.output })
    });
    json!({
        "id": format!("resp_{n}"), "object": "response", "created_at": CREATED, "status": status,
        "background": false, "error": null, "incomplete_details": incomplete, "instructions": null,
        "max_output_tokens": null, "model": ask.model, "output": output, "parallel_tool_calls": true,
        "previous_response_id": null, "reasoning": { "effort": null, "summary": null }, "store": false,
        "temperature": 1.0, "text": { "format": { "type": "text" } }, "tool_choice": "auto", "tools": [],
        "top_p": 1.0, "truncation": "disabled", "usage": usage, "user": null, "metadata": {},
    })
}

fn status(say: &Say) -> &'static str {
    if say.cut_short { "incomplete" } else { "completed" }
}

pub(super) fn whole(ask: &Ask, say: &Say, n: u64) -> Value {
    response(ask, say, n, status(say), items(ask, say, n))
}

pub(super) fn frames(ask: &Ask, say: &Say, n: u64) -> Vec<String> {
    let mut events = vec![
        json!({ "type": "response.created", "response": response(ask, say, n, "in_progress", Vec::new()) }),
        json!({ "type": "response.in_progress", "response": response(ask, say, n, "in_progress", Vec::new()) }),
    ];
    let items = items(ask, say, n);
    for (index, item) in items.iter().enumerate() {
        let mut begun = item.clone();
        let parts = match item["type"].as_str() {
            Some("message") => {
                begun["content"] = json!([]);
                begun["status"] = json!("in_progress");
                message(index, item)
            }
            Some("function_call") => {
                begun["arguments"] = json!("");
                begun["status"] = json!("in_progress");
                call(index, item)
            }
            _ => {
                begun["summary"] = json!([]);
                reasoning(index, item)
            }
        };
        events.push(json!({ "type": "response.output_item.added", "output_index": index, "item": begun }));
        events.extend(parts);
        events.push(json!({ "type": "response.output_item.done", "output_index": index, "item": item }));
    }
    let last = format!("response.{}", status(say));
    events.push(json!({ "type": last, "response": response(ask, say, n, status(say), items) }));
    events.into_iter().enumerate().map(|(number, event)| frame(event, number)).collect()
}

fn frame(mut event: Value, number: usize) -> String {
    event["sequence_number"] = json!(number);
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
}

fn message(index: usize, item: &Value) -> Vec<Value> {
    let at = |kind: &str| json!({ "type": kind, "item_id": item["id"], "output_index": index, "content_index": 0 });
    let with = |kind: &str, key: &str, value: Value| {
        let mut event = at(kind);
        event[key] = value;
        event
    };
    let part = &item["content"][0];
    let mut empty = part.clone();
    empty["text"] = json!("");
    let text = string(&part["text"]);
    let mut events = vec![with("response.content_part.added", "part", empty)];
    for piece in pieces(&text) {
        let mut event = with("response.output_text.delta", "delta", json!(piece));
        event["logprobs"] = json!([]);
        events.push(event);
    }
    let mut done = with("response.output_text.done", "text", json!(text));
    done["logprobs"] = json!([]);
    events.push(done);
    events.push(with("response.content_part.done", "part", part.clone()));
    events
}

fn call(index: usize, item: &Value) -> Vec<Value> {
    let arguments = string(&item["arguments"]);
    let kind = "response.function_call_arguments";
    let pieces = arguments.split_inclusive(':').map(|piece| {
        json!({ "type": format!("{kind}.delta"), "item_id": item["id"], "output_index": index, "delta": piece })
    });
    let done = json!({ "type": format!("{kind}.done"), "item_id": item["id"], "output_index": index,
        "name": item["name"], "arguments": arguments });
    pieces.chain([done]).collect()
}

fn reasoning(index: usize, item: &Value) -> Vec<Value> {
    let Some(part) = item["summary"].get(0) else { return Vec::new() };
    let at = |kind: &str, key: &str, value: Value| {
        let mut event = json!({ "type": format!("response.reasoning_summary_{kind}"), "item_id": item["id"],
            "output_index": index, "summary_index": 0 });
        event[key] = value;
        event
    };
    let text = string(&part["text"]);
    let mut events = vec![at("part.added", "part", json!({ "type": "summary_text", "text": "" }))];
    events.extend(text.split_inclusive(' ').map(|piece| at("text.delta", "delta", json!(piece))));
    events.push(at("text.done", "text", json!(text)));
    events.push(at("part.done", "part", part.clone()));
    events
}

/// An error inside of a stream.
pub(super) fn fault_frame(message: &str, number: usize) -> String {
    let event = json!({ "type": "error", "code": "server_error", "message": message, "param": null });
    frame(event, number)
}
