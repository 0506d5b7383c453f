//! Embeddings through their forms, and what is asked of Google.

use proptest::prelude::*;
use sanctum_llm::embeddings::{
    Answer, Form, gemini_path, read_answer, read_gemini, read_request, write_answer, write_gemini,
    write_request,
};
use serde_json::{Value, json};

use crate::help::same;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn requests_are_read_and_written_again() {
    for body in [
        r#"{"model":"m","input":"x"}"#,
        r#"{"model":"m","input":["x","y"],"encoding_format":"base64","dimensions":256,"user":"u","x":{"y":1}}"#,
        r#"{"model":"m","input":[1,2,3]}"#,
        r#"{"model":"m","input":[[1,2],[3]]}"#,
        r#"{"model":"m","input":["x"]}"#,
    ] {
        let request = read_request(body.as_bytes()).unwrap();
        assert_eq!(text(&write_request(&request).body), body);
    }
}

#[test]
fn complaints_name_field_value_and_what_is_allowed() {
    let told: Vec<String> = [
        "[]",
        r#"{"input":"x"}"#,
        r#"{"model":"m"}"#,
        r#"{"model":"m","input":""}"#,
        r#"{"model":"m","input":[]}"#,
        r#"{"model":"m","input":7}"#,
        r#"{"model":"m","input":["x",""]}"#,
        r#"{"model":"m","input":["x",7]}"#,
        r#"{"model":"m","input":[[1],[-1]]}"#,
        r#"{"model":"m","input":"x","encoding_format":"int8"}"#,
        r#"{"model":"m","input":"x","dimensions":0}"#,
    ]
    .iter()
    .map(|body| read_request(body.as_bytes()).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn google_is_asked_in_its_words() {
    let request = br#"{"model":"text-embedding-004","input":["x","y"],"dimensions":4,"user":"u","encoding_format":"base64"}"#;
    let request = read_request(request).unwrap();
    let written = write_gemini(&request).unwrap();
    insta::assert_snapshot!(text(&written.body));
    assert_eq!(written.losses.len(), 1);
    assert_eq!(gemini_path("text-embedding-004"), "models/text-embedding-004:batchEmbedContents");
    let tokens = read_request(br#"{"model":"m","input":[[1],[2]]}"#).unwrap();
    assert!(write_gemini(&tokens).unwrap_err().to_string().starts_with("input[0]: is a list of tokens"));
    let answer = read_gemini(br#"{"embeddings":[{"values":[0.5,-1]},{"values":[0.25,2]}]}"#, "m").unwrap();
    let body: Value = serde_json::from_slice(&write_answer(&answer, &request)).unwrap();
    assert_eq!(body["data"][1]["embedding"], "AACAPgAAAEA=");
    assert!(body["usage"]["prompt_tokens"].as_u64().unwrap() >= 2);
}

#[test]
fn answers_are_put_into_order_and_what_is_no_vector_is_refused() {
    let body = json!({"object": "list", "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}, "data": [
        {"object": "embedding", "index": 1, "embedding": [2.0]}, {"object": "embedding", "index": 0, "embedding": [1.0]}]});
    let answer = read_answer(body.to_string().as_bytes()).unwrap();
    assert_eq!(answer, Answer { model: "m".into(), vectors: vec![vec![1.0], vec![2.0]], tokens: Some(3) });
    let told = |embedding: Value| {
        let body = json!({"data": [{"embedding": embedding}]});
        read_answer(body.to_string().as_bytes()).unwrap_err().to_string()
    };
    assert_eq!(told(json!("AAAA")), "data[0].embedding: `\"AAAA\"` is not base64 of 32-bit floats");
    assert_eq!(told(json!("AADAfw==")), "data[0].embedding: holds a number that is not finite");
    assert_eq!(told(json!(["x"])), "data[0].embedding: `[\"x\"]` is not a list of numbers");
    assert_eq!(told(Value::Null), "data[0].embedding: is missing; a list of numbers or base64 is needed");
}

proptest! {
    #[test]
    fn vectors_pass_through_both_forms_unchanged(
        vectors in proptest::collection::vec(proptest::collection::vec(-1e6_f32..1e6, 0..8), 0..4),
        tokens in 0_u64..1_000_000,
    ) {
        let answer = Answer { model: "m".into(), vectors, tokens: Some(tokens) };
        let mut asked = read_request(br#"{"model":"m","input":"x"}"#).unwrap();
        for form in [Form::Float, Form::Base64] {
            asked.form = form;
            same(&read_answer(&write_answer(&answer, &asked)).unwrap(), &answer);
        }
    }

    #[test]
    fn garbage_never_panics(body in ".{0,60}") {
        drop(read_request(body.as_bytes()));
        drop(read_answer(body.as_bytes()));
        drop(read_gemini(body.as_bytes(), "m"));
    }
}
