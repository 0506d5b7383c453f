//! Whatever a conversation went through, the next model is asked something it accepts.

use proptest::prelude::*;
use sanctum_llm::{Reasoning, Request};

use super::*;

fn request(from: Dialect, turns: Vec<(Role, Vec<Part>)>) -> Request {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let mut request = Dialect::Chat.codec().read_request(body).unwrap();
    request.from = from;
    request.turns =
        turns.into_iter().map(|(role, parts)| Turn { role, parts, name: None, extra: Vec::new() }).collect();
    request
}

fn thinking(signature: Option<&str>) -> Part {
    Part::Thinking { text: "hm".to_owned(), signature: signature.map(str::to_owned) }
}

fn call(id: &str) -> Part {
    Part::ToolCall {
        id: id.to_owned(),
        name: "t".to_owned(),
        arguments: "{}".to_owned(),
        signature: None,
        cache: None,
    }
}

fn result(id: &str) -> Part {
    Part::ToolResult { id: id.to_owned(), name: None, parts: vec![Part::text(id)], error: false, cache: None }
}

fn repair(foreign: Foreign) -> Repair {
    Repair::new(Config { on: true, foreign })
}

const CLAUDE: Target<'static> = Target { dialect: Dialect::Messages, issuer: "anthropic", wary: false };

/// A conversation in one line: `u:text a:think,call(1) u:result(1)`.
fn sketch(request: &Request) -> String {
    let part = |part: &Part| match part {
        Part::Text { text, .. } => text.clone(),
        Part::Thinking { signature, .. } => format!("think({})", signature.as_deref().unwrap_or("-")),
        Part::ToolCall { id, .. } => format!("call({id})"),
        Part::ToolResult { id, error, .. } => format!("{}({id})", if *error { "error" } else { "result" }),
        other => format!("{other:?}"),
    };
    let turn = |turn: &Turn| {
        let role = if turn.role == Role::Assistant { "a" } else { "u" };
        format!("{role}:{}", turn.parts.iter().map(part).collect::<Vec<_>>().join(","))
    };
    request.turns.iter().map(turn).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_signature_goes_only_to_its_issuer() {
    let repair = repair(Foreign::Strip);
    repair.after("s1", "anthropic");
    repair.after("s2", "elsewhere");
    let turns = || {
        vec![
            (Role::User, vec![Part::text("q")]),
            (
                Role::Assistant,
                vec![thinking(Some("s1")), thinking(Some("s2")), thinking(None), Part::text("a")],
            ),
        ]
    };
    let mut same = request(Dialect::Messages, turns());
    assert_eq!(repair.before(&mut same, CLAUDE).thinking, 2);
    assert_eq!(sketch(&same), "u:q a:think(s1),a");
    let mut other = request(Dialect::Messages, turns());
    repair.before(&mut other, Target { issuer: "elsewhere", ..CLAUDE });
    assert_eq!(sketch(&other), "u:q a:think(s2),a");
    let mut plain = request(Dialect::Messages, turns());
    repair.before(&mut plain, Target { dialect: Dialect::Chat, issuer: "lmstudio", wary: false });
    assert_eq!(sketch(&plain), "u:q a:think(-),think(-),think(-),a", "reasoning that is plain may be told");
}

#[test]
fn one_nobody_remembers_is_believed_until_it_was_refused() {
    let turns = || vec![(Role::Assistant, vec![thinking(Some("old")), Part::text("a")])];
    let repair = repair(Foreign::Text);
    let mut believed = request(Dialect::Messages, turns());
    assert!(repair.before(&mut believed, CLAUDE).is_nothing());
    let mut refused = request(Dialect::Messages, turns());
    assert_eq!(repair.before(&mut refused, Target { wary: true, ..CLAUDE }).thinking, 1);
    assert_eq!(sketch(&refused), "a:hm,a", "told as text where the config says so");
    let mut translated = request(Dialect::Responses, turns());
    assert_eq!(repair.before(&mut translated, CLAUDE).thinking, 1);
}

#[test]
fn results_stand_right_behind_their_calls() {
    let mut request = request(
        Dialect::Chat,
        vec![
            (Role::User, vec![Part::text("q")]),
            (Role::Assistant, vec![call("1"), call("2")]),
            (Role::User, vec![Part::text("and"), result("2")]),
            (Role::User, vec![result("1")]),
            (Role::Assistant, vec![call("3")]),
            (Role::User, vec![Part::text("stop"), result("9")]),
        ],
    );
    let repaired = repair(Foreign::Strip).before(&mut request, CLAUDE);
    assert_eq!(
        sketch(&request),
        "u:q a:call(1),call(2) u:result(1),result(2),and a:call(3) u:error(3),stop,9"
    );
    assert_eq!((repaired.moved, repaired.invented, repaired.orphans), (1, 1, 1));
}

#[test]
fn a_turn_that_lost_its_reasoning_goes_on_without() {
    let mut request = request(
        Dialect::Responses,
        vec![(Role::Assistant, vec![thinking(Some("x")), call("1")]), (Role::User, vec![result("1")])],
    );
    request.reasoning = Some(Reasoning { enabled: Some(true), budget: Some(4096), ..Reasoning::default() });
    let repaired = repair(Foreign::Strip).before(&mut request, CLAUDE);
    assert!(repaired.switched_off);
    assert_eq!(request.reasoning, Some(Reasoning { enabled: Some(false), ..Reasoning::default() }));
}

#[test]
fn switched_off_nothing_is_touched() {
    let mut request = request(Dialect::Chat, vec![(Role::User, vec![result("9")])]);
    assert!(Repair::new(Config::default()).before(&mut request, CLAUDE).is_nothing());
    assert_eq!(sketch(&request), "u:result(9)");
}

fn part() -> impl Strategy<Value = (bool, Part)> {
    let id = "[1-4]";
    prop_oneof![
        id.prop_map(|id| (true, call(&id))),
        id.prop_map(|id| (false, result(&id))),
        "[a-c]".prop_map(|text| (false, Part::text(text))),
        "[a-c]".prop_map(|text| (true, Part::text(text))),
        any::<bool>().prop_map(|signed| (true, thinking(signed.then_some("s")))),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_is_made_a_request_and_no_word_of_it_is_lost(parts in proptest::collection::vec(part(), 0..14)) {
        // Ids are called once, as every API has it.
        let mut called = HashSet::new();
        let mut turns: Vec<(Role, Vec<Part>)> = Vec::new();
        for (assistant, part) in parts {
            if let Part::ToolCall { id, .. } = &part && !called.insert(id.clone()) {
                continue;
            }
            let role = if assistant { Role::Assistant } else { Role::User };
            match turns.last_mut() {
                Some((last, list)) if *last == role => list.push(part),
                _ => turns.push((role, vec![part])),
            }
        }
        let mut request = request(Dialect::Chat, turns);
        let count = |request: &Request, of: fn(&Part) -> bool| {
            request.turns.iter().flat_map(|turn| &turn.parts).filter(|part| of(part)).count()
        };
        let texts = count(&request, |part| matches!(part, Part::Text { .. }));
        let calls = count(&request, |part| matches!(part, Part::ToolCall { .. }));
        let repair = repair(Foreign::Strip);
        let repaired = repair.before(&mut request, CLAUDE);
        prop_assert!(is_ordered(&request.turns), "{}", sketch(&request));
        prop_assert_eq!(count(&request, |part| matches!(part, Part::ToolCall { .. })), calls);
        prop_assert_eq!(count(&request, |part| matches!(part, Part::ToolResult { .. })), calls);
        prop_assert_eq!(count(&request, |part| matches!(part, Part::Text { .. })), texts + repaired.orphans);
        let again = sketch(&request);
        let second = repair.before(&mut request, CLAUDE);
        prop_assert_eq!((second.is_nothing(), sketch(&request)), (true, again), "repairing twice changes nothing");
    }
}
