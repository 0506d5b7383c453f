//! What servers that imitate chat completions get wrong, and what becomes of it.

use std::fmt::Write as _;

use sanctum_llm::{Dialect, Event, Finish, Part};

use crate::laws::{events, told};

fn chunk(delta: &str) -> String {
    format!("data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
}

fn call(index: &str, id: &str, name: &str, arguments: &str) -> String {
    let arguments = serde_json::to_string(arguments).unwrap();
    chunk(&format!(
        r#"{{"tool_calls":[{{{index}"id":{id},"function":{{"name":{name},"arguments":{arguments}}}}}]}}"#
    ))
}

fn seen(chunks: &[String], end: &str) -> Vec<Event> {
    events(Dialect::Chat.codec(), format!("{}{end}", chunks.concat()).as_bytes())
}

const DONE: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

type Case = (&'static str, Vec<String>);

/// Calls that are numbered or named wrongly.
fn misnamed() -> Vec<Case> {
    let zero = r#""index":0,"#;
    vec![
        (
            "every call under index 0, as Ollama has it",
            vec![call(zero, r#""call_a""#, r#""f""#, "{\"x\":1}"), call(zero, r#""call_b""#, r#""g""#, "{}")],
        ),
        (
            "the same id again",
            vec![
                call(zero, r#""call_0""#, r#""f""#, "{\"x\":1}"),
                call(zero, r#""call_0""#, r#""f""#, "{\"x\":2}"),
            ],
        ),
        (
            "the same id under another index",
            vec![
                call(zero, r#""call_0""#, r#""f""#, "{}"),
                call(r#""index":1,"#, r#""call_0""#, r#""f""#, "{}"),
            ],
        ),
        ("no ids", vec![call(zero, r#""""#, r#""f""#, "{}"), call(r#""index":1,"#, "null", r#""f""#, "{}")]),
        (
            "no index",
            vec![
                call("", r#""a""#, r#""f""#, "{\"x\":"),
                call("", r#""a""#, "null", "1}"),
                call("", r#""b""#, r#""g""#, "{}"),
            ],
        ),
        (
            "the whole call told twice",
            vec![call(zero, r#""a""#, r#""f""#, "{\"x\":1}"), call(zero, r#""a""#, r#""f""#, "{\"x\":1}")],
        ),
    ]
}

/// Calls that are told in odd pieces.
fn mangled() -> Vec<Case> {
    let zero = r#""index":0,"#;
    vec![
        (
            "id and name with every piece",
            vec![call(zero, r#""a""#, r#""f""#, "{\"x\""), call(zero, r#""a""#, r#""f""#, ":\"{}\"}")],
        ),
        (
            "interleaved",
            vec![
                call(zero, r#""a""#, r#""f""#, ""),
                call(r#""index":1,"#, r#""b""#, r#""g""#, ""),
                call(zero, "null", "null", "{\"x\":"),
                call(r#""index":1,"#, "null", "null", "{\"y\":"),
                call(zero, "null", "null", "1}"),
                call(r#""index":1,"#, "null", "null", "2}"),
            ],
        ),
        (
            "text while a call is half told",
            vec![
                chunk(r#"{"content":"a"}"#),
                call(zero, r#""a""#, r#""f""#, "{\"x\":"),
                chunk(r#"{"content":"b"}"#),
                call(zero, "null", "null", "1}"),
                chunk(r#"{"content":"c"}"#),
            ],
        ),
        (
            "arguments as an object",
            vec![chunk(
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":{"x":1}}}]}"#,
            )],
        ),
        ("a call that is never named", vec![call(zero, r#""a""#, "null", "{}")]),
    ]
}

#[test]
fn calls_are_told_apart() {
    let cases = misnamed().into_iter().chain(mangled());
    let mut all = String::new();
    for (what, chunks) in cases {
        writeln!(all, "# {what}\n{}", told(&seen(&chunks, DONE))).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn reasoning_is_found_wherever_it_is() {
    let cases = [
        (
            "a tag in the text, cut anywhere",
            vec![
                chunk(r#"{"content":"<th"}"#),
                chunk(r#"{"content":"ink>a</thi"}"#),
                chunk(r#"{"content":"nk>\n"}"#),
                chunk(r#"{"content":"\nb"}"#),
            ],
        ),
        ("`reasoning`", vec![chunk(r#"{"reasoning":"a","content":""}"#), chunk(r#"{"content":"<think>b"}"#)]),
        (
            "OpenRouter's details",
            vec![
                chunk(
                    r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}"#,
                ),
                chunk(
                    r#"{"reasoning":"b","reasoning_details":[{"type":"reasoning.text","text":"b","index":0}]}"#,
                ),
                chunk(r#"{"reasoning_details":[{"type":"reasoning.text","signature":"s","index":0}]}"#),
                chunk(r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"d","id":"rs_1"}]}"#),
            ],
        ),
        (
            "Mistral's parts",
            vec![
                chunk(r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]}"#),
                chunk(r#"{"content":[{"type":"text","text":"b"}]}"#),
            ],
        ),
        (
            "a signature of nothing",
            vec![chunk(r#"{"reasoning_details":[{"type":"reasoning.text","signature":"s"}]}"#)],
        ),
    ];
    let mut all = String::new();
    for (what, chunks) in cases {
        writeln!(all, "# {what}\n{}", told(&seen(&chunks, DONE))).unwrap();
    }
    insta::assert_snapshot!(all);
}

fn has_end(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::End))
}

#[test]
fn a_cut_stream_never_looks_whole() {
    for (dialect, bytes) in [
        (Dialect::Chat, include_str!("fixtures/chat-stream.sse")),
        (Dialect::Messages, include_str!("fixtures/messages-stream.sse")),
    ] {
        // The model's own last word; what follows is courtesy in one dialect and the end in the other.
        let end = match dialect {
            Dialect::Chat => bytes.find("\"finish_reason\": \"tool_calls\"").unwrap(),
            _ => bytes.find("{\"type\": \"message_stop\"}").unwrap(),
        };
        for cut in 0..end {
            let seen = events(dialect.codec(), &bytes.as_bytes()[..cut]);
            assert!(!has_end(&seen), "{dialect:?} cut at {cut}: {}", told(&seen));
            let fault = seen.iter().any(|event| matches!(event, Event::Fault(_)));
            assert!(!fault, "{dialect:?} cut at {cut} is no failure the provider told: {}", told(&seen));
        }
        assert!(has_end(&events(dialect.codec(), bytes.as_bytes())));
    }
}

#[test]
fn servers_without_done_are_believed_their_finish_reason() {
    let chunks = [chunk(r#"{"content":"x"}"#)];
    let finished = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";
    let seen_all = seen(&chunks, finished);
    assert!(matches!(seen_all.as_slice(), [.., Event::Finish { finish: Finish::Length, .. }, Event::End]));
    assert!(!has_end(&seen(&chunks, "")));
    assert!(matches!(seen(&[], "data: [DONE]\n\n").as_slice(), [Event::End]));
}

#[test]
fn usage_is_told_once_for_each_change() {
    let usage = |output: u64| {
        format!(
            "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{output}}}}}\n\n"
        )
    };
    let seen = seen(&[usage(1), usage(1), usage(2), usage(0)], "");
    let counts: Vec<u64> = seen
        .iter()
        .filter_map(|event| if let Event::Usage(used) = event { Some(used.output) } else { None })
        .collect();
    assert_eq!(counts, [1, 2]);
}

#[test]
fn whole_answers_are_repaired_too() {
    let read = |message: &str, finish: &str| {
        let body = format!(
            r#"{{"id":"c","choices":[{{"message":{message},"finish_reason":{finish}}}],"usage":{{"prompt_tokens":3,"prompt_cache_hit_tokens":2}}}}"#
        );
        Dialect::Chat.codec().read_answer(body.as_bytes()).unwrap()
    };
    let answer = read(r#"{"content":"<think>\na</think>\n\nb"}"#, "null");
    assert!(
        matches!(answer.parts.as_slice(), [Part::Thinking { text, .. }, Part::Text { text: after, .. }] if text == "\na" && after == "b")
    );
    assert_eq!(answer.usage.unwrap().cached, 2);
    let calls = r#"{"content":null,"tool_calls":[{"id":"","function":{"name":"f","arguments":"{}"}},{"id":"x","function":{"name":"g","arguments":{"a":1}}},{"id":"x","function":{"name":"h"}}]}"#;
    let answer = read(calls, "\"stop\"");
    assert_eq!(answer.finish, Finish::ToolCalls);
    let ids: Vec<&str> = answer
        .parts
        .iter()
        .map(|part| if let Part::ToolCall { id, .. } = part { id.as_str() } else { "?" })
        .collect();
    assert!(ids[0].starts_with("call_") && ids[1] == "x" && ids[2] == "x_3", "{ids:?}");
    for body in [
        r#"{"error":{"message":"gone"}}"#,
        r#"{"choices":[]}"#,
        r#"{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}"#,
        "<html>",
    ] {
        let error = Dialect::Chat.codec().read_answer(body.as_bytes()).unwrap_err();
        assert!(!error.reason.is_empty(), "{body}");
    }
}
