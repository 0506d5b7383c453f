//! Chat completions: what is read is written again, and what servers get wrong is set right.

use sanctum_llm::{Dialect, Request};

use crate::laws::{answer_stays, encode, events, request_stays, told};

const REQUEST: &str = include_str!("fixtures/chat-request.json");
const ANSWER: &str = include_str!("fixtures/chat-answer.json");

fn read(body: &str) -> Result<Request, String> {
    Dialect::Chat.codec().read_request(body.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_request_is_read_and_written_again() {
    let request = request_stays(Dialect::Chat.codec(), REQUEST);
    insta::assert_snapshot!(String::from_utf8(Dialect::Chat.codec().write_request(&request).body).unwrap());
    insta::assert_debug_snapshot!(request);
}

#[test]
fn an_answer_is_read_and_written_again() {
    let answer = answer_stays(Dialect::Chat.codec(), ANSWER);
    insta::assert_debug_snapshot!(answer);
}

#[test]
fn complaints_name_the_field() {
    let with =
        |field: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{field}}}"#);
    let messages = |messages: &str| format!(r#"{{"model":"m","messages":{messages}}}"#);
    let cases = [
        String::new(),
        "[]".to_owned(),
        r#"{"messages":[]}"#.to_owned(),
        r#"{"model":"","messages":[]}"#.to_owned(),
        r#"{"model":"m"}"#.to_owned(),
        messages("[]"),
        messages("7"),
        messages(r#"["x"]"#),
        messages(r#"[{"content":"x"}]"#),
        messages(r#"[{"role":"robot","content":"x"}]"#),
        messages(r#"[{"role":7,"content":"x"}]"#),
        messages(r#"[{"role":"user"}]"#),
        messages(r#"[{"role":"user","content":[]}]"#),
        messages(r#"[{"role":"user","content":7}]"#),
        messages(r#"[{"role":"user","content":[{"text":"x"}]}]"#),
        messages(r#"[{"role":"user","content":[{"type":"text"}]}]"#),
        messages(r#"[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]"#),
        messages(r#"[{"role":"assistant","content":null}]"#),
        messages(r#"[{"role":"assistant","tool_calls":[{"id":"a"}]}]"#),
        messages(r#"[{"role":"tool","content":"x"}]"#),
        with(r#""temperature":2.5"#),
        with(r#""temperature":"hot""#),
        with(r#""top_p":-1"#),
        with(r#""max_tokens":0"#),
        with(r#""max_tokens":1.5"#),
        with(r#""max_tokens":5,"max_completion_tokens":6"#),
        with(r#""stop":7"#),
        with(r#""stream":"yes""#),
        with(r#""seed":"x""#),
        with(r#""tools":[{"type":"function"}]"#),
        with(r#""tools":{}"#),
        with(r#""response_format":{"type":"json_schema"}"#),
    ];
    let told = cases
        .iter()
        .fold(String::new(), |told, body| format!("{told}{body}\n  {}\n", read(body).unwrap_err()));
    insta::assert_snapshot!(told);
}

const STREAM: &str = include_str!("fixtures/chat-stream.sse");

#[test]
fn a_stream_is_read_and_written_again() {
    let codec = Dialect::Chat.codec();
    let seen = events(codec, STREAM.as_bytes());
    insta::assert_snapshot!(told(&seen));
    let mut asked = read(REQUEST).unwrap();
    asked.include_usage = true;
    let bytes = encode(codec, &asked, &seen);
    assert_eq!(told(&events(codec, bytes.as_bytes())), told(&seen));
    insta::assert_snapshot!(bytes);
}
