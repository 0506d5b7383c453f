//! Messages: what is read is written again, byte for byte where signatures and caches hang on it.

use sanctum_llm::{Dialect, Request};

use crate::laws::{answer_stays, encode, events, request_stays, told};

pub(crate) const REQUEST: &str = include_str!("fixtures/messages-request.json");
pub(crate) const ANSWER: &str = include_str!("fixtures/messages-answer.json");
pub(crate) const STREAM: &str = include_str!("fixtures/messages-stream.sse");

pub(crate) fn read(body: &str) -> Result<Request, String> {
    Dialect::Messages.codec().read_request(body.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_request_is_read_and_written_again() {
    let request = request_stays(Dialect::Messages.codec(), REQUEST);
    insta::assert_snapshot!(
        String::from_utf8(Dialect::Messages.codec().write_request(&request).body).unwrap()
    );
    insta::assert_debug_snapshot!(request);
}

#[test]
fn an_answer_is_read_and_written_again() {
    let answer = answer_stays(Dialect::Messages.codec(), ANSWER);
    insta::assert_debug_snapshot!(answer);
}

#[test]
fn complaints_name_the_field() {
    let with = |field: &str| {
        format!(r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"x"}}],{field}}}"#)
    };
    let messages = |messages: &str| format!(r#"{{"model":"m","max_tokens":9,"messages":{messages}}}"#);
    let cases = [
        "null".to_owned(),
        r#"{"model":7,"messages":[]}"#.to_owned(),
        r#"{"model":"m","max_tokens":9}"#.to_owned(),
        messages("[]"),
        messages(r#"[{"content":"x"}]"#),
        messages(r#"[{"role":"tool","content":"x"}]"#),
        messages(r#"[{"role":"user"}]"#),
        messages(r#"[{"role":"user","content":[]}]"#),
        messages(r#"[{"role":"user","content":[{"text":"x"}]}]"#),
        messages(r#"[{"role":"user","content":[{"type":"text","text":7}]}]"#),
        messages(r#"[{"role":"user","content":[{"type":"image"}]}]"#),
        messages(r#"[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":""}}]}]"#),
        messages(r#"[{"role":"user","content":[{"type":"tool_result","content":"x"}]}]"#),
        messages(r#"[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]}]"#),
        with(r#""temperature":1.5"#),
        with(r#""max_tokens":-1"#),
        with(r#""system":7"#),
        with(r#""stop_sequences":"END""#),
        with(r#""tool_choice":{"type":"required"}"#),
        with(r#""tool_choice":{"type":"tool"}"#),
        with(r#""tools":[{"description":"x"}]"#),
        with(r#""thinking":{"type":"deep"}"#),
        with(r#""thinking":{"type":"enabled"}"#),
        with(r#""output_config":{"format":{"type":"json_schema"}}"#),
    ];
    let told = cases
        .iter()
        .fold(String::new(), |told, body| format!("{told}{body}\n  {}\n", read(body).unwrap_err()));
    insta::assert_snapshot!(told);
}

#[test]
fn a_stream_is_read_and_written_again() {
    let codec = Dialect::Messages.codec();
    let seen = events(codec, STREAM.as_bytes());
    insta::assert_snapshot!(told(&seen));
    let bytes = encode(codec, &read(REQUEST).unwrap(), &seen);
    assert_eq!(told(&events(codec, bytes.as_bytes())), told(&seen));
    insta::assert_snapshot!(bytes);
}
