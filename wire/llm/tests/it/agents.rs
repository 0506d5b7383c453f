//! An agent that speaks Responses, in front of every other provider: its whole turn, golden.

use std::fmt::Write as _;

use sanctum_llm::{Dialect, Part, Request};
use serde_json::Value;

use crate::help::events_of;
use crate::laws::{encode, events};
use crate::responses::AGENT;

const PROVIDERS: [(Dialect, &str); 3] =
    [(Dialect::Chat, "gpt-4o"), (Dialect::Messages, "claude-sonnet-4-5"), (Dialect::Gemini, "gemini-3-pro")];

fn read(body: &str) -> Request {
    Dialect::Responses.codec().read_request(body.as_bytes()).unwrap()
}

#[test]
fn an_agents_request_goes_to_every_provider() {
    for (provider, model) in PROVIDERS {
        let request = Request { model: model.to_owned(), ..read(AGENT) };
        let written = provider.codec().write_request(&request);
        let body: Value = serde_json::from_slice(&written.body).unwrap();
        let mut shown = serde_json::to_string_pretty(&body).unwrap();
        for loss in &written.losses {
            write!(shown, "\n{}: {}", loss.what, loss.became).unwrap();
        }
        insta::assert_snapshot!(format!("agent-{}", provider.name()), shown);
    }
}

/// What issuers want to see again comes back to them through a client that knows nothing of it.
#[test]
fn signatures_come_back_to_their_issuers() {
    let call = |signature: Option<&str>| Part::ToolCall {
        id: "call_1".to_owned(),
        name: "look".to_owned(),
        arguments: "{}".to_owned(),
        signature: signature.map(str::to_owned),
        cache: None,
    };
    let thinking = Part::Thinking { text: "Hm.".to_owned(), signature: Some("c2lnLg==".to_owned()) };
    let silent = Part::Thinking { text: String::new(), signature: Some("c2lu".to_owned()) };
    let redacted = Part::Redacted { data: "ZGF0YQ==".to_owned(), id: None };
    for (provider, model, parts) in [
        (
            Dialect::Messages,
            "claude-sonnet-4-5",
            vec![thinking.clone(), redacted, silent.clone(), call(None)],
        ),
        (Dialect::Gemini, "gemini-3-pro", vec![thinking, call(Some("Y2FsbA=="))]),
    ] {
        let answer = sanctum_llm::Answer { parts, ..crate::shelf::answer() };
        let provided = encode(provider.codec(), &read(AGENT), &events_of(&answer));
        let streamed =
            encode(Dialect::Responses.codec(), &read(AGENT), &events(provider.codec(), provided.as_bytes()));
        let given = events(Dialect::Responses.codec(), streamed.as_bytes());
        assert!(!given.is_empty());
        let done =
            streamed.lines().rfind(|line| line.contains("response.completed") && line.starts_with("data:"));
        let done: Value = serde_json::from_str(done.unwrap().trim_start_matches("data: ")).unwrap();
        let mut input = vec![serde_json::json!({"role": "user", "content": "look"})];
        input.extend(done["response"]["output"].as_array().unwrap().iter().cloned());
        input.push(
            serde_json::json!({"type": "function_call_output", "call_id": "call_1", "output": "a cat"}),
        );
        let next = serde_json::json!({"model": model, "input": input, "reasoning": {"effort": "high"}});
        let written = provider.codec().write_request(&read(&next.to_string()));
        let body: Value = serde_json::from_slice(&written.body).unwrap();
        insta::assert_snapshot!(
            format!("signatures-{}", provider.name()),
            serde_json::to_string_pretty(&body).unwrap()
        );
        assert_eq!(
            written.losses.iter().filter(|loss| loss.became.contains("issuer")).count(),
            0,
            "{written:?}"
        );
    }
}

/// Clients check the shape of what they get; these two were refused by Vercel's `ai` 7.
#[test]
fn answers_of_others_have_the_shape_clients_insist_on() {
    let cited =
        crate::losses::ANSWERS.iter().filter(|(_, label, _)| ["annotations", "citations"].contains(label));
    for (provider, label, body) in cited {
        let answer = provider.codec().read_answer(body.as_bytes()).unwrap();
        let written = Dialect::Responses.codec().write_answer(&answer, &read(AGENT));
        let body: Value = serde_json::from_slice(&written.body).unwrap();
        assert!(body["output"][0]["content"][0]["annotations"].is_array(), "{label}: {body}");
    }
    let call = Part::ToolCall {
        id: "call_1".to_owned(),
        name: "now".to_owned(),
        arguments: String::new(),
        signature: None,
        cache: None,
    };
    let answer = sanctum_llm::Answer { parts: vec![call], ..crate::shelf::answer() };
    let streamed = encode(Dialect::Responses.codec(), &read(AGENT), &events_of(&answer));
    assert_eq!(streamed.matches(r#""arguments":"{}""#).count(), 3, "{streamed}");
    assert!(streamed.contains(r#""delta":"{}""#), "{streamed}");
    let whole = Dialect::Responses.codec().write_answer(&answer, &read(AGENT)).body;
    assert!(String::from_utf8(whole).unwrap().contains(r#""arguments":"{}""#));
}
