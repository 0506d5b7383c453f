//! What is asked: labelled prompts, in the bodies of every API.

use sanctum_proxy::intent::{Prompt, Reading, classify};
use serde_json::{Value, json};

use super::dice::Dice;

/// Every API a client may speak.
pub(crate) const APIS: &[&str] = &["chat", "messages", "responses", "embeddings", "count-tokens", "speech"];
/// Those that answer in words.
pub(crate) const TALK: &[&str] = &["chat", "messages", "responses"];

pub(crate) fn path(api: &str) -> &'static str {
    match api {
        "chat" => "/v1/chat/completions",
        "messages" => "/v1/messages",
        "responses" => "/v1/responses",
        "embeddings" => "/v1/embeddings",
        "count-tokens" => "/v1/messages/count_tokens",
        _ => "/v1/audio/speech",
    }
}

/// A conversation of the user's words, oldest first, as a request of `api`.
pub(crate) fn body(api: &str, model: &str, words: &[&str], stream: bool, dice: &mut Dice) -> Value {
    let mut turns: Vec<Value> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            turns.push(json!({ "role": "assistant", "content": "I see." }));
        }
        let kind = if api == "responses" { "input_text" } else { "text" };
        let parts = dice.once_in(3);
        let content = if parts { json!([{ "type": kind, "text": word }]) } else { json!(word) };
        turns.push(json!({ "role": "user", "content": content }));
    }
    let mut body = match api {
        "chat" => json!({ "model": model, "messages": turns, "max_tokens": 64 }),
        "messages" => json!({ "model": model, "max_tokens": 64, "messages": turns }),
        "responses" | "embeddings" if words.len() == 1 => json!({ "model": model, "input": words[0] }),
        "responses" => json!({ "model": model, "input": turns }),
        "embeddings" => json!({ "model": model, "input": words }),
        "count-tokens" => json!({ "model": model, "messages": turns }),
        _ => json!({ "model": model, "input": words.join("\n"), "voice": "alloy" }),
    };
    if stream && TALK.contains(&api) {
        body["stream"] = true.into();
    }
    body
}

/// The prompts that are read as they are labelled, if that is as wanted.
pub(crate) fn prompts(label: impl Fn(&Value) -> bool, reading: impl Fn(&Reading) -> bool) -> Vec<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/data/prompts.jsonl");
    let lines = std::fs::read_to_string(file).unwrap();
    let labelled = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(label);
    let texts = labelled.map(|line| line["text"].as_str().unwrap().to_owned());
    let read = |text: &String| reading(&classify(&Prompt { latest: text, ..Prompt::default() }));
    let all: Vec<String> = texts.filter(read).collect();
    assert!(all.len() > 20, "there are prompts of this kind");
    all
}

#[test]
fn what_has_once_been_private_stays_so_whatever_is_said_after_it() {
    for private in prompts(|line| line["privacy"] != "open", |reading| reading.privacy.is_private()) {
        let earlier = ["I see.", private.as_str()];
        let prompt =
            Prompt { latest: "Tell me a story about a bridge.", earlier: &earlier, ..Prompt::default() };
        assert!(classify(&prompt).privacy.is_private(), "{private}");
    }
}
