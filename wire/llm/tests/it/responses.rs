//! OpenAI's Responses: requests, answers and streams, read and written.

use sanctum_llm::responses::Responses;
use sanctum_llm::{Codec, Event, Finish, Request};
use serde_json::{Value, json};

use crate::help::same;

/// The request of an agent (after one of Codex 0.169) in the middle of a turn with two calls.
pub(crate) const AGENT: &str = r#"{
  "model": "gpt-5.5-codex",
  "instructions": "You are a coding agent.",
  "input": [
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<permissions>"}]},
    {"type": "message", "role": "user", "content": [
      {"type": "input_text", "text": "What is on this picture?"},
      {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"},
      {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
      {"type": "input_image", "file_id": "file-1", "detail": "auto"}
    ]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "I look."}, {"type": "summary_text", "text": "Again."}], "encrypted_content": "gAAAAABo"},
    {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "commentary", "content": [{"type": "output_text", "text": "Let me see.", "annotations": []}]},
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "shell", "arguments": "{\"cmd\": [\"ls\"]}", "status": "completed"},
    {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "shell", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "a.txt"},
    {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "b"}, {"type": "input_image", "image_url": "https://example.com/b.png"}]},
    {"type": "custom_tool_call", "call_id": "call_3", "name": "apply_patch", "input": "*** Begin Patch"},
    {"type": "custom_tool_call_output", "call_id": "call_3", "output": "ok"},
    {"type": "function_call", "call_id": "call_4", "name": "read", "namespace": "mcp__files", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_4", "output": "text"},
    {"type": "item_reference", "id": "msg_9"},
    {"role": "user", "content": "go on"}
  ],
  "tools": [
    {"type": "function", "name": "shell", "description": "Runs it.", "strict": false, "parameters": {"type": "object", "properties": {"cmd": {"type": "array", "items": {"type": "string"}}}, "required": ["cmd"]}, "defer_loading": true},
    {"type": "web_search"},
    {"type": "namespace", "name": "mcp__files", "description": "Files", "tools": []},
    {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /./"}}
  ],
  "tool_choice": "auto",
  "parallel_tool_calls": true,
  "reasoning": {"effort": "xhigh", "summary": "auto", "context": "all"},
  "text": {"format": {"type": "json_schema", "name": "out", "schema": {"type": "object"}, "strict": true}, "verbosity": "low"},
  "max_output_tokens": 4096,
  "include": ["reasoning.encrypted_content"],
  "store": false,
  "stream": true,
  "prompt_cache_key": "019a",
  "client_metadata": {"x": "y"},
  "truncation": "disabled",
  "previous_response_id": null
}"#;

fn read(body: &str) -> Request {
    Responses.read_request(body.as_bytes()).unwrap()
}

fn complaint(body: &Value) -> String {
    Responses.read_request(body.to_string().as_bytes()).unwrap_err().to_string()
}

#[test]
fn an_agents_request_is_read() {
    insta::assert_debug_snapshot!(read(AGENT));
}

#[test]
fn an_agents_request_is_written_again() {
    let written = Responses.write_request(&read(AGENT));
    assert_eq!(written.losses, []);
    let value: Value = serde_json::from_slice(&written.body).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
    let again = read(std::str::from_utf8(&written.body).unwrap());
    same(&again, &read(AGENT));
}

#[test]
fn complaints_name_field_value_and_what_is_allowed() {
    let cases = [
        json!({"input": "x"}),
        json!({"model": "", "input": "x"}),
        json!({"model": "m"}),
        json!({"model": "m", "input": []}),
        json!({"model": "m", "input": 7}),
        json!({"model": "m", "input": [{"role": "tool", "content": "x"}]}),
        json!({"model": "m", "input": [{"role": "user"}]}),
        json!({"model": "m", "input": [{"role": "user", "content": []}]}),
        json!({"model": "m", "input": [{"role": "user", "content": [{"text": "x"}]}]}),
        json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
        json!({"model": "m", "input": [{"content": "x"}]}),
        json!({"model": "m", "input": [{"type": "function_call", "name": "x"}]}),
        json!({"model": "m", "input": [{"type": "function_call_output", "call_id": "x"}]}),
        json!({"model": "m", "input": "x", "temperature": 3}),
        json!({"model": "m", "input": "x", "top_p": "1"}),
        json!({"model": "m", "input": "x", "max_output_tokens": 0}),
        json!({"model": "m", "input": "x", "max_output_tokens": -1}),
        json!({"model": "m", "input": "x", "stream": "yes"}),
        json!({"model": "m", "input": "x", "tools": {}}),
        json!({"model": "m", "input": "x", "tools": [{"name": "x"}]}),
        json!({"model": "m", "input": "x", "tools": [{"type": "function", "name": "x", "parameters": "{}"}]}),
        json!({"model": "m", "input": "x", "tool_choice": "any"}),
        json!({"model": "m", "input": "x", "reasoning": {"effort": "ultra"}}),
        json!({"model": "m", "input": "x", "text": {"format": {"type": "xml"}}}),
        json!({"model": "m", "input": "x", "text": {"format": {"type": "json_schema", "name": "x"}}}),
        json!([1]),
    ];
    let told: Vec<String> = cases.iter().map(complaint).collect();
    insta::assert_snapshot!(told.join("\n"));
    let broken = Responses.read_request(b"{\"model\":").unwrap_err().to_string();
    assert!(broken.contains("not JSON"), "{broken}");
    let latin = Responses.read_request(b"{\"model\":\"\xFF\"}").unwrap_err().to_string();
    assert!(latin.contains("not UTF-8"), "{latin}");
}

#[test]
fn a_conversation_the_provider_keeps_needs_no_input() {
    assert!(read(r#"{"model":"m","previous_response_id":"resp_1"}"#).turns.is_empty());
}

/// An answer with everything in it.
fn answer() -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_700_000_000.5, "status": "completed",
        "model": "gpt-5.5", "error": null, "incomplete_details": null, "service_tier": "flex",
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "gAAAAABo"},
            {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}},
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "phase": "final_answer", "content": [
                {"type": "output_text", "text": "Hello", "annotations": [{"type": "url_citation", "url": "https://x", "title": "t", "start_index": 0, "end_index": 5}], "logprobs": []},
                {"type": "refusal", "refusal": "But no."}
            ]},
            {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"a\": 1}", "status": "completed"},
            {"id": "fc_2", "type": "function_call", "call_id": "call_2", "name": "f", "arguments": "{}", "status": "completed"}
        ],
        "usage": {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 7},
            "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 150}
    })
}

#[test]
fn an_answer_is_read_and_written_again() {
    let read = Responses.read_answer(answer().to_string().as_bytes()).unwrap();
    insta::assert_debug_snapshot!(read);
    let asked = self::read(AGENT);
    let written = Responses.write_answer(&read, &asked);
    let value: Value = serde_json::from_slice(&written.body).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
    insta::assert_debug_snapshot!(written.losses);
}

#[test]
fn answers_end_for_a_reason() {
    let finish = |status: &str, reason: Value| {
        let body =
            json!({"id": "r", "status": status, "model": "m", "output": [], "incomplete_details": reason});
        Responses.read_answer(body.to_string().as_bytes()).unwrap().finish
    };
    assert_eq!(finish("completed", Value::Null), Finish::Stop);
    assert_eq!(finish("incomplete", json!({"reason": "max_output_tokens"})), Finish::Length);
    assert_eq!(finish("incomplete", json!({"reason": "content_filter"})), Finish::Refused);
    assert_eq!(finish("incomplete", json!({"reason": "steered"})), Finish::Other("steered".into()));
    assert_eq!(finish("cancelled", Value::Null), Finish::Other("cancelled".into()));
    let failed = json!({"id": "r", "status": "failed", "output": [], "error": {"code": "server_error", "message": "no"}});
    let told = Responses.read_answer(failed.to_string().as_bytes()).unwrap_err().to_string();
    assert_eq!(told, "error: is there instead of an answer: no");
}

/// The events of a stream, as a provider sends them.
fn stream(events: &[Value]) -> Vec<u8> {
    let mut out = String::new();
    for (number, event) in events.iter().enumerate() {
        let mut event = event.clone();
        event["sequence_number"] = number.into();
        out.push_str(&format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    }
    out.into_bytes()
}

fn decode(bytes: &[u8]) -> Vec<Event> {
    let mut decoder = Responses.decoder();
    let mut events = Vec::new();
    decoder.push(bytes, &mut events);
    decoder.finish(&mut events);
    events
}

fn provider() -> Vec<Value> {
    vec![
        json!({"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5.5", "created_at": 5, "status": "in_progress", "output": []}}),
        json!({"type": "response.in_progress", "response": {"id": "resp_1", "model": "gpt-5.5", "created_at": 5}}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"id": "rs_1", "type": "reasoning", "summary": []}}),
        json!({"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": "Hm"}),
        json!({"type": "response.reasoning_summary_text.done", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "text": "Hm"}),
        json!({"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "output_index": 0, "summary_index": 1, "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 1, "delta": "."}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}, {"type": "summary_text", "text": "."}], "encrypted_content": "gAAAAABo"}}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"id": "ws_1", "type": "web_search_call", "status": "in_progress"}}),
        json!({"type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws_1"}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": {"id": "ws_1", "type": "web_search_call", "status": "completed"}}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}}),
        json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 2, "content_index": 0, "part": {"type": "output_text", "text": "", "annotations": []}}),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 2, "content_index": 0, "delta": "Hel", "logprobs": [], "obfuscation": "xy"}),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 2, "content_index": 0, "delta": "lo"}),
        json!({"type": "response.output_text.annotation.added", "item_id": "msg_1", "output_index": 2, "content_index": 0, "annotation_index": 0, "annotation": {"type": "url_citation", "url": "https://x"}}),
        json!({"type": "response.output_text.done", "item_id": "msg_1", "output_index": 2, "content_index": 0, "text": "Hello"}),
        json!({"type": "response.content_part.done", "item_id": "msg_1", "output_index": 2, "content_index": 0, "part": {"type": "output_text", "text": "Hello", "annotations": [{"type": "url_citation", "url": "https://x"}]}}),
        json!({"type": "response.output_item.done", "output_index": 2, "item": {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "Hello", "annotations": [{"type": "url_citation", "url": "https://x"}]}]}}),
        // Two calls at once, interleaved.
        json!({"type": "response.output_item.added", "output_index": 3, "item": {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "", "status": "in_progress"}}),
        json!({"type": "response.output_item.added", "output_index": 4, "item": {"id": "fc_2", "type": "function_call", "call_id": "call_2", "name": "g", "arguments": "", "status": "in_progress"}}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_2", "output_index": 4, "delta": "{\"b\":"}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 3, "delta": "{\"a\":1}"}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_2", "output_index": 4, "delta": "2}"}),
        json!({"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 3, "arguments": "{\"a\":1}"}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}", "status": "completed"}}),
        json!({"type": "response.output_item.done", "output_index": 4, "item": {"id": "fc_2", "type": "function_call", "call_id": "call_2", "name": "g", "arguments": "{\"b\":2}", "status": "completed"}}),
        json!({"type": "response.completed", "response": {"id": "resp_1", "model": "gpt-5.5", "status": "completed", "output": [], "usage": {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 3}, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 13}}}),
    ]
}

#[test]
fn a_stream_is_read() {
    insta::assert_debug_snapshot!(decode(&stream(&provider())));
}

#[test]
fn a_stream_is_written() {
    let events = decode(&stream(&provider()));
    let asked = read(r#"{"model":"m","input":"x","stream":true}"#);
    let mut encoder = Responses.encoder(&asked);
    let mut out = Vec::new();
    for event in &events {
        encoder.event(event, &mut out);
    }
    assert_eq!(encoder.losses(), []);
    let text = String::from_utf8(out.clone()).unwrap();
    insta::assert_snapshot!(text);
    let again = decode(&out);
    same(&again, &events);
}

#[test]
fn what_came_in_no_pieces_comes_with_the_whole() {
    let mut events = provider();
    events.retain(|event| {
        let kind = event["type"].as_str().unwrap();
        !kind.contains(".delta")
            && !kind.ends_with("arguments.done")
            && !kind.contains("summary")
            && !kind.contains("annotation")
    });
    let text = |events: &[Event]| {
        let mut seen = Vec::new();
        for event in events {
            match event {
                Event::Open { part, .. } => seen.push(format!("{part:?}")),
                Event::Delta { delta, .. } => seen.push(format!("{delta:?}")),
                _ => {}
            }
        }
        seen
    };
    insta::assert_debug_snapshot!(text(&decode(&stream(&events))));
    let whole = [json!({"type": "response.completed", "response": answer()})];
    insta::assert_debug_snapshot!(decode(&stream(&whole)));
}

#[test]
fn failures_in_a_stream_are_faults() {
    let failed = [
        json!({"type": "response.created", "response": {"id": "resp_1", "model": "m"}}),
        json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": null}),
        json!({"type": "response.failed", "response": {"id": "resp_1", "error": {"code": "rate_limit_exceeded", "message": "slow down"}}}),
    ];
    insta::assert_debug_snapshot!(decode(&stream(&failed)));
    let broken = b"data: {\"type\":\"response.created\",\"response\":{}}\n\ndata: {oops\n\ndata: {\"type\":\"response.completed\",\"response\":{}}\n\n";
    insta::assert_debug_snapshot!(decode(broken));
    assert!(!decode(b"data: [DONE]\n\n").iter().any(|event| matches!(event, Event::End)));
}

#[test]
fn a_fault_ends_the_clients_stream() {
    let mut encoder = Responses.encoder(&read(r#"{"model":"m","input":"x","stream":true}"#));
    let mut out = Vec::new();
    let fault = sanctum_llm::Fault::new(sanctum_llm::FaultKind::Overloaded, "the provider is overloaded");
    encoder.event(&Event::Fault(fault.clone()), &mut out);
    encoder.event(&Event::End, &mut out);
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
    insta::assert_snapshot!(String::from_utf8(Responses.write_fault(&fault)).unwrap());
}
