//! Laws of chat completions and messages, over conversations and streams nobody thought of.

use proptest::prelude::*;
use sanctum_llm::{Delta, Dialect, Event, Finish, Opening, Request, Usage};

use crate::{
    help::same,
    laws::{encode, events, told},
    messages,
    talk::{mark, talk, text},
};

const BOTH: [Dialect; 2] = [Dialect::Chat, Dialect::Messages];

fn read(dialect: Dialect, body: &serde_json::Value) -> Request {
    dialect.codec().read_request(body.to_string().as_bytes()).unwrap()
}

/// What is not the conversation's: where it came from, and what only one of them asks.
fn plain(mut request: Request) -> Request {
    request.from = Dialect::Chat;
    request.include_usage = false;
    request
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Both read the same out of what says the same, and each is written into what the other reads so.
    #[test]
    fn what_both_can_say_arrives(talk in talk()) {
        let (chat, messages) = (read(Dialect::Chat, &talk.chat()), read(Dialect::Messages, &talk.messages()));
        same(&plain(chat.clone()), &plain(messages.clone()));
        for (to, from, want) in [(Dialect::Messages, &chat, &messages), (Dialect::Chat, &messages, &chat)] {
            let written = to.codec().write_request(from);
            prop_assert_eq!(&written.losses, &[]);
            same(&plain(to.codec().read_request(&written.body).unwrap()), &plain(want.clone()));
        }
    }

    #[test]
    fn fields_nobody_knows_stay_and_are_missed_elsewhere(
        talk in talk(),
        marks in proptest::collection::vec(any::<proptest::sample::Index>(), 1..5),
    ) {
        for (dialect, other) in [(Dialect::Chat, Dialect::Messages), (Dialect::Messages, Dialect::Chat)] {
            let mut body = if dialect == Dialect::Chat { talk.chat() } else { talk.messages() };
            for (count, at) in marks.iter().enumerate() {
                mark(&mut body, *at, &format!("zz_{count}"));
            }
            let request = read(dialect, &body);
            let written = dialect.codec().write_request(&request);
            prop_assert_eq!(&written.losses, &[]);
            let text = String::from_utf8(written.body.clone()).unwrap();
            let told = other.codec().write_request(&request).losses;
            for count in 0..marks.len() {
                let name = format!("\"zz_{count}\":{{\"a\":\"x\\n\",\"b\":[1,2.5]}}");
                prop_assert!(text.contains(&name), "{} is not in {}", name, text);
                let path = format!("zz_{count}");
                prop_assert!(told.iter().any(|loss| loss.what.contains(&path)), "{} is not among {:?}", path, told);
            }
            same(&dialect.codec().read_request(&written.body).unwrap(), &request);
        }
    }

    #[test]
    fn a_stream_is_told_and_read_again(stream in stream(), cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..9)) {
        let mut asked = messages::read(messages::REQUEST).unwrap();
        asked.include_usage = true;
        for dialect in BOTH {
            let stream = sayable(&stream, dialect);
            let bytes = encode(dialect.codec(), &asked, &stream);
            let again = events(dialect.codec(), bytes.as_bytes());
            prop_assert!(well_formed(&again), "{}", told(&again));
            prop_assert_eq!(told(&joined(&again)), told(&joined(&stream)), "{}", bytes);
            prop_assert_eq!(last_usage(&again), last_usage(&stream));
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let mut pieces = Vec::new();
            let mut decoder = dialect.codec().decoder();
            for pair in at.windows(2) {
                decoder.push(&bytes.as_bytes()[pair[0]..pair[1]], &mut pieces);
            }
            decoder.finish(&mut pieces);
            prop_assert_eq!(told(&pieces), told(&again));
        }
    }

    /// Whatever a provider sends, the order of events is kept, and an end is only told where one was told.
    #[test]
    fn broken_streams_stay_in_order(
        hurts in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), 0..3_u8), 0..6),
    ) {
        for (dialect, whole) in [(Dialect::Chat, include_str!("fixtures/chat-stream.sse")), (Dialect::Messages, messages::STREAM)] {
            let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
            let mut bytes = Vec::new();
            for (at, other, how) in &hurts {
                let (at, other) = (at.index(lines.len()), other.index(lines.len()));
                match how {
                    0 => drop(lines.remove(at)),
                    1 => lines.swap(at, other),
                    _ => lines.insert(at, lines[other]),
                }
            }
            for line in &lines {
                bytes.extend_from_slice(line.as_bytes());
            }
            for dialect in [dialect, if dialect == Dialect::Chat { Dialect::Messages } else { Dialect::Chat }] {
                let seen = events(dialect.codec(), &bytes);
                prop_assert!(well_formed(&seen), "{}\n{}", String::from_utf8_lossy(&bytes), told(&seen));
            }
        }
    }

    #[test]
    fn garbage_is_no_end_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "(data: |event: |\\{|\\}|\"|:|,|\n|[a-z]){0,60}") {
        for dialect in BOTH {
            for garbage in [bytes.as_slice(), text.as_bytes()] {
                let seen = events(dialect.codec(), garbage);
                prop_assert!(!seen.iter().any(|event| matches!(event, Event::End)));
                prop_assert!(well_formed(&seen));
                prop_assert!(dialect.codec().read_request(garbage).is_err());
                prop_assert!(dialect.codec().read_answer(garbage).is_err());
                dialect.codec().read_fault(500, garbage);
            }
        }
    }

    /// Bodies of the right words in the wrong places are refused or read, and what is read is written as what reads the same.
    #[test]
    fn requests_cut_and_mixed_do_not_panic(talk in talk(), at in any::<proptest::sample::Index>(), word in "[\\{\\}\\[\\]\",:0-9a-z]{0,4}") {
        for dialect in BOTH {
            let mut body = if dialect == Dialect::Chat { talk.chat() } else { talk.messages() }.to_string();
            let mut place = at.index(body.len());
            while !body.is_char_boundary(place) {
                place -= 1;
            }
            body.insert_str(place, &word);
            if let Ok(mut request) = dialect.codec().read_request(body.as_bytes()) {
                // Anthropic demands it, and gets it.
                if dialect == Dialect::Messages {
                    request.max_tokens = request.max_tokens.or(Some(8192));
                }
                let written = dialect.codec().write_request(&request);
                same(&dialect.codec().read_request(&written.body).unwrap(), &request);
            }
        }
    }
}

fn usage() -> impl Strategy<Value = Usage> {
    (0..1000_u64, 0..1000_u64, 0..1000_u64, 0..1000_u64, 1..1000_u64, 0..1000_u64).prop_map(
        |(fresh, cached, written_5m, written_1h, output, reasoning)| Usage {
            input: fresh + cached + written_5m + written_1h,
            cached,
            written_5m,
            written_1h,
            output,
            reasoning: reasoning.min(output),
        },
    )
}

fn part() -> impl Strategy<Value = (Opening, Vec<Delta>)> {
    let texts = || proptest::collection::vec(text(), 1..4);
    let arguments = proptest::collection::vec(text(), 0..3).prop_map(|words| {
        let json = serde_json::json!({ "words": words }).to_string();
        let middle = (json.len() / 2..json.len()).find(|at| json.is_char_boundary(*at)).unwrap();
        let (one, other) = json.split_at(middle);
        vec![Delta::Arguments(one.to_owned()), Delta::Arguments(other.to_owned())]
    });
    prop_oneof![
        texts().prop_map(|texts| (Opening::Text, texts.into_iter().map(Delta::Text).collect())),
        (texts(), text()).prop_map(|(texts, signature)| {
            let mut deltas: Vec<Delta> = texts.into_iter().map(Delta::Thinking).collect();
            deltas.push(Delta::Signature(signature));
            (Opening::Thinking, deltas)
        }),
        text().prop_map(|data| (Opening::Redacted { data, id: None }, Vec::new())),
        ("[a-z]{1,5}", arguments).prop_map(|(name, arguments)| {
            (Opening::ToolCall { id: String::new(), name, signature: None }, arguments)
        }),
    ]
}

fn stream() -> impl Strategy<Value = Vec<Event>> {
    let finish =
        prop_oneof![Just(Finish::Stop), Just(Finish::Length), Just(Finish::ToolCalls), Just(Finish::Refused)];
    (text(), text(), usage(), proptest::collection::vec(part(), 1..7), finish).prop_map(
        |(id, model, used, parts, finish)| {
            let mut events = vec![Event::Start { id, model, created: None }];
            for (index, (mut part, deltas)) in parts.into_iter().enumerate() {
                if let Opening::ToolCall { id, .. } = &mut part {
                    *id = format!("call_{index}");
                }
                events.push(Event::Open { index, part });
                events.extend(deltas.into_iter().map(|delta| Event::Delta { index, delta }));
                events.push(Event::Close { index });
            }
            events.extend([Event::Usage(used), Event::Finish { finish, stop_sequence: None }, Event::End]);
            events
        },
    )
}

/// What this dialect can tell of a stream: no time or reasoning count in one, no borders between texts in the other.
fn sayable(stream: &[Event], dialect: Dialect) -> Vec<Event> {
    let chat = dialect == Dialect::Chat;
    let calls =
        stream.iter().any(|event| matches!(event, Event::Open { part: Opening::ToolCall { .. }, .. }));
    let mut out: Vec<Event> = Vec::new();
    let (mut shift, mut last_text) = (0, false);
    for event in stream {
        let mut event = event.clone();
        match &mut event {
            Event::Start { created, .. } if chat => *created = Some(0),
            Event::Usage(used) if !chat => {
                used.reasoning = 0;
                // Known before the start here, and told there too.
                out.insert(0, Event::Usage(*used));
                continue;
            }
            Event::Finish { finish, .. } if chat && calls && *finish == Finish::Stop => {
                *finish = Finish::ToolCalls;
            }
            Event::Open { index, part } => {
                let text = matches!(part, Opening::Text);
                if chat && text && last_text {
                    shift += 1;
                    out.pop();
                    continue;
                }
                last_text = text;
                *index -= shift;
            }
            Event::Delta { index, .. } | Event::Close { index } => *index -= shift,
            _ => {}
        }
        out.push(event);
    }
    out
}

fn last_usage(events: &[Event]) -> Option<Usage> {
    events.iter().rev().find_map(|event| if let Event::Usage(used) = event { Some(*used) } else { None })
}

/// Neighbouring pieces of one kind as one piece; usage may stand anywhere.
fn joined(events: &[Event]) -> Vec<Event> {
    let mut out: Vec<Event> = Vec::new();
    for event in events.iter().filter(|event| !matches!(event, Event::Usage(_))) {
        let last = match out.last_mut() {
            Some(Event::Delta { delta, .. }) => Some(delta),
            _ => None,
        };
        match (last, event) {
            (Some(Delta::Text(last)), Event::Delta { delta: Delta::Text(text), .. })
            | (Some(Delta::Thinking(last)), Event::Delta { delta: Delta::Thinking(text), .. })
            | (Some(Delta::Arguments(last)), Event::Delta { delta: Delta::Arguments(text), .. }) => {
                last.push_str(text);
            }
            _ => out.push(event.clone()),
        }
    }
    out
}

/// The grammar of a stream, as `Event` promises it.
fn well_formed(events: &[Event]) -> bool {
    let (mut started, mut next, mut open, mut finished, mut over) = (false, 0, false, false, false);
    for event in events {
        let good = !over
            && match event {
                Event::Start { .. } => !std::mem::replace(&mut started, true),
                Event::Open { index, .. } => {
                    let good = !open && !finished && *index == next;
                    (open, next) = (true, next + 1);
                    good
                }
                Event::Delta { index, .. } => open && *index + 1 == next,
                Event::Close { index } => std::mem::replace(&mut open, false) && *index + 1 == next,
                Event::Finish { .. } => !open && !std::mem::replace(&mut finished, true),
                Event::End => {
                    over = true;
                    !open && (finished || !started)
                }
                Event::Fault(_) => {
                    over = true;
                    true
                }
                Event::Usage(_) | Event::Ping => true,
            };
        if !good {
            return false;
        }
    }
    true
}
