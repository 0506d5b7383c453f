//! Google's `generateContent` and `streamGenerateContent`, as its API reference describes them.

use serde_json::{Value, json};

use super::ask::{Ask, Refused, list, string};
use super::say::{Say, pieces};

pub(super) fn read(body: &Value, model: &str, stream: bool) -> Result<Ask, Refused> {
    let contents = list(&body["contents"]);
    if contents.is_empty() {
        return Err((400, "* GenerateContentRequest.contents: contents is not specified".to_owned()));
    }
    answered(contents)?;
    let config = &body["generationConfig"];
    let thinking = &config["thinkingConfig"];
    let mode = body["toolConfig"]["functionCallingConfig"]["mode"].as_str();
    let mut ask = Ask {
        model: model.to_owned(),
        stream,
        include_usage: true,
        must_call: mode == Some("ANY"),
        thinks: thinking["includeThoughts"] == true
            || thinking["thinkingLevel"].is_string()
            || thinking["thinkingBudget"].as_i64().is_some_and(|budget| budget != 0),
        shows: thinking["includeThoughts"] == true,
        schema: [&config["responseJsonSchema"], &config["responseSchema"]]
            .into_iter()
            .find(|schema| schema.is_object())
            .cloned()
            .or_else(|| {
                (config["responseMimeType"] == "application/json").then(|| json!({ "type": "object" }))
            }),
        ..Ask::default()
    };
    if mode != Some("NONE") {
        let functions = list(&body["tools"]).iter().flat_map(|tool| list(&tool["functionDeclarations"]));
        ask.tools = functions
            .map(|of| {
                let schema = [&of["parametersJsonSchema"], &of["parameters"]];
                (
                    string(&of["name"]),
                    schema.into_iter().find(|it| it.is_object()).cloned().unwrap_or_default(),
                )
            })
            .collect();
    }
    if let Some(allowed) = body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"].as_array() {
        ask.tools.retain(|(name, _)| allowed.iter().any(|one| one == name));
    }
    let last = contents.last().map_or(&[][..], |turn| list(&turn["parts"]));
    let results = last.iter().filter_map(|part| part.get("functionResponse"));
    ask.results = results.map(|result| plain(&result["response"])).collect();
    let users = contents.iter().rev().filter(|turn| turn["role"] != "model");
    for turn in users {
        let parts = list(&turn["parts"]);
        let texts: Vec<_> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
        if texts.is_empty() {
            continue;
        }
        ask.text = texts.join("\n");
        let pictures =
            parts.iter().filter_map(|part| part.get("inlineData").or_else(|| part.get("fileData")));
        ask.pictures = pictures.map(|data| string(&data["mimeType"])).collect();
        break;
    }
    Ok(ask)
}

/// The text in a result, or its JSON.
fn plain(response: &Value) -> String {
    let fields = response.as_object().filter(|fields| fields.len() == 1);
    let only = fields.and_then(|fields| fields.values().next()).and_then(Value::as_str);
    only.map_or_else(|| response.to_string(), str::to_owned)
}

/// As many results as calls, right after them, as the API insists.
fn answered(contents: &[Value]) -> Result<(), Refused> {
    let count =
        |turn: &Value, key: &str| list(&turn["parts"]).iter().filter(|part| part.get(key).is_some()).count();
    for pair in contents.windows(2) {
        let calls = count(&pair[0], "functionCall");
        if calls != count(&pair[1], "functionResponse") {
            let why = "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.";
            return Err((400, why.to_owned()));
        }
    }
    Ok(())
}

fn parts(ask: &Ask, say: &Say, signature: &str) -> Vec<Value> {
    let shown = say.thinking.iter().filter(|_| ask.shows || !ask.thinks);
    let thought = shown.map(|thinking| json!({ "text": thinking, "thought": true }));
    let calls = say.calls.iter().enumerate().map(|(i, call)| {
        let mut part = json!({ "functionCall": { "name": call.name, "args": call.arguments } });
        if i == 0 && say.thinking.is_some() {
            part["thoughtSignature"] = json!(signature);
        }
        part
    });
    thought.chain(calls).collect()
}

fn finish(say: &Say) -> &'static str {
    if say.cut_short { "MAX_TOKENS" } else { "STOP" }
}

/// `candidatesTokenCount` leaves out the thoughts.
fn usage(say: &Say) -> Value {
    let tokens = say.tokens;
    let mut usage = json!({
        "promptTokenCount": tokens.input,
        "cachedContentTokenCount": tokens.cached,
        "candidatesTokenCount": tokens.output - say.reasoning(),
        "totalTokenCount": tokens.input + tokens.output,
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": tokens.input }],
    });
    if say.reasoning() > 0 {
        usage["thoughtsTokenCount"] = json!(say.reasoning());
    }
    usage
}

fn chunk(ask: &Ask, say: &Say, n: u64, parts: &[Value], finished: bool) -> Value {
    let mut candidate = json!({ "content": { "role": "model", "parts": parts }, "index": 0 });
    if finished {
        candidate["finishReason"] = json!(finish(say));
    }
    let mut body =
        json!({ "candidates": [candidate], "modelVersion": ask.model, "responseId": format!("gem{n}") });
    if say.counts {
        body["usageMetadata"] = usage(say);
    }
    body
}

pub(super) fn whole(ask: &Ask, say: &Say, n: u64, signature: &str) -> Value {
    let mut parts = parts(ask, say, signature);
    if say.calls.is_empty() {
        parts.push(json!({ "text": say.text }));
    }
    chunk(ask, say, n, &parts, true)
}

/// As `alt=sse` sends them.
pub(super) fn frames(ask: &Ask, say: &Say, n: u64, signature: &str) -> Vec<String> {
    let mut each: Vec<Value> = parts(ask, say, signature);
    if say.calls.is_empty() {
        each.extend(pieces(&say.text).into_iter().map(|piece| json!({ "text": piece })));
    }
    if each.is_empty() {
        each.push(json!({ "text": "" }));
    }
    let last = each.len() - 1;
    let chunks = each.into_iter().enumerate();
    chunks.map(|(i, part)| format!("data: {}\r\n\r\n", chunk(ask, say, n, &[part], i == last))).collect()
}

pub(super) fn fault(status: u16, message: &str) -> Value {
    let word = match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..500 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    };
    json!({ "error": { "code": status, "message": message, "status": word } })
}

/// `batchEmbedContents` and `embedContent`.
pub(super) fn embeddings(body: &Value) -> Value {
    let one = |i: usize| {
        let values: Vec<f32> = (0..8).map(|k| if k == i % 8 { 1.0 } else { 0.5 }).collect();
        json!({ "values": values })
    };
    match body["requests"].as_array() {
        Some(requests) => json!({ "embeddings": (0..requests.len()).map(one).collect::<Vec<_>>() }),
        None => json!({ "embedding": one(0) }),
    }
}
