//! Gemini: what is read is written again, each generation is asked in its own words.

use std::time::Duration;

use sanctum_llm::{
    Answer, Choice, Dialect, Effort, Event, Fault, FaultKind, Finish, Part, Reasoning, Request, gemini,
};
use serde_json::{Value, json};

use crate::help::same;
use crate::laws::{encode, events, request_stays, told};

const REQUEST: &str = include_str!("fixtures/gemini-request.json");
const ANSWER: &str = include_str!("fixtures/gemini-answer.json");
const STREAM: &str = include_str!("fixtures/gemini-stream.sse");

fn read(body: &str) -> Request {
    Dialect::Gemini.codec().read_request(body.as_bytes()).unwrap()
}

fn pretty(body: &[u8]) -> String {
    serde_json::to_string_pretty(&serde_json::from_slice::<Value>(body).unwrap()).unwrap()
}

/// What a request becomes for a model, and what is lost.
fn asked(request: &Request, model: &str) -> (Value, Vec<String>) {
    let request = Request { model: model.to_owned(), ..request.clone() };
    let written = Dialect::Gemini.codec().write_request(&request);
    let losses = written.losses.iter().map(|loss| format!("{}: {}", loss.what, loss.became)).collect();
    (serde_json::from_slice(&written.body).unwrap(), losses)
}

#[test]
fn a_request_is_read_and_written_again() {
    let request = request_stays(Dialect::Gemini.codec(), REQUEST);
    insta::assert_debug_snapshot!(request);
    insta::assert_snapshot!(pretty(&Dialect::Gemini.codec().write_request(&request).body));
}

#[test]
fn names_with_underscores_are_the_same_names() {
    let body = r#"{"contents":[{"role":"user","parts":[{"inline_data":{"mime_type":"image/png","data":"AA=="}}]}],
        "system_instruction":{"parts":[{"text":"s"}]},"generation_config":{"max_output_tokens":5,"stop_sequences":["x"]},
        "tools":[{"function_declarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"a_b":{"type":"STRING"}}}}]}]}"#;
    insta::assert_debug_snapshot!(read(body));
}

#[test]
fn an_answer_is_read_and_written_again() {
    let codec = Dialect::Gemini.codec();
    let answer = codec.read_answer(ANSWER.as_bytes()).unwrap();
    insta::assert_debug_snapshot!(answer);
    let written = codec.write_answer(&answer, &read(REQUEST));
    assert_eq!(written.losses, []);
    same(&codec.read_answer(&written.body).unwrap(), &answer);
}

#[test]
fn complaints_name_field_value_and_what_is_allowed() {
    let part = |part: Value| json!({"contents": [{"parts": [part]}]});
    let config =
        |config: Value| json!({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": config});
    let cases = [
        json!({}),
        json!({"contents": []}),
        json!({"contents": [{}]}),
        json!({"contents": [{"parts": []}]}),
        json!({"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}),
        json!({"contents": "x"}),
        part(json!({"text": 7})),
        part(json!({"inlineData": {"data": "x"}})),
        part(json!({"functionCall": {"args": {}}})),
        part(json!({"functionCall": {"name": "f", "args": []}})),
        part(json!({"functionResponse": {"name": "f"}})),
        config(json!({"temperature": -1})),
        config(json!({"topK": "x"})),
        config(json!({"maxOutputTokens": 0})),
        config(json!({"stopSequences": "x"})),
        config(json!({"responseMimeType": "text/x.enum"})),
        config(json!({"thinkingConfig": {"thinkingBudget": -2}})),
        config(json!({"thinkingConfig": {"thinkingLevel": "EXTREME"}})),
        json!({"contents": [{"parts": [{"text": "x"}]}], "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}),
        json!({"contents": [{"parts": [{"text": "x"}]}], "tools": [{"functionDeclarations": [{}]}]}),
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|body| {
            Dialect::Gemini.codec().read_request(body.to_string().as_bytes()).unwrap_err().to_string()
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn calls_without_ids_get_stable_ones_and_results_find_them() {
    let body = r#"{"contents":[
        {"role":"model","parts":[{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"g","args":{}}},{"functionCall":{"name":"f","args":{}}}]},
        {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"1"}}},{"functionResponse":{"name":"f","response":{"output":"2"}}},{"functionResponse":{"name":"g","response":{"output":"3"}}}]}]}"#;
    let request = read(body);
    let ids = |turn: usize| -> Vec<String> {
        let id = |part: &Part| match part {
            Part::ToolCall { id, .. } | Part::ToolResult { id, .. } => Some(id.clone()),
            _ => None,
        };
        request.turns[turn].parts.iter().filter_map(id).collect()
    };
    let (calls, results) = (ids(0), ids(1));
    assert_eq!(results, [calls[0].clone(), calls[2].clone(), calls[1].clone()]);
    assert!(calls[0] != calls[1] && calls[1] != calls[2] && calls[0] != calls[2]);
    same(&read(body), &request);
}

/// A conversation of another dialect: unsigned calls, a picture as a result, instructions in the middle.
fn foreign() -> Request {
    let body = json!({"model": "m", "max_completion_tokens": 40_000, "frequency_penalty": 0.5, "seed": 5_000_000_000_i64,
    "stop": ["a", "b", "c", "d"], "user": "u", "parallel_tool_calls": false, "reasoning_effort": "xhigh",
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"type": "object", "additionalProperties": false, "properties": {"a": {"type": ["string", "null"]}}}}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object", "$schema": "x"}}},
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{broken"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "{\"t\": 21}"},
        {"role": "tool", "tool_call_id": "b", "content": "two"},
        {"role": "system", "content": "late"},
        {"role": "user", "name": "bob", "content": [{"type": "text", "text": "and?"}, {"type": "image_url", "image_url": {"url": "https://x/y.webp", "detail": "low"}}]}
    ]});
    Dialect::Chat.codec().read_request(body.to_string().as_bytes()).unwrap()
}

#[test]
fn another_dialects_request_is_asked_of_each_generation() {
    for model in ["gemini-3-flash", "gemini-2.5-pro", "gemini-2.0-flash"] {
        let (body, losses) = asked(&foreign(), model);
        let shown =
            format!("{}\n\nlosses:\n{}", serde_json::to_string_pretty(&body).unwrap(), losses.join("\n"));
        insta::assert_snapshot!(format!("foreign-{model}"), shown);
    }
}

#[test]
fn pictures_in_results_stand_where_the_generation_takes_them() {
    let body = json!({"model": "m", "input": [
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "data:image/png;base64,AA=="}]}
    ]});
    let request = Dialect::Responses.codec().read_request(body.to_string().as_bytes()).unwrap();
    let (new, losses) = asked(&request, "gemini-3-pro");
    assert_eq!(new["contents"][1]["parts"][0]["functionResponse"]["parts"][0]["inlineData"]["data"], "AA==");
    assert_eq!(losses, Vec::<String>::new());
    let (old, losses) = asked(&request, "gemini-2.5-pro");
    assert_eq!(old["contents"][1]["parts"][1]["inlineData"]["data"], "AA==");
    assert_eq!(losses, ["turns[1].parts[0].parts[1]: beside the result of the function"]);
}

#[test]
fn thinking_is_asked_for_in_the_words_of_the_generation() {
    let config = |model: &str, reasoning: Reasoning| {
        let request = Request { reasoning: Some(reasoning), ..foreign() };
        let (body, losses) = asked(&request, model);
        let lost: Vec<String> = losses.into_iter().filter(|loss| loss.starts_with("reasoning")).collect();
        format!("{model}: {} {lost:?}", body["generationConfig"]["thinkingConfig"])
    };
    let effort = |effort| Reasoning { effort: Some(effort), enabled: Some(true), ..Reasoning::default() };
    let mut seen = Vec::new();
    for model in ["gemini-3-pro", "gemini-3-flash", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.0-flash"]
    {
        for reasoning in [
            effort(Effort::Minimal),
            effort(Effort::Max),
            Reasoning { enabled: Some(false), ..Reasoning::default() },
            Reasoning { budget: Some(100), summary: Some("auto".into()), ..Reasoning::default() },
            Reasoning { adaptive: true, enabled: Some(true), ..Reasoning::default() },
        ] {
            seen.push(config(model, reasoning));
        }
    }
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn choices_have_their_modes() {
    let mode = |choice| {
        let (body, _) = asked(&Request { choice, ..foreign() }, "gemini-3-pro");
        body["toolConfig"]["functionCallingConfig"].clone()
    };
    assert_eq!(mode(None), Value::Null);
    assert_eq!(mode(Some(Choice::Auto)), json!({"mode": "AUTO"}));
    assert_eq!(mode(Some(Choice::None)), json!({"mode": "NONE"}));
    assert_eq!(mode(Some(Choice::Required)), json!({"mode": "ANY"}));
    assert_eq!(mode(Some(Choice::Named("f".into()))), json!({"mode": "ANY", "allowedFunctionNames": ["f"]}));
}

fn answer(body: &Value) -> Answer {
    Dialect::Gemini.codec().read_answer(body.to_string().as_bytes()).unwrap()
}

#[test]
fn answers_end_for_a_reason() {
    let finish = |word: &str| {
        answer(&json!({"candidates": [{"content": {"parts": []}, "finishReason": word}]})).finish
    };
    assert_eq!(finish("STOP"), Finish::Stop);
    assert_eq!(finish("MAX_TOKENS"), Finish::Length);
    for word in ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"] {
        assert_eq!(finish(word), Finish::Refused);
    }
    assert_eq!(finish("MALFORMED_FUNCTION_CALL"), Finish::Other("MALFORMED_FUNCTION_CALL".into()));
    let blocked = answer(
        &json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}),
    );
    assert_eq!((blocked.finish, blocked.usage.unwrap().input), (Finish::Refused, 3));
    let codec = Dialect::Gemini.codec();
    let told = |body: &str| codec.read_answer(body.as_bytes()).unwrap_err().to_string();
    assert_eq!(told(r#"{"error":{"code":500,"message":"no"}}"#), "error: is there instead of an answer: no");
    assert_eq!(told("{}"), "candidates: is missing; a list of candidates is needed");
}

#[test]
fn output_is_what_was_said_and_what_was_thought() {
    let usage = answer(
        &json!({"candidates": [], "usageMetadata": {"promptTokenCount": 10, "toolUsePromptTokenCount": 2,
        "cachedContentTokenCount": 4, "candidatesTokenCount": 5, "thoughtsTokenCount": 7}}),
    );
    let usage = usage.usage.unwrap();
    assert_eq!((usage.input, usage.cached, usage.output, usage.reasoning), (12, 4, 12, 7));
}

#[test]
fn a_stream_is_read_and_written_again() {
    let codec = Dialect::Gemini.codec();
    let read = events(codec, STREAM.as_bytes());
    insta::assert_snapshot!(told(&read));
    let written = encode(codec, &self::read(REQUEST), &read);
    insta::assert_snapshot!(written);
    let again = events(codec, written.as_bytes());
    // Reports of usage on the way are one at the end.
    let steps = |events: &[Event]| -> Vec<String> {
        let kept = events.iter().filter(|event| !matches!(event, Event::Usage(_)));
        kept.map(|event| format!("{event:?}")).collect()
    };
    same(&steps(&again), &steps(&read));
    let last = |events: &[Event]| {
        let usage = |event: &Event| if let Event::Usage(usage) = event { Some(*usage) } else { None };
        events.iter().rev().find_map(usage)
    };
    assert_eq!(last(&again), last(&read));
}

#[test]
fn a_stream_without_a_reason_for_its_end_was_cut() {
    let half: String = STREAM.split_inclusive("\n\n").take(3).collect();
    let events = events(Dialect::Gemini.codec(), half.as_bytes());
    assert!(!events.iter().any(|event| matches!(event, Event::End | Event::Finish { .. })));
    assert!(matches!(events.last(), Some(Event::Close { .. })));
}

#[test]
fn failures_are_understood() {
    let codec = Dialect::Gemini.codec();
    let quota = br#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.Help"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}"#;
    assert_eq!(codec.read_fault(429, quota).kind, FaultKind::RateLimited);
    assert_eq!(gemini::retry_delay(quota), Some(Duration::from_millis(34_500)));
    assert_eq!(gemini::retry_delay(b"[{\"error\":{\"details\":[{\"retryDelay\":\"-1s\"}]}}]"), None);
    assert_eq!(gemini::retry_delay(b"<html>"), None);
    let key = br#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#;
    assert_eq!(codec.read_fault(400, key).kind, FaultKind::Unauthorized);
    let long = br#"{"error":{"code":400,"message":"The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#;
    assert_eq!(codec.read_fault(400, long).kind, FaultKind::ContextLength);
    let inside = events(
        codec,
        b"data: {\"error\":{\"code\":503,\"message\":\"busy\",\"status\":\"UNAVAILABLE\"}}\n\n",
    );
    assert!(matches!(&inside[..], [Event::Fault(Fault { status: 200, kind: FaultKind::Overloaded, .. })]));
    let written = codec.write_fault(&Fault::new(FaultKind::Overloaded, "busy"));
    assert_eq!(
        String::from_utf8(written).unwrap(),
        r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#
    );
}

#[test]
fn requests_go_where_their_model_is() {
    assert_eq!(gemini::path("gemini-3-pro", false), "models/gemini-3-pro:generateContent");
    assert_eq!(gemini::path("models/x", true), "models/x:streamGenerateContent?alt=sse");
}
