//! Sizes of whole requests, and the bodies that ask for them.

use sanctum_llm::{Dialect, count};

use crate::laws::events;

#[test]
fn requests_are_asked_for_their_size_in_their_own_words() {
    let chat = br#"{"messages":[{"role":"user","content":"Hello, how are you today?"}]}"#;
    let messages = br#"{"model":"m","messages":[{"role":"user","content":"Hello, how are you today?"}]}"#;
    let responses = br#"  {"input":"Hello, how are you today?"}"#;
    let gemini =
        br#"{"generateContentRequest":{"contents":[{"parts":[{"text":"Hello, how are you today?"}]}]}}"#;
    let plain = br#"{"contents":[{"parts":[{"text":"Hello, how are you today?"}]}]}"#;
    for (dialect, body) in [
        (Dialect::Chat, chat.as_slice()),
        (Dialect::Messages, messages.as_slice()),
        (Dialect::Responses, responses.as_slice()),
        (Dialect::Gemini, gemini.as_slice()),
        (Dialect::Gemini, plain.as_slice()),
    ] {
        let request = count::read(dialect.codec(), body).unwrap();
        assert!((9..=14).contains(&count::request(&request)), "{dialect:?}: {}", count::request(&request));
    }
    assert!(count::read(Dialect::Responses.codec(), b"{}").is_err());
    assert!(count::read(Dialect::Responses.codec(), b"[").is_err());
}

#[test]
fn tools_and_pictures_count() {
    let read = |body: &str| {
        let request = Dialect::Responses.codec().read_request(body.as_bytes()).unwrap();
        count::request(&request)
    };
    let plain = read(r#"{"model":"m","input":"x"}"#);
    let tool = read(
        r#"{"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"object"}}]}"#,
    );
    assert!(tool > plain + 8);
    let picture = read(
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"https://x/y.png"}]}]}"#,
    );
    assert!(picture >= 1_600);
}

#[test]
fn answers_have_the_shape_that_was_asked_for() {
    let body = |dialect| String::from_utf8(count::answer(dialect, 7)).unwrap();
    assert_eq!(body(Dialect::Messages), r#"{"input_tokens":7}"#);
    assert_eq!(body(Dialect::Responses), r#"{"object":"response.input_tokens","input_tokens":7}"#);
    assert_eq!(body(Dialect::Gemini), r#"{"totalTokens":7}"#);
}

#[test]
fn a_stream_is_counted_as_it_passes() {
    let mut output = count::Output::default();
    for event in events(Dialect::Gemini.codec(), include_bytes!("fixtures/gemini-stream.sse")) {
        output.event(&event);
    }
    let (all, thought) = output.totals();
    assert!(thought >= 1 && all > thought + 16, "{all} {thought}");
}
