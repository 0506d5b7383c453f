//! What several dialects' tests share.

use std::fmt::Debug;

use sanctum_llm::{Answer, Delta, Event, Opening, Part};

/// Two neutral forms are the same; the first line that differs is told, with a few before it.
pub(crate) fn same(left: &impl Debug, right: &impl Debug) {
    let (left, right) = (format!("{left:#?}"), format!("{right:#?}"));
    let (left, right): (Vec<_>, Vec<_>) = (left.lines().collect(), right.lines().collect());
    if let Some(at) = (0..left.len().max(right.len())).find(|at| left.get(*at) != right.get(*at)) {
        let before = left[at.saturating_sub(12)..at].join("\n");
        panic!("after\n{before}\nthere is {:?} here and {:?} there", left.get(at), right.get(at));
    }
}

/// A whole answer as a provider would stream it, its texts in pieces.
pub(crate) fn events_of(answer: &Answer) -> Vec<Event> {
    let mut events =
        vec![Event::Start { id: answer.id.clone(), model: answer.model.clone(), created: answer.created }];
    for (index, part) in answer.parts.iter().enumerate() {
        let deltas: Vec<Delta> = match part {
            Part::Text { text, .. } => pieces(text).map(Delta::Text).collect(),
            Part::Thinking { text, signature } => {
                pieces(text).map(Delta::Thinking).chain(signature.clone().map(Delta::Signature)).collect()
            }
            Part::ToolCall { arguments, .. } => pieces(arguments).map(Delta::Arguments).collect(),
            Part::Refusal { text } => pieces(text).map(Delta::Refusal).collect(),
            _ => Vec::new(),
        };
        let opening = match part {
            Part::Thinking { .. } => Opening::Thinking,
            Part::ToolCall { id, name, signature, .. } => {
                Opening::ToolCall { id: id.clone(), name: name.clone(), signature: signature.clone() }
            }
            Part::Refusal { .. } => Opening::Refusal,
            Part::Redacted { data, id } => Opening::Redacted { data: data.clone(), id: id.clone() },
            Part::Opaque { dialect, json } => Opening::Opaque { dialect: *dialect, json: json.clone() },
            _ => Opening::Text,
        };
        events.push(Event::Open { index, part: opening });
        events.extend(deltas.into_iter().map(|delta| Event::Delta { index, delta }));
        events.push(Event::Close { index });
    }
    events.extend(answer.usage.map(Event::Usage));
    let (finish, stop_sequence) = (answer.finish.clone(), answer.stop_sequence.clone());
    events.extend([Event::Finish { finish, stop_sequence }, Event::End]);
    events
}

fn pieces(text: &str) -> impl Iterator<Item = String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(3).map(|piece| piece.iter().collect()).collect::<Vec<String>>().into_iter()
}
