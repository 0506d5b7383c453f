//! Every dialect behind every other: what all can say arrives, however the bytes are cut, and nothing is made up.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sanctum_llm::{
    Answer, Choice, Codec, Delta, Dialect, Event, Finish, Opening, Part, Request, Role, Source, Tool, Turn,
    Usage,
};

use crate::help::{events_of, same};
use crate::laws::events;

/// What must arrive of an answer.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    thinking: String,
    /// Id, name, arguments.
    calls: Vec<(String, String, String)>,
    finish: Option<Finish>,
    /// Input, cached, output.
    usage: Option<(u64, u64, u64)>,
    /// Where both dialects count it.
    reasoning: Option<u64>,
}

impl Said {
    fn usage(&mut self, usage: &Usage) {
        self.usage = Some((usage.input, usage.cached, usage.output));
        self.reasoning = Some(usage.reasoning);
    }

    /// Anthropic does not count reasoning apart.
    fn within(mut self, dialects: &[Dialect]) -> Self {
        if dialects.contains(&Dialect::Messages) {
            self.reasoning = None;
        }
        self
    }
}

fn said_in_stream(events: &[Event]) -> Said {
    let mut said = Said::default();
    for event in events {
        match event {
            Event::Open { part: Opening::ToolCall { id, name, .. }, .. } => {
                said.calls.push((id.clone(), name.clone(), String::new()));
            }
            Event::Delta { delta: Delta::Text(text), .. } => said.text.push_str(text),
            Event::Delta { delta: Delta::Thinking(text), .. } => said.thinking.push_str(text),
            Event::Delta { delta: Delta::Arguments(text), .. } => {
                said.calls.last_mut().unwrap().2.push_str(text);
            }
            Event::Usage(usage) => said.usage(usage),
            Event::Finish { finish, .. } => said.finish = Some(finish.clone()),
            _ => {}
        }
    }
    said
}

fn said_at_once(answer: &Answer) -> Said {
    let mut said = Said { finish: Some(answer.finish.clone()), ..Said::default() };
    for part in &answer.parts {
        match part {
            Part::Text { text, .. } => said.text.push_str(text),
            Part::Thinking { text, .. } => said.thinking.push_str(text),
            Part::ToolCall { id, name, arguments, .. } => {
                said.calls.push((id.clone(), name.clone(), arguments.clone()));
            }
            _ => {}
        }
    }
    if let Some(usage) = &answer.usage {
        said.usage(usage);
    }
    said
}

/// Whether a stream keeps the promise of [`Event`].
fn well_formed(events: &[Event]) -> Result<(), String> {
    let (mut open, mut next, mut started, mut over) = (None, 0, false, false);
    for event in events {
        let fine = match event {
            Event::Start { .. } => !std::mem::replace(&mut started, true),
            Event::Open { index, .. } => {
                let fine = open.is_none() && *index == next && !over;
                open = Some(*index);
                next += 1;
                fine
            }
            Event::Delta { index, .. } => open == Some(*index),
            Event::Close { index } => open.take() == Some(*index),
            Event::Finish { .. } | Event::End => {
                over = true;
                open.is_none()
            }
            Event::Usage(_) | Event::Ping | Event::Fault(_) => true,
        };
        if !(fine && (started || matches!(event, Event::Usage(_) | Event::Ping | Event::Fault(_)))) {
            return Err(format!("{event:?} does not belong here in {events:#?}"));
        }
    }
    Ok(())
}

fn text() -> impl Strategy<Value = String> {
    // Words of several scripts, with the signs that JSON and SSE care about; never a tag of inline reasoning.
    "[a-zé漢😀\"\\\\\n:{} ]{0,10}[a-z]"
}

fn part() -> impl Strategy<Value = Part> {
    let call = ("[a-z]{1,8}", "[a-z_]{1,10}", select(vec!["{}", r#"{"a":1}"#, r#"{"é\n":["x",null,1.50]}"#]));
    prop_oneof![
        3 => text().prop_map(Part::text),
        1 => text().prop_map(|text| Part::Thinking { text, signature: Some("c2ln".to_owned()) }),
        2 => call.prop_map(|(id, name, arguments)| Part::ToolCall {
            id: format!("call_{id}"), name, arguments: arguments.to_owned(), signature: None, cache: None
        }),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    let usage = (0_u64..1_000_000, 0_u64..1_000_000, 0_u64..100_000, 0_u64..100_000).prop_map(
        |(fresh, cached, said, reasoning)| Usage {
            input: fresh + cached,
            cached,
            output: said + reasoning,
            reasoning,
            ..Usage::default()
        },
    );
    (vec(part(), 1..6), usage, any::<bool>(), any::<bool>()).prop_map(|(mut parts, usage, cut, refused)| {
        // Ids stand once, and thinking comes first, where every dialect has its place for it.
        for (index, part) in parts.iter_mut().enumerate() {
            if let Part::ToolCall { id, .. } = part {
                id.push_str(&index.to_string());
            }
        }
        parts.sort_by_key(|part| !matches!(part, Part::Thinking { .. }));
        let calls = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
        let finish = match (cut, calls, refused) {
            (true, ..) => Finish::Length,
            (_, true, _) => Finish::ToolCalls,
            (_, _, true) => Finish::Refused,
            _ => Finish::Stop,
        };
        Answer {
            from: Dialect::Messages,
            id: "msg_1".to_owned(),
            model: "m".to_owned(),
            created: Some(1_700_000_000),
            parts,
            finish,
            stop_sequence: None,
            usage: Some(usage),
            extra: Vec::new(),
        }
    })
}

fn dialects() -> impl Strategy<Value = (Dialect, Dialect)> {
    (select(Dialect::ALL.to_vec()), select(Dialect::ALL.to_vec()))
}

fn asked() -> Request {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}"#;
    Dialect::Chat.codec().read_request(body).unwrap()
}

fn written(codec: &dyn Codec, events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = codec.encoder(&asked());
    for event in events {
        encoder.event(event, &mut out);
    }
    out
}

fn cut(bytes: &[u8], cuts: &[Index]) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn streams_arrive(answer in answer(), (provider, client) in dialects(), cuts in vec(any::<Index>(), 0..12)) {
        let sent = written(provider.codec(), &events_of(&answer));
        let mut read = Vec::new();
        let mut decoder = provider.codec().decoder();
        for piece in cut(&sent, &cuts) {
            decoder.push(&piece, &mut read);
        }
        decoder.finish(&mut read);
        prop_assert!(well_formed(&read).is_ok(), "{:?}", well_formed(&read));
        same(&read, &events(provider.codec(), &sent));
        prop_assert!(matches!(read.last(), Some(Event::End)));
        let got = events(client.codec(), &written(client.codec(), &read));
        prop_assert!(well_formed(&got).is_ok(), "{:?}", well_formed(&got));
        prop_assert!(matches!(got.last(), Some(Event::End)));
        let both = [provider, client];
        same(&said_in_stream(&got).within(&both), &said_at_once(&answer).within(&both));
    }

    #[test]
    fn answers_arrive(answer in answer(), (provider, client) in dialects()) {
        let sent = provider.codec().write_answer(&answer, &asked());
        let read = provider.codec().read_answer(&sent.body).unwrap();
        let got = client.codec().write_answer(&read, &asked());
        let got = client.codec().read_answer(&got.body).unwrap();
        let both = [provider, client];
        same(&said_at_once(&got).within(&both), &said_at_once(&answer).within(&both));
    }

    /// Wherever a stream is cut, nothing is made up: no end, and nothing that was not said.
    #[test]
    fn a_cut_stream_has_no_end(answer in answer(), provider in select(Dialect::ALL.to_vec()), at in any::<Index>()) {
        let sent = written(provider.codec(), &events_of(&answer));
        let half = &sent[..at.index(sent.len())];
        let read = events(provider.codec(), half);
        prop_assert!(well_formed(&read).is_ok(), "{:?}", well_formed(&read));
        let said = String::from_utf8_lossy(half);
        let told = match provider {
            // Servers that forget `[DONE]` have said the reason at least.
            Dialect::Chat => said.contains("\"finish_reason\":\""),
            Dialect::Messages => said.contains("message_stop"),
            Dialect::Responses => said.contains("response.completed") || said.contains("response.incomplete"),
            Dialect::Gemini => said.contains("finishReason"),
        };
        prop_assert!(told || !read.iter().any(|event| matches!(event, Event::End)), "{read:#?}");
        let whole = said_at_once(&answer);
        prop_assert!(whole.text.starts_with(&said_in_stream(&read).text));
    }

    #[test]
    fn garbage_never_panics_and_never_ends(
        provider in select(Dialect::ALL.to_vec()),
        lines in vec(prop_oneof![
            "data: .{0,30}\n\n",
            "data: \\{\"[a-z]{1,6}\":[\\[\\]{}0-9\"a-z]{0,10}\\}\n\n",
            select(vec![
                "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":3,\"function\":{}}]}}]}\n\n".to_owned(),
                "data: {\"choices\":[{\"delta\":null,\"index\":9}]}\n\n".to_owned(),
                "data: {\"type\":\"content_block_delta\",\"index\":7,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n".to_owned(),
                "data: {\"type\":\"content_block_stop\",\"index\":99999999999}\n\n".to_owned(),
                "data: {\"type\":\"response.output_text.delta\",\"output_index\":18446744073709551615,\"content_index\":18446744073709551615,\"delta\":\"x\"}\n\n".to_owned(),
                "data: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":\"b\",\"arguments\":\"{\"}}\n\n".to_owned(),
                "data: {\"type\":\"response.function_call_arguments.delta\",\"output_index\":5,\"delta\":\"x\"}\n\n".to_owned(),
                "data: {\"candidates\":[{\"content\":{\"parts\":[{},{\"text\":\"x\",\"thought\":true,\"thoughtSignature\":\"y\"}]}}]}\n\n".to_owned(),
                "data: {\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":-1}}\n\n".to_owned(),
                ": hm\n\n".to_owned(),
                "<html>\n\n".to_owned(),
            ]),
        ], 0..8),
    ) {
        let read = events(provider.codec(), lines.concat().as_bytes());
        prop_assert!(well_formed(&read).is_ok(), "{:?}", well_formed(&read));
        prop_assert!(!read.iter().any(|event| matches!(event, Event::End)));
        // Whatever came, each client's stream can say it.
        for client in Dialect::ALL {
            let got = events(client.codec(), &written(client.codec(), &read));
            let failed = got.iter().any(|event| matches!(event, Event::Fault(_)));
            prop_assert!(failed || !got.iter().any(|event| matches!(event, Event::End)), "{:?}", client);
        }
    }

    #[test]
    fn bodies_of_garbage_never_panic(dialect in select(Dialect::ALL.to_vec()), bytes in vec(any::<u8>(), 0..40), text in ".{0,60}") {
        for body in [bytes.as_slice(), text.as_bytes(), format!("{{\"model\":\"m\",\"messages\":[{text}]}}").as_bytes()] {
            drop(dialect.codec().read_request(body));
            drop(dialect.codec().read_answer(body));
            drop(dialect.codec().read_fault(500, body));
        }
    }

    #[test]
    fn requests_arrive(request in request(), (client, provider) in dialects()) {
        let body = client.codec().write_request(&request).body;
        let mut read = client.codec().read_request(&body).unwrap();
        // Read, written and read again, nothing moves any more.
        same(&client.codec().read_request(&client.codec().write_request(&read).body).unwrap(), &read);
        read.model.clone_from(&request.model);
        let sent = provider.codec().write_request(&read).body;
        let got = provider.codec().read_request(&sent).unwrap();
        same(&asked_of(&got, client, provider), &asked_of(&request, client, provider));
    }
}

/// What the user says, whether a picture is with it, the calls (name, arguments, result), whether the answer has a text.
type Round = (String, bool, Vec<(String, &'static str, String)>, bool);

fn request() -> impl Strategy<Value = Request> {
    let call = ("[a-z]{1,6}", select(vec!["{}", r#"{"a":[1,"é"]}"#]), "[a-z ]{0,6}[a-z]");
    let round = (text(), any::<bool>(), vec(call, 0..3), any::<bool>());
    let choice = select(vec![
        None,
        Some(Choice::Auto),
        Some(Choice::None),
        Some(Choice::Required),
        Some(Choice::Named("look".to_owned())),
    ]);
    (proptest::option::of(text()), vec(round, 1..4), choice, 1_u64..4_000, any::<bool>()).prop_map(
        |(system, rounds, choice, max_tokens, streamed)| {
            let turns = conversation(system, rounds);
            let schema = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#.to_owned();
            let look = Tool::Function {
                name: "look".to_owned(),
                description: Some("Looks.".to_owned()),
                schema: Some(sanctum_llm::json::raw(schema)),
                strict: None,
                cache: None,
            };
            Request {
                turns,
                tools: vec![look],
                choice,
                max_tokens: Some(max_tokens),
                stream: streamed,
                ..asked()
            }
        },
    )
}

/// Rounds of a question, an answer with calls, and their results.
fn conversation(system: Option<String>, rounds: Vec<Round>) -> Vec<Turn> {
    let turn = |role, parts| Turn { role, parts, name: None, extra: Vec::new() };
    let mut turns: Vec<Turn> =
        system.map(|text| turn(Role::System, vec![Part::text(text)])).into_iter().collect();
    for (number, (text, picture, calls, says)) in rounds.into_iter().enumerate() {
        let mut user = vec![Part::text(text.clone())];
        if picture {
            let source = Source::Base64 { media: "image/png".to_owned(), data: "iVBORw0KGgo=".to_owned() };
            user.push(Part::Image { source, detail: None, cache: None });
        }
        turns.push(turn(Role::User, user));
        let mut assistant = if says || calls.is_empty() { vec![Part::text(text)] } else { Vec::new() };
        let id = |index| format!("call_{number}_{index}");
        assistant.extend(calls.iter().enumerate().map(|(index, (name, arguments, _))| Part::ToolCall {
            id: id(index),
            name: name.clone(),
            arguments: (*arguments).to_owned(),
            signature: None,
            cache: None,
        }));
        turns.push(turn(Role::Assistant, assistant));
        let results = calls.iter().enumerate().map(|(index, (.., result))| Part::ToolResult {
            id: id(index),
            name: None,
            parts: vec![Part::text(result.clone())],
            error: false,
            cache: None,
        });
        let results: Vec<Part> = results.collect();
        if !results.is_empty() {
            turns.push(turn(Role::User, results));
        }
    }
    turns.push(turn(Role::User, vec![Part::text("go on")]));
    turns
}

/// What must arrive of a request: who said what in which order, the tools, the settings all have.
fn asked_of(request: &Request, client: Dialect, provider: Dialect) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for turn in &request.turns {
        for part in &turn.parts {
            lines.push(match part {
                Part::Text { text, .. } => format!("{:?}: {text}", turn.role),
                Part::Image { source, .. } => format!("{:?}: {source:?}", turn.role),
                Part::ToolCall { id, name, arguments, .. } => format!("{id}: {name}({arguments})"),
                Part::ToolResult { id, parts, .. } => match parts.as_slice() {
                    [Part::Text { text, .. }] => format!("{id}: {text}"),
                    other => format!("{id}: {other:?}"),
                },
                other => format!("{other:?}"),
            });
        }
    }
    for tool in &request.tools {
        if let Tool::Function { name, description, schema, .. } = tool {
            lines.push(format!("{name} {description:?} {:?}", schema.as_ref().map(|schema| schema.get())));
        }
    }
    lines.push(format!("{:?} {:?}", request.choice, request.max_tokens));
    // Gemini says it in the path.
    if ![client, provider].contains(&Dialect::Gemini) {
        lines.push(format!("{} {}", request.model, request.stream));
    }
    lines
}
