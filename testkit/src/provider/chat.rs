//! OpenAI's `/v1/chat/completions` and `/v1/embeddings`, as its API reference describes them.

use serde_json::{Value, json};

use super::ask::{Ask, Refused, list, media, string, text_of};
use super::say::{Say, pieces};

/// Every `created` here; any fixed second does.
pub(super) const CREATED: i64 = 1_764_000_000;

pub(super) fn read(body: &Value) -> Result<Ask, Refused> {
    let messages = list(&body["messages"]);
    if messages.is_empty() {
        return Err((
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1.".to_owned(),
        ));
    }
    answered(messages)?;
    let effort = body["reasoning_effort"].as_str();
    let format = &body["response_format"];
    let mut ask = Ask {
        model: string(&body["model"]),
        stream: body["stream"] == true,
        include_usage: body["stream_options"]["include_usage"] == true,
        must_call: body["tool_choice"] == "required" || body["tool_choice"].is_object(),
        thinks: effort.is_some_and(|effort| effort != "none"),
        schema: match format["type"].as_str() {
            Some("json_schema") => Some(format["json_schema"]["schema"].clone()),
            Some("json_object") => Some(json!({ "type": "object" })),
            _ => None,
        },
        ..Ask::default()
    };
    if body["tool_choice"] != "none" {
        let functions = list(&body["tools"]).iter().map(|tool| &tool["function"]);
        ask.tools = functions.map(|of| (string(&of["name"]), of["parameters"].clone())).collect();
    }
    if let Some(named) = body["tool_choice"]["function"]["name"].as_str() {
        ask.tools.retain(|(name, _)| name == named);
    }
    let tail = messages.iter().rev().take_while(|message| message["role"] == "tool");
    ask.results = tail.map(|message| text_of(&message["content"])).collect();
    ask.results.reverse();
    if let Some(user) = messages.iter().rev().find(|message| message["role"] == "user") {
        ask.text = text_of(&user["content"]);
        let pictures = list(&user["content"]).iter().filter(|part| part["type"] == "image_url");
        ask.pictures = pictures
            .map(|part| media(part["image_url"]["url"].as_str().unwrap_or_default()))
            .chain(
                list(&user["content"])
                    .iter()
                    .filter(|part| part["type"] == "file")
                    .map(|_| "file".to_owned()),
            )
            .collect();
    }
    Ok(ask)
}

/// Every call must be answered right after it, as the API insists.
fn answered(messages: &[Value]) -> Result<(), Refused> {
    let mut owed: Vec<String> = Vec::new();
    for message in messages {
        if message["role"] == "tool" {
            let id = string(&message["tool_call_id"]);
            let Some(at) = owed.iter().position(|owed| *owed == id) else {
                let why = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                return Err((400, why.to_owned()));
            };
            owed.remove(at);
            continue;
        }
        if !owed.is_empty() {
            return Err((
                400,
                format!(
                    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
                    owed.join(", ")
                ),
            ));
        }
        for call in list(&message["tool_calls"]) {
            if !call["function"]["arguments"].is_string() {
                return Err((400, "Invalid type for 'arguments': expected a string.".to_owned()));
            }
            owed.push(string(&call["id"]));
        }
    }
    Ok(())
}

fn calls(say: &Say, n: u64) -> Vec<Value> {
    let calls = say.calls.iter().enumerate();
    calls
        .map(|(i, call)| {
            let function = json!({ "name": call.name, "arguments": call.arguments.to_string() });
            json!({ "id": format!("call_{n}x{i}"), "type": "function", "function": function })
        })
        .collect()
}

fn finish(say: &Say) -> &'static str {
    match (say.cut_short, say.calls.is_empty()) {
        (true, _) => "length",
        (false, true) => "stop",
        (false, false) => "tool_calls",
    }
}

fn usage(say: &Say) -> Value {
    let tokens = say.tokens;
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": { "cached_tokens": tokens.cached, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": say.reasoning(), "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0 },
    })
}

pub(super) fn whole(ask: &Ask, say: &Say, n: u64) -> Value {
    let mut message = json!({ "role": "assistant", "refusal": null, "annotations": [] });
    message["content"] = if say.calls.is_empty() { json!(say.text) } else { Value::Null };
    if !say.calls.is_empty() {
        message["tool_calls"] = json!(calls(say, n));
    }
    // OpenAI itself never shows its reasoning here; local servers do.
    if let Some(thinking) = &say.thinking {
        message["reasoning_content"] = json!(thinking);
    }
    let mut body = json!({
        "id": format!("chatcmpl-{n}"), "object": "chat.completion", "created": CREATED, "model": ask.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish(say) }],
        "service_tier": "default", "system_fingerprint": "fp_sanctum",
    });
    if say.counts {
        body["usage"] = usage(say);
    }
    body
}

pub(super) fn frames(ask: &Ask, say: &Say, n: u64) -> Vec<String> {
    let frame = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-{n}"), "object": "chat.completion.chunk", "created": CREATED,
            "model": ask.model, "service_tier": "default", "system_fingerprint": "fp_sanctum", "choices": choices,
        });
        if ask.include_usage && say.counts {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Value| {
        frame(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]), Value::Null)
    };
    let mut frames = vec![delta(json!({ "role": "assistant", "content": "", "refusal": null }), Value::Null)];
    if let Some(thinking) = &say.thinking {
        frames.extend(
            thinking
                .split_inclusive(' ')
                .map(|piece| delta(json!({ "reasoning_content": piece }), Value::Null)),
        );
    }
    if say.calls.is_empty() {
        frames.extend(
            pieces(&say.text).into_iter().map(|piece| delta(json!({ "content": piece }), Value::Null)),
        );
    }
    for (i, mut call) in calls(say, n).into_iter().enumerate() {
        let arguments = string(&call["function"]["arguments"]);
        call["function"]["arguments"] = json!("");
        call["index"] = json!(i);
        frames.push(delta(json!({ "tool_calls": [call] }), Value::Null));
        for piece in arguments.split_inclusive(':') {
            let piece = json!({ "tool_calls": [{ "index": i, "function": { "arguments": piece } }] });
            frames.push(delta(piece, Value::Null));
        }
    }
    frames.push(delta(json!({}), json!(finish(say))));
    if ask.include_usage && say.counts {
        frames.push(frame(json!([]), usage(say)));
    }
    frames.push("data: [DONE]\n\n".to_owned());
    frames
}

/// OpenAI's shape of an error, for all of its APIs.
pub(super) fn fault(status: u16, message: &str, context: bool) -> Value {
    let (kind, code) = match status {
        _ if context => ("invalid_request_error", json!("context_length_exceeded")),
        401 => ("invalid_request_error", json!("invalid_api_key")),
        402 => ("insufficient_quota", json!("insufficient_quota")),
        403 => ("invalid_request_error", json!("unsupported_country_region_territory")),
        404 => ("invalid_request_error", json!("model_not_found")),
        429 => ("requests", json!("rate_limit_exceeded")),
        400..500 => ("invalid_request_error", Value::Null),
        _ => ("server_error", Value::Null),
    };
    let param = if context { json!("messages") } else { Value::Null };
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
}

/// Vectors of eight numbers, as base64 of little-endian floats where that is asked for.
pub(super) fn embeddings(body: &Value) -> Result<Value, Refused> {
    let inputs = match &body["input"] {
        Value::String(_) => 1,
        Value::Array(all) if all.is_empty() => 0,
        // A list of numbers is one input of tokens.
        Value::Array(all) if all.iter().all(Value::is_number) => 1,
        Value::Array(all) => all.len(),
        _ => 0,
    };
    if inputs == 0 {
        return Err((400, "'$.input' is invalid.".to_owned()));
    }
    let wide = usize::try_from(body["dimensions"].as_u64().unwrap_or(8)).unwrap_or(8);
    let data = (0..inputs).map(|i| {
        let vector: Vec<f32> = (0..wide).map(|k| if k == i % wide { 1.0 } else { 0.5 }).collect();
        let embedding = if body["encoding_format"] == "base64" {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            json!(base64(&bytes))
        } else {
            json!(vector)
        };
        json!({ "object": "embedding", "index": i, "embedding": embedding })
    });
    let data: Vec<Value> = data.collect();
    let tokens = 5 * inputs;
    Ok(json!({ "object": "list", "data": data, "model": body["model"],
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens } }))
}

/// RFC 4648, with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word =
            three.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let letter = LETTERS[((word >> (18 - 6 * i)) & 63) as usize];
            text.push(if i <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
