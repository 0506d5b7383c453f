//! From chat completions to messages and back: what both can say arrives, and what one cannot is told.

use std::fmt::Write as _;

use sanctum_llm::{Dialect, Event, Loss, Request};

use crate::{
    laws::{encode, events, told},
    messages,
};

const CHAT_REQUEST: &str = include_str!("fixtures/chat-request.json");
const CHAT_ANSWER: &str = include_str!("fixtures/chat-answer.json");
const CHAT_STREAM: &str = include_str!("fixtures/chat-stream.sse");

fn request(from: Dialect, body: &str, model: &str) -> Request {
    let mut request = from.codec().read_request(body.as_bytes()).unwrap();
    model.clone_into(&mut request.model);
    request
}

fn lost(losses: &[Loss]) -> String {
    losses.iter().fold(String::new(), |mut told, loss| {
        writeln!(told, "{}: {}", loss.what, loss.became).unwrap();
        told
    })
}

/// What a provider gets, and what was lost on the way.
fn request_for(to: Dialect, request: &Request) -> String {
    let written = to.codec().write_request(request);
    let body = String::from_utf8(written.body).unwrap();
    to.codec().read_request(body.as_bytes()).unwrap();
    format!("{body}\n\n{}", lost(&written.losses))
}

#[test]
fn a_chat_request_for_messages() {
    insta::assert_snapshot!(request_for(
        Dialect::Messages,
        &request(Dialect::Chat, CHAT_REQUEST, "claude-sonnet-4-5")
    ));
}

#[test]
fn a_messages_request_for_chat() {
    insta::assert_snapshot!(request_for(
        Dialect::Chat,
        &request(Dialect::Messages, messages::REQUEST, "gpt-5.2")
    ));
}

#[test]
fn answers_cross() {
    let mut told = String::new();
    for (from, to, body) in [
        (Dialect::Chat, Dialect::Messages, CHAT_ANSWER),
        (Dialect::Messages, Dialect::Chat, messages::ANSWER),
    ] {
        let answer = from.codec().read_answer(body.as_bytes()).unwrap();
        let asked = messages::read(messages::REQUEST).unwrap();
        let written = to.codec().write_answer(&answer, &asked);
        let body = String::from_utf8(written.body).unwrap();
        let again = to.codec().read_answer(body.as_bytes()).unwrap();
        assert_eq!((again.finish, again.id), (answer.finish, answer.id));
        // Anthropic does not count reasoning apart.
        let mut usage = answer.usage;
        if let Some(usage) = usage.as_mut().filter(|_| to == Dialect::Messages) {
            usage.reasoning = 0;
        }
        assert_eq!(again.usage, usage);
        writeln!(told, "{body}\n{}", lost(&written.losses)).unwrap();
    }
    insta::assert_snapshot!(told);
}

#[test]
fn streams_cross() {
    let mut asked = messages::read(messages::REQUEST).unwrap();
    asked.include_usage = true;
    let mut seen = String::new();
    for (from, to, bytes) in [
        (Dialect::Chat, Dialect::Messages, CHAT_STREAM),
        (Dialect::Messages, Dialect::Chat, messages::STREAM),
    ] {
        let read = events(from.codec(), bytes.as_bytes());
        let mut out = Vec::new();
        let mut encoder = to.codec().encoder(&asked);
        for event in &read {
            encoder.event(event, &mut out);
        }
        writeln!(seen, "{}\n{}", String::from_utf8(out).unwrap(), lost(&encoder.losses())).unwrap();
    }
    insta::assert_snapshot!(seen);
}

const CHAT_SAYS: &[&str] = &[
    r#""seed":7"#,
    r#""logit_bias":{"1":2}"#,
    r#""n":2"#,
    r#""n":1"#,
    r#""store":false"#,
    r#""temperature":1.5"#,
    r#""stop":["\n","END"]"#,
    r#""response_format":{"type":"json_object"}"#,
    r#""response_format":{"type":"json_schema","json_schema":{"name":"a","description":"b","schema":{},"strict":false,"x":1}}"#,
    r#""tools":[{"type":"custom","custom":{"name":"x"}}]"#,
    r#""tools":[{"type":"function","function":{"name":"x","note":1},"defer":1}]"#,
    r#""tool_choice":"required""#,
    r#""tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]}"#,
    r#""stream_options":{"include_obfuscation":true}"#,
    r#""reasoning":{"effort":"high","exclude":true}"#,
    r#""reasoning_effort":"high","max_tokens":500"#,
    r#""reasoning_effort":"high","max_tokens":2000"#,
    r#""reasoning_effort":"high","temperature":0.2,"top_p":0.5,"top_k":3"#,
    r#""reasoning_effort":"low","tools":[{"type":"function","function":{"name":"x"}}],"tool_choice":"required""#,
    r#""messages":[{"role":"user","content":"x","name":"bob","y":1}]"#,
    r#""messages":[{"role":"user","content":"x"},{"role":"system","content":"be kind"},{"role":"user","content":"y"}]"#,
    r#""messages":[{"role":"system","content":"only this"}]"#,
    r#""messages":[{"role":"assistant","content":"hello"},{"role":"user","content":""},{"role":"user","content":"x"}]"#,
    r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"high"}}]}]"#,
    r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/svg+xml,x"}},{"type":"text","text":"x"}]}]"#,
    r#""messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"mp3"}},{"type":"text","text":"x"}]}]"#,
    r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}},{"type":"text","text":"x"}]}]"#,
    r#""messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/plain;base64,aGk=","filename":"a.txt"}}]}]"#,
    r#""messages":[{"role":"user","content":[{"type":"video_url","video_url":{}},{"type":"text","text":"x"}]}]"#,
    r#""messages":[{"role":"assistant","content":"x","reasoning_content":"unsigned","refusal":"no"}]"#,
    r#""messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"a.b","function":{"name":"f","arguments":"{oops"}}]},{"role":"tool","tool_call_id":"a.b","content":"y"}]"#,
];

const MESSAGES_SAY: &[&str] = &[
    r#""top_k":5"#,
    r#""thinking":{"type":"enabled","budget_tokens":5000}"#,
    r#""thinking":{"type":"disabled"}"#,
    r#""thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"max"}"#,
    r#""context_management":{"edits":[]}"#,
    r#""metadata":{"user_id":"u","team":"t"}"#,
    r#""stop_sequences":["1","2","3","4","5"]"#,
    r#""tools":[{"name":"x","input_schema":{},"cache_control":{"type":"ephemeral"},"defer_loading":true}]"#,
    r#""tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"any"}"#,
    r#""system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]"#,
    r#""messages":[{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://x/a.pdf"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"t"},"title":"T"},{"type":"document","source":{"type":"file","file_id":"f"}}]}]"#,
    r#""messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}},{"type":"search_result"},{"type":"text","text":"x","citations":[{}]}]}]"#,
    r#""messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"server_tool_use","id":"s","name":"n","input":{}},{"type":"text","text":"x"}]}]"#,
    r#""messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"unsigned","signature":""},{"type":"text","text":"x"}]}]"#,
    r#""messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{},"cache_control":{"type":"ephemeral"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"cache_control":{"type":"ephemeral"},"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]}]}]"#,
];

/// Each thing the other dialect cannot say, alone.
#[test]
fn every_loss_is_told() {
    let mut seen = String::new();
    for (from, to, cases) in
        [(Dialect::Chat, Dialect::Messages, CHAT_SAYS), (Dialect::Messages, Dialect::Chat, MESSAGES_SAY)]
    {
        for case in cases {
            let messages = r#""messages":[{"role":"user","content":"x"}]"#;
            let messages =
                if case.starts_with("\"messages") { String::new() } else { format!(",{messages}") };
            let body = format!(r#"{{"model":"m","max_tokens":100000,{case}{messages}}}"#);
            // What the case says of max_tokens counts: it stands later.
            let request = request(from, &body, if to == Dialect::Chat { "gpt-4o" } else { "glm-5" });
            let written = to.codec().write_request(&request);
            to.codec().read_request(&written.body).unwrap();
            writeln!(seen, "{case}\n{}", lost(&written.losses)).unwrap();
        }
    }
    insta::assert_snapshot!(seen);
}

#[test]
fn parallel_results_come_in_one_turn_and_repeated_ids_are_told_apart() {
    let body = r#"{"model":"m","messages":[
        {"role":"user","content":"x"},
        {"role":"assistant","content":"","tool_calls":[
            {"id":"call_0","type":"function","function":{"name":"a","arguments":"{}"}},
            {"id":"call_0","type":"function","function":{"name":"b","arguments":""}},
            {"id":"functions.c:2","type":"function","function":{"name":"c","arguments":" {\"x\": 1} "}}]},
        {"role":"tool","tool_call_id":"call_0","content":"1"},
        {"role":"tool","tool_call_id":"call_0","content":[{"type":"text","text":"2"}]},
        {"role":"tool","tool_call_id":"functions.c:2","content":""},
        {"role":"user","content":"and"},
        {"role":"assistant","tool_calls":[
            {"id":"call_0","type":"function","function":{"name":"a","arguments":"{}"}},
            {"id":"call_9","type":"function","function":{"name":"a","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call_0","content":"3","x":1},
        {"role":"tool","tool_call_id":"call_9","content":"4","x":2},
        {"role":"user","content":"now"}]}"#;
    insta::assert_snapshot!(request_for(Dialect::Messages, &request(Dialect::Chat, body, "claude-opus-4-6")));
}

#[test]
fn claude_code_against_a_chat_provider() {
    let body = r#"{"model":"m","max_tokens":32000,"stream":true,
        "system":[{"type":"text","text":"You are Claude Code."},{"type":"text","text":"Rules.","cache_control":{"type":"ephemeral"}}],
        "thinking":{"type":"adaptive"},"output_config":{"effort":"medium"},
        "messages":[
          {"role":"user","content":[{"type":"text","text":"List files.","cache_control":{"type":"ephemeral"}}]},
          {"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_1","name":"Bash","input":{"command":"ls"}},{"type":"tool_use","id":"toolu_2","name":"Read","input":{"path":"a"}}]},
          {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"toolu_1","content":"a b"},
            {"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]},
            {"type":"text","text":"<system-reminder>x</system-reminder>"}]},
          {"role":"system","content":"The user went away."}]}"#;
    insta::assert_snapshot!(request_for(Dialect::Chat, &request(Dialect::Messages, body, "qwen3-coder")));
}

/// What is given to a chat client of Claude's thinking comes back to Claude byte for byte.
#[test]
fn signatures_survive_a_client_of_the_other_dialect() {
    let chat = Dialect::Chat.codec();
    let answer = Dialect::Messages.codec().read_answer(messages::ANSWER.as_bytes()).unwrap();
    let asked = request(Dialect::Chat, CHAT_REQUEST, "m");
    let given: serde_json::Value = serde_json::from_slice(&chat.write_answer(&answer, &asked).body).unwrap();
    let message = &given["choices"][0]["message"];
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{message}]}}"#);
    let back =
        Dialect::Messages.codec().write_request(&request(Dialect::Chat, &body, "claude-sonnet-4-5")).body;
    let back = String::from_utf8(back).unwrap();
    assert!(back.contains(r#"{"type":"thinking","thinking":"Hm.","signature":"c2ln"}"#), "{back}");
    assert!(back.contains(r#"{"type":"redacted_thinking","data":"eA=="}"#), "{back}");
}

/// Claude Code measures by the start of a stream how full its context is; chat providers count at the end.
#[test]
fn the_start_of_messages_is_never_without_a_count() {
    let asked = messages::read(messages::REQUEST).unwrap();
    let bytes =
        encode(Dialect::Messages.codec(), &asked, &events(Dialect::Chat.codec(), CHAT_STREAM.as_bytes()));
    let start = bytes.lines().find(|line| line.contains("message_start\",")).unwrap().to_owned();
    assert!(!start.contains("\"input_tokens\":0,"), "{start}");
    assert!(
        bytes.contains(
            "\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":2,\"cache_read_input_tokens\":4,"
        ),
        "{bytes}"
    );
    // The count of the provider is the one that stays, for whoever reads both.
    let again = events(Dialect::Messages.codec(), bytes.as_bytes());
    let last =
        again.iter().rev().find_map(|event| if let Event::Usage(used) = event { Some(*used) } else { None });
    assert_eq!(last.map(|used| (used.input, used.output)), Some((9, 8)));
}

#[test]
fn usage_is_for_those_who_asked() {
    let mut asked = request(Dialect::Chat, CHAT_REQUEST, "m");
    let read = events(Dialect::Messages.codec(), messages::STREAM.as_bytes());
    for (include, count) in [(true, 1), (false, 0)] {
        asked.include_usage = include;
        let bytes = encode(Dialect::Chat.codec(), &asked, &read);
        assert_eq!(bytes.matches("\"choices\":[],\"usage\":{").count(), count, "{bytes}");
        assert_eq!(bytes.contains("usage"), include);
        assert!(bytes.ends_with("data: [DONE]\n\n"));
    }
}

/// DeepSeek wants its reasoning back, OpenAI refuses the field, and nobody can use another's signature.
#[test]
fn reasoning_goes_back_to_whom_it_came_from() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[
        {"type":"thinking","thinking":"plain","signature":""},{"type":"thinking","thinking":"signed","signature":"c2ln"},{"type":"text","text":"y"}]}]}"#;
    for (model, plain) in [("deepseek-reasoner", true), ("gpt-5.2", false)] {
        let written = Dialect::Chat.codec().write_request(&request(Dialect::Messages, body, model));
        let told = String::from_utf8(written.body).unwrap();
        assert_eq!(told.contains(r#""reasoning_content":"plain""#), plain, "{told}");
        assert!(!told.contains("signed") && !told.contains("c2ln"), "{told}");
        assert_eq!(written.losses.len(), if plain { 1 } else { 2 });
    }
}

/// Gemini's signature of a call and OpenAI's id of its reasoning come back through a client that knows neither.
#[test]
fn seals_survive_a_client_of_messages() {
    let codec = Dialect::Messages.codec();
    let body = r#"{"id":"c","model":"m","choices":[{"finish_reason":"tool_calls","message":{"role":"assistant","content":null,
        "reasoning_details":[{"type":"reasoning.encrypted","data":"gAAAAx","id":"rs_1"}],
        "tool_calls":[{"id":"call.1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"c2ln"}}},
                      {"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]}}]}"#;
    let answer = Dialect::Chat.codec().read_answer(body.as_bytes()).unwrap();
    let asked = messages::read(messages::REQUEST).unwrap();
    let written = codec.write_answer(&answer, &asked);
    assert_eq!(written.losses, []);
    let given: serde_json::Value = serde_json::from_slice(&written.body).unwrap();
    let mut content = given["content"].clone();
    content[3]["zz"] = serde_json::json!(1);
    let body = serde_json::json!({"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]});
    let request = request(Dialect::Messages, &body.to_string(), "gemini-3-pro");
    let parts = &request.turns[0].parts;
    assert_eq!(format!("{parts:?}"), format!("{:?}", answer.parts));
    assert_eq!(request.turns[0].extra[0].0, "/content/2/zz");
    // To Anthropic itself none of it goes.
    let told = codec.write_request(&request);
    assert!(!String::from_utf8(told.body).unwrap().contains("redacted"));
    let what: Vec<_> = told.losses.iter().map(|loss| loss.what.as_str()).collect();
    assert_eq!(what, ["messages[0].content[0]", "messages[0].content[1].signature"]);
    // The same in a stream.
    let open = |part| [Event::Open { index: 0, part }, Event::Close { index: 0 }];
    let call = sanctum_llm::Opening::ToolCall {
        id: "a".to_owned(),
        name: "f".to_owned(),
        signature: Some("s".to_owned()),
    };
    let bytes = encode(codec, &asked, &open(call));
    assert!(
        bytes.contains(
            "\"index\":0,\"content_block\":{\"type\":\"redacted_thinking\",\"data\":\"sanctum.1.call.1.as\"}"
        ),
        "{bytes}"
    );
    assert!(bytes.contains("\"index\":1,\"content_block\":{\"type\":\"tool_use\""), "{bytes}");
}

#[test]
fn faults_wear_the_shape_of_the_api() {
    use sanctum_llm::{Fault, FaultKind as Kind};
    let kinds = [
        Kind::Invalid,
        Kind::Unauthorized,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::TooLarge,
        Kind::ContextLength,
        Kind::RateLimited,
        Kind::Budget,
        Kind::Overloaded,
        Kind::Timeout,
        Kind::Internal,
    ];
    let mut seen = String::new();
    for dialect in [Dialect::Chat, Dialect::Messages] {
        for kind in kinds {
            let fault = Fault { request_id: Some("req_1".to_owned()), ..Fault::new(kind, "it \"failed\"") };
            let body = dialect.codec().write_fault(&fault);
            for status in [200, fault.status] {
                assert_eq!(dialect.codec().read_fault(status, &body).kind, kind, "{dialect:?} {status}");
            }
            writeln!(seen, "{} {}", fault.status, String::from_utf8(body).unwrap()).unwrap();
        }
    }
    insta::assert_snapshot!(seen);
}

#[test]
fn a_fault_inside_a_stream_ends_it_without_a_good_end() {
    let asked = messages::read(messages::REQUEST).unwrap();
    let mut seen = String::new();
    for (from, to, bytes) in [
        (
            Dialect::Chat,
            Dialect::Messages,
            "data: {\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"error\":{\"code\":502,\"message\":\"gone\"}}\n\ndata: [DONE]\n\n",
        ),
        (
            Dialect::Chat,
            Dialect::Chat,
            "data: {\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"error\"}]}\n\n",
        ),
        (
            Dialect::Messages,
            Dialect::Chat,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
        ),
        (
            Dialect::Messages,
            Dialect::Messages,
            "data: {\"error\":{\"message\":\"no\",\"type\":\"insufficient_quota\"}}\n\n",
        ),
        (Dialect::Chat, Dialect::Chat, "data: <html>\n\n"),
        (Dialect::Messages, Dialect::Chat, "data: {\"type\":\n\n"),
    ] {
        let mut read = events(from.codec(), bytes.as_bytes());
        assert!(matches!(read.last(), Some(Event::Fault(fault)) if fault.status == 200), "{}", told(&read));
        // Even if somebody went on.
        read.push(Event::End);
        let out = encode(to.codec(), &asked, &read);
        assert!(!out.contains("[DONE]") && !out.contains("message_stop"), "{out}");
        writeln!(seen, "{out}----").unwrap();
    }
    insta::assert_snapshot!(seen);
}
