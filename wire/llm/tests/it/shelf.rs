//! Items and responses that clients name instead of repeating them.

use sanctum_llm::responses::Shelf;
use sanctum_llm::{Answer, Dialect, Finish, Part, Request, Usage};
use serde_json::Value;

use crate::help::events_of;
use crate::laws::encode;

fn read(body: &str) -> Request {
    Dialect::Responses.codec().read_request(body.as_bytes()).unwrap()
}

pub(crate) fn answer() -> Answer {
    let call = Part::ToolCall {
        id: "call_1".into(),
        name: "look".into(),
        arguments: "{}".into(),
        signature: Some("c2ln".into()),
        cache: None,
    };
    Answer {
        from: Dialect::Gemini,
        id: "r1".into(),
        model: "m".into(),
        created: None,
        parts: vec![Part::Thinking { text: "Hm.".into(), signature: None }, Part::text("I look."), call],
        finish: Finish::ToolCalls,
        stop_sequence: None,
        usage: Some(Usage::default()),
        extra: Vec::new(),
    }
}

/// The ids a client saw.
fn ids(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let ids = body["output"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
    ids.chain([body["id"].as_str().unwrap().to_owned()]).collect()
}

/// What a chat provider is sent.
fn sent(request: &Request) -> Value {
    serde_json::from_slice(&Dialect::Chat.codec().write_request(request).body).unwrap()
}

#[test]
fn references_are_filled_with_what_was_given() {
    let asked = read(r#"{"model":"m","instructions":"Be kind.","input":"What is there?"}"#);
    let body = Dialect::Responses.codec().write_answer(&answer(), &asked).body;
    let streamed = encode(Dialect::Responses.codec(), &asked, &events_of(&answer()));
    for given in [body.as_slice(), streamed.as_bytes()] {
        let mut shelf = Shelf::new(10_000);
        shelf.keep("windu", &asked, given);
        let ids = ids(&body);
        let named = format!(
            r#"{{"model":"m","input":[{{"role":"user","content":"What is there?"}},{{"type":"item_reference","id":"{}"}},
            {{"type":"function_call","call_id":"call_1","name":"look","arguments":"{{}}"}},
            {{"type":"function_call_output","call_id":"call_1","output":"a cat"}},{{"type":"item_reference","id":"gone"}}]}}"#,
            ids[1]
        );
        let mut request = read(&named);
        shelf.fill("windu", &mut request).unwrap();
        assert_eq!(sent(&request)["messages"][1]["content"], "I look.");
        let mut other = read(&named);
        shelf.fill("yoda", &mut other).unwrap();
        assert_eq!(sent(&other)["messages"][1]["content"], Value::Null, "another's items are not told");

        let next = format!(
            r#"{{"model":"m","instructions":"Be brief.","previous_response_id":"{}","input":[{{"type":"function_call_output","call_id":"call_1","output":"a cat"}}]}}"#,
            ids.last().unwrap()
        );
        let mut request = read(&next);
        shelf.fill("windu", &mut request).unwrap();
        insta::assert_snapshot!("continued", serde_json::to_string_pretty(&sent(&request)).unwrap());
        let refused = shelf.fill("yoda", &mut read(&next)).unwrap_err().to_string();
        assert!(refused.starts_with("previous_response_id: \"resp_r1\" was not found"), "{refused}");
    }
}

#[test]
fn the_oldest_go_first_and_nothing_is_too_much() {
    let asked = read(r#"{"model":"m","input":"x"}"#);
    let mut shelf = Shelf::new(400);
    let given = |number: usize| {
        let answer = Answer { id: format!("r{number}"), ..answer() };
        Dialect::Responses.codec().write_answer(&answer, &asked).body
    };
    for number in 0..50 {
        shelf.keep("windu", &asked, &given(number));
    }
    let found = |number: usize| {
        let mut request =
            read(&format!(r#"{{"model":"m","input":"y","previous_response_id":"resp_r{number}"}}"#));
        shelf.fill("windu", &mut request).is_ok()
    };
    assert!(found(49) && !found(0));
    let mut small = Shelf::new(3);
    small.keep("windu", &asked, &given(0));
    small.keep("windu", &asked, b"{}");
    small.keep("windu", &asked, b"data: {\n\n");
}
