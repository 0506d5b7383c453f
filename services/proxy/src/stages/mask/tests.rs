//! Nothing personal leaves, and the client sees no placeholder, wherever the stream is cut.

use proptest::prelude::*;
use sanctum_llm::{Answer, Delta, Dialect, Event, Finish, Opening, Part, Request, Role, Turn};

use super::*;

fn request(parts: Vec<Part>) -> Request {
    Request {
        from: Dialect::Chat,
        model: "m".to_owned(),
        turns: vec![Turn { role: Role::User, parts, name: None, extra: Vec::new() }],
        tools: Vec::new(),
        choice: None,
        parallel: None,
        max_tokens: None,
        temperature: None,
        top_p: None,
        top_k: None,
        stop: Vec::new(),
        seed: None,
        stream: true,
        include_usage: false,
        reasoning: None,
        format: None,
        user: None,
        extra: Vec::new(),
    }
}

fn mask() -> Mask {
    Mask::new(Config {
        on: true,
        names: vec!["Chloé \"Clo\"".to_owned(), "Chloé".to_owned()],
        ..Config::default()
    })
}

fn text(request: &Request) -> String {
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    let texts = parts.map(|part| match part {
        Part::Text { text, .. } => text.clone(),
        Part::ToolCall { arguments, .. } => arguments.clone(),
        _ => String::new(),
    });
    texts.collect::<Vec<_>>().join("|")
}

#[test]
fn the_same_value_has_the_same_placeholder_throughout() {
    let mut request = request(vec![
        Part::text("Chloé (chloe@example.org) and bert@example.org; chloe@example.org again"),
        Part::ToolCall {
            id: "c".to_owned(),
            name: "mail".to_owned(),
            arguments: r#"{"to": "bert@example.org", "é": "Chlo\u00e9"}"#.to_owned(),
            signature: None,
            cache: None,
        },
    ]);
    let masked = mask().before(&mut request);
    assert_eq!(
        text(&request),
        r#"[NAME_1] ([EMAIL_1]) and [EMAIL_2]; [EMAIL_1] again|{"to": "[EMAIL_2]", "é": "[NAME_1]"}"#
    );
    assert_eq!(masked.len(), 3);
    assert_eq!(masked.restore("to [EMAIL_2] [EMAIL_9] [x", false), "to bert@example.org [EMAIL_9] [x");
}

#[test]
fn a_placeholder_the_client_wrote_itself_is_not_used() {
    let mut request = request(vec![Part::text("what does [EMAIL_1] mean? a@example.org")]);
    let masked = mask().before(&mut request);
    assert_eq!(text(&request), "what does [EMAIL_1] mean? [EMAIL_2]");
    assert_eq!(masked.restore("[EMAIL_1] [EMAIL_2]", false), "[EMAIL_1] a@example.org");
}

#[test]
fn switched_off_nothing_is_touched() {
    let mut request = request(vec![Part::text("a@example.org")]);
    assert!(Mask::new(Config::default()).before(&mut request).is_empty());
    assert_eq!(text(&request), "a@example.org");
}

#[test]
fn a_whole_answer_is_restored_and_its_arguments_stay_json() {
    let mut request = request(vec![Part::text("Chloé \"Clo\" says hello")]);
    let masked = mask().before(&mut request);
    let mut answer = Answer {
        from: Dialect::Chat,
        id: String::new(),
        model: String::new(),
        created: None,
        parts: vec![
            Part::text("Hi [NAME_1]"),
            Part::ToolCall {
                id: String::new(),
                name: String::new(),
                arguments: r#"{"who":"[NAME_1]"}"#.to_owned(),
                signature: None,
                cache: None,
            },
            Part::Thinking { text: "[NAME_1]".to_owned(), signature: Some("s".to_owned()) },
        ],
        finish: Finish::Stop,
        stop_sequence: None,
        usage: None,
        extra: Vec::new(),
    };
    masked.after(&mut answer);
    let texts: Vec<&str> = answer
        .parts
        .iter()
        .map(|part| match part {
            Part::Text { text, .. } | Part::Thinking { text, .. } => text.as_str(),
            Part::ToolCall { arguments, .. } => arguments.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(texts, ["Hi Chloé \"Clo\"", r#"{"who":"Chloé \"Clo\""}"#, "[NAME_1]"]);
}

/// What the client sees of a text that is streamed in these pieces.
fn streamed(masked: &Masked, text: &str, cuts: &[usize], arguments: bool) -> String {
    let mut restore = masked.stream();
    let mut out = Vec::new();
    restore.event(Event::Open { index: 0, part: Opening::Text }, &mut out);
    let mut places: Vec<usize> =
        cuts.iter().map(|cut| cut % (text.len() + 1)).chain([0, text.len()]).collect();
    places.retain(|at| text.is_char_boundary(*at));
    places.sort_unstable();
    for pair in places.windows(2) {
        let piece = text.get(pair[0]..pair[1]).unwrap().to_owned();
        let delta = if arguments { Delta::Arguments(piece) } else { Delta::Text(piece) };
        restore.event(Event::Delta { index: 0, delta }, &mut out);
    }
    restore.event(Event::Close { index: 0 }, &mut out);
    assert!(matches!(out.last(), Some(Event::Close { .. })));
    out.into_iter()
        .map(|event| match event {
            Event::Delta { delta: Delta::Text(text) | Delta::Arguments(text), .. } => text,
            _ => String::new(),
        })
        .collect()
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("anne@example.org".to_owned()),
        Just("Chloé \"Clo\"".to_owned()),
        Just("BE71 0961 2345 6769".to_owned()),
        Just("06 12 34 56 78".to_owned()),
        Just("203.0.113.7".to_owned()),
        Just("[EMAIL_".to_owned()),
        Just("[[".to_owned()),
        "[a-z é\\[\\]\"\\\\\n]{0,12}",
    ]
}

proptest! {
    #[test]
    fn nothing_personal_leaves_and_everything_comes_back(
        pieces in proptest::collection::vec(piece(), 0..12),
        cuts in proptest::collection::vec(0_usize..400, 0..40),
    ) {
        let original = pieces.join(" , ");
        let mut request = request(vec![Part::text(original.clone())]);
        let masked = mask().before(&mut request);
        let sent = text(&request);
        for secret in ["anne@example.org", "Chloé", "BE71 0961 2345 6769", "06 12 34 56 78", "203.0.113.7"] {
            prop_assert!(!sent.contains(secret), "{sent}");
        }
        // A model that repeats what it was told.
        prop_assert_eq!(masked.restore(&sent, false), original.clone());
        prop_assert_eq!(streamed(&masked, &sent, &cuts, false), original);
    }

    #[test]
    fn arguments_come_back_as_json_wherever_they_are_cut(
        pieces in proptest::collection::vec(piece(), 0..8),
        cuts in proptest::collection::vec(0_usize..400, 0..40),
    ) {
        let original = pieces.join(" , ");
        let mut request = request(vec![Part::text(original.clone())]);
        let masked = mask().before(&mut request);
        let arguments = serde_json::to_string(&serde_json::json!({ "said": text(&request) })).unwrap();
        let seen = streamed(&masked, &arguments, &cuts, true);
        let value: serde_json::Value = serde_json::from_str(&seen).unwrap();
        prop_assert_eq!(value["said"].as_str().unwrap(), original);
    }
}
