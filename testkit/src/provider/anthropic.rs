//! Anthropic's `/v1/messages`, as its API reference describes it, with the checks it makes.

use serde_json::{Value, json};

use super::ask::{Ask, Refused, list, string, text_of};
use super::say::{Say, pieces};

pub(super) fn read(body: &Value, signature: &str) -> Result<Ask, Refused> {
    let messages = list(&body["messages"]);
    if messages.is_empty() {
        return Err((400, "messages: at least one message is required".to_owned()));
    }
    if !body["max_tokens"].is_u64() {
        return Err((400, "max_tokens: Field required".to_owned()));
    }
    check(messages, signature)?;
    let thinking = body["thinking"]["type"].as_str();
    let budget = body["thinking"]["budget_tokens"].as_u64();
    if thinking == Some("enabled")
        && budget.is_none_or(|budget| budget >= body["max_tokens"].as_u64().unwrap_or(0))
    {
        return Err((400, "`max_tokens` must be greater than `thinking.budget_tokens`".to_owned()));
    }
    let format = [&body["output_config"]["format"], &body["output_format"]];
    let mut ask = Ask {
        model: string(&body["model"]),
        stream: body["stream"] == true,
        include_usage: true,
        must_call: matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool")),
        thinks: matches!(thinking, Some("enabled" | "adaptive")),
        schema: format
            .into_iter()
            .find(|format| format["type"] == "json_schema")
            .map(|format| format["schema"].clone()),
        ..Ask::default()
    };
    if body["tool_choice"]["type"] != "none" {
        let tools = list(&body["tools"]).iter().filter(|tool| tool["input_schema"].is_object());
        ask.tools = tools.map(|tool| (string(&tool["name"]), tool["input_schema"].clone())).collect();
    }
    if body["tool_choice"]["type"] == "tool" {
        ask.tools.retain(|(name, _)| body["tool_choice"]["name"] == name.as_str());
    }
    if let Some(user) = messages.iter().rev().find(|message| message["role"] == "user") {
        let blocks = list(&user["content"]);
        ask.results = of(blocks, "tool_result").map(|block| text_of(&block["content"])).collect();
        ask.text = text_of(&user["content"]);
        let pictures = blocks.iter().filter(|block| block["type"] == "image" || block["type"] == "document");
        ask.pictures = pictures
            .map(|block| block["source"]["media_type"].as_str().unwrap_or("url").to_owned())
            .collect();
    }
    if !ask.results.is_empty() && ask.text.is_empty() {
        ask.text = earlier(messages);
    }
    Ok(ask)
}

/// The last words of the user before the results of tools.
fn earlier(messages: &[Value]) -> String {
    let users = messages.iter().rev().filter(|message| message["role"] == "user");
    users.map(|message| text_of(&message["content"])).find(|text| !text.is_empty()).unwrap_or_default()
}

fn of<'a>(blocks: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    blocks.iter().filter(move |block| block["type"] == kind)
}

/// Results right after their calls and in one message; signatures of this issuer only.
fn check(messages: &[Value], signature: &str) -> Result<(), Refused> {
    let mut owed: Vec<String> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let blocks = list(&message["content"]);
        for result in of(blocks, "tool_result") {
            let id = string(&result["tool_use_id"]);
            let Some(found) = owed.iter().position(|owed| *owed == id) else {
                return Err((
                    400,
                    format!(
                        "messages.{at}.content: unexpected `tool_use_id` found in `tool_result` blocks: {id}"
                    ),
                ));
            };
            owed.remove(found);
        }
        if !owed.is_empty() {
            return Err((
                400,
                format!(
                    "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}",
                    owed.join(", ")
                ),
            ));
        }
        for block in of(blocks, "tool_use") {
            if !block["input"].is_object() {
                return Err((
                    400,
                    format!("messages.{at}.content: tool_use.input: Input should be an object"),
                ));
            }
            owed.push(string(&block["id"]));
        }
        for (k, block) in blocks.iter().enumerate().filter(|(_, block)| block["type"] == "thinking") {
            if block["signature"] != signature {
                return Err((
                    400,
                    format!("messages.{at}.content.{k}: Invalid `signature` in `thinking` block"),
                ));
            }
        }
    }
    Ok(())
}

fn blocks(say: &Say, n: u64, signature: &str) -> Vec<Value> {
    let thinking = say
        .thinking
        .iter()
        .map(|thinking| json!({ "type": "thinking", "thinking": thinking, "signature": signature }));
    let text = Some(json!({ "type": "text", "text": say.text })).filter(|_| !say.text.is_empty());
    let calls = say.calls.iter().enumerate().map(|(i, call)| {
        json!({ "type": "tool_use", "id": format!("toolu_{n}x{i}"), "name": call.name, "input": call.arguments })
    });
    thinking.chain(text).chain(calls).collect()
}

fn stop(say: &Say) -> &'static str {
    match (say.cut_short, say.calls.is_empty()) {
        (true, _) => "max_tokens",
        (false, true) => "end_turn",
        (false, false) => "tool_use",
    }
}

/// `input_tokens` leaves out what was read from and written to the cache.
fn usage(say: &Say, output: u64) -> Value {
    let tokens = say.tokens;
    let written = tokens.written_5m + tokens.written_1h;
    json!({
        "input_tokens": tokens.input - tokens.cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": { "ephemeral_5m_input_tokens": tokens.written_5m, "ephemeral_1h_input_tokens": tokens.written_1h },
        "output_tokens": output,
        "service_tier": "standard",
    })
}

pub(super) fn whole(ask: &Ask, say: &Say, n: u64, signature: &str) -> Value {
    let mut body = json!({
        "id": format!("msg_{n}"), "type": "message", "role": "assistant", "model": ask.model,
        "content": blocks(say, n, signature), "stop_reason": stop(say), "stop_sequence": null,
    });
    if say.counts {
        body["usage"] = usage(say, say.tokens.output);
    }
    body
}

fn frame(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

pub(super) fn frames(ask: &Ask, say: &Say, n: u64, signature: &str) -> Vec<String> {
    let mut message = json!({
        "id": format!("msg_{n}"), "type": "message", "role": "assistant", "model": ask.model,
        "content": [], "stop_reason": null, "stop_sequence": null,
    });
    let mut last = json!({
        "type": "message_delta", "delta": { "stop_reason": stop(say), "stop_sequence": null },
    });
    if say.counts {
        message["usage"] = usage(say, 1);
        last["usage"] = usage(say, say.tokens.output);
    }
    let mut frames = vec![frame(&json!({ "type": "message_start", "message": message }))];
    for (index, block) in blocks(say, n, signature).into_iter().enumerate() {
        frames.extend(streamed(index, block));
        if index == 0 {
            frames.insert(2, frame(&json!({ "type": "ping" })));
        }
    }
    frames.push(frame(&last));
    frames.push(frame(&json!({ "type": "message_stop" })));
    frames
}

fn streamed(index: usize, mut block: Value) -> Vec<String> {
    let take = |block: &mut Value, key: &str, left: Value| std::mem::replace(&mut block[key], left);
    let mut deltas = Vec::new();
    match block["type"].as_str() {
        Some("thinking") => {
            let thinking = string(&take(&mut block, "thinking", json!("")));
            let signature = take(&mut block, "signature", json!(""));
            deltas.extend(
                pieces(&thinking)
                    .into_iter()
                    .map(|piece| json!({ "type": "thinking_delta", "thinking": piece })),
            );
            deltas.push(json!({ "type": "signature_delta", "signature": signature }));
        }
        Some("text") => {
            let text = string(&take(&mut block, "text", json!("")));
            deltas.extend(
                pieces(&text).into_iter().map(|piece| json!({ "type": "text_delta", "text": piece })),
            );
        }
        _ => {
            let input = take(&mut block, "input", json!({})).to_string();
            deltas.push(json!({ "type": "input_json_delta", "partial_json": "" }));
            let pieces = input.split_inclusive(':');
            deltas.extend(pieces.map(|piece| json!({ "type": "input_json_delta", "partial_json": piece })));
        }
    }
    let start = frame(&json!({ "type": "content_block_start", "index": index, "content_block": block }));
    let deltas = deltas
        .into_iter()
        .map(|delta| frame(&json!({ "type": "content_block_delta", "index": index, "delta": delta })));
    let stop = frame(&json!({ "type": "content_block_stop", "index": index }));
    std::iter::once(start).chain(deltas).chain([stop]).collect()
}

pub(super) fn fault(status: u16, message: &str, n: u64) -> Value {
    let kind = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    };
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": format!("req_{n}") })
}

/// Four letters a token, the image of any size 1,000.
pub(super) fn count(body: &Value) -> Value {
    let letters = body.to_string().len();
    json!({ "input_tokens": letters / 4 + 1 })
}
