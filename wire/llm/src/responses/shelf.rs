//! What clients of this dialect name instead of repeating it.
//!
//! OpenAI keeps answers, and its clients rely on that: Vercel's `ai` sends `item_reference` for what was said before
//! unless `store` is `false`, and others go on from `previous_response_id`. A provider of another dialect kept nothing;
//! the shelf has what the client was given.

use std::collections::{HashMap, VecDeque};

use super::{answer, ask};
use crate::fields::{Fields, items, malformed, string};
use crate::sse::{Frame, Parser};
use crate::{Dialect, Malformed, Part, Raw, Request, Role, Turn, extra};

/// Where a response continues another.
const PREVIOUS: &str = "previous_response_id";

/// Answers of the recent past, up to a number of bytes; the oldest go first. What one owner was given no other can name.
#[derive(Debug)]
pub struct Shelf {
    most: usize,
    bytes: usize,
    kept: HashMap<Key, Kept>,
    order: VecDeque<Key>,
}

/// Owner and id of a response or of an item.
type Key = (String, String);

#[derive(Debug)]
struct Kept {
    turns: Vec<Turn>,
    bytes: usize,
}

impl Shelf {
    /// `most` counts the bytes of texts, arguments and media.
    pub fn new(most: usize) -> Self {
        Self { most, bytes: 0, kept: HashMap::new(), order: VecDeque::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Keeps an answer as its client got it: `asked` is the request with its references filled in, `body` the whole
    /// answer, or the frames of a stream among which the last one holds it.
    pub fn keep(&mut self, owner: &str, asked: &Request, body: &[u8]) {
        if body.first() == Some(&b'{') {
            self.keep_answer(owner, asked, body);
            return;
        }
        let mut last = None;
        let mut frames = Parser::default();
        let mut each = |frame: Frame<'_>| {
            if let Frame::Event { name: "response.completed" | "response.incomplete", data } = frame {
                last = Some(data.into_owned());
            }
        };
        if frames.push(body, &mut each).is_err() || frames.finish(&mut each).is_err() {
            return;
        }
        let whole = last.as_deref().and_then(|data| Fields::body(data.as_bytes()).ok()?.raw("response"));
        if let Some(whole) = whole {
            self.keep_answer(owner, asked, whole.get().as_bytes());
        }
    }

    fn keep_answer(&mut self, owner: &str, asked: &Request, body: &[u8]) {
        let Ok(mut fields) = Fields::body(body) else { return };
        let (Ok(Some(id)), Some(output)) = (fields.owned("id"), fields.raw("output").and_then(items)) else {
            return;
        };
        let mut said = Vec::new();
        for raw in output {
            let mut parts = Vec::new();
            let name = Fields::of(raw, String::new()).ok().and_then(|mut item| item.owned("id").ok()?);
            if answer::item(raw, String::new(), &mut Vec::new(), &mut parts).is_err() {
                return;
            }
            said.extend(parts.iter().cloned());
            if let Some(name) = name {
                self.put((owner.to_owned(), name), vec![turn(parts)]);
            }
        }
        // Instructions are not carried over to the next response.
        let first = usize::from(ask::instructions_of(asked).is_some());
        let mut turns: Vec<Turn> = asked.turns.iter().skip(first).cloned().collect();
        turns.push(turn(said));
        self.put((owner.to_owned(), id), turns);
    }

    fn put(&mut self, key: Key, turns: Vec<Turn>) {
        let bytes = turns.iter().flat_map(|turn| &turn.parts).map(size).sum::<usize>() + key.1.len();
        if bytes > self.most {
            return;
        }
        if let Some(old) = self.kept.insert(key.clone(), Kept { turns, bytes }) {
            self.bytes -= old.bytes;
            self.order.retain(|other| *other != key);
        }
        self.bytes += bytes;
        self.order.push_back(key);
        while self.bytes > self.most {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(gone) = self.kept.remove(&oldest) {
                self.bytes -= gone.bytes;
            }
        }
    }

    /// Puts what a request names into its place. A reference to something that is not here stays, and is a loss when the
    /// request is written; a conversation that is not here is refused, because the model would answer without it.
    /// Says whether anything was put in.
    pub fn fill(&self, owner: &str, request: &mut Request) -> Result<bool, Malformed> {
        if request.from != Dialect::Responses {
            return Ok(false);
        }
        let mut any = false;
        let get =
            |id: &str| self.kept.get(&(owner.to_owned(), id.to_owned())).map(|kept| kept.turns.as_slice());
        for part in request.turns.iter_mut().map(|turn| &mut turn.parts) {
            if part.iter().any(|part| reference(part).is_some()) {
                let filled = std::mem::take(part).into_iter().flat_map(|part| {
                    let kept = reference(&part).and_then(|id| get(&id)).and_then(<[Turn]>::first);
                    any |= kept.is_some();
                    kept.map_or_else(|| vec![part], |kept| kept.parts.clone())
                });
                *part = filled.collect();
            }
        }
        let Some(previous) = extra::get(&request.extra, PREVIOUS).and_then(|raw| string(raw)) else {
            return Ok(any);
        };
        let Some(turns) = get(&previous) else {
            return Err(malformed(
                PREVIOUS,
                format!("{previous:?} was not found; it is too old, or not yours"),
            ));
        };
        let at = usize::from(ask::instructions_of(request).is_some());
        let turns = turns.to_vec();
        request.turns.splice(at..at, turns);
        request.extra.retain(|(name, _): &(String, Raw)| name != PREVIOUS);
        Ok(true)
    }
}

fn turn(parts: Vec<Part>) -> Turn {
    Turn { role: Role::Assistant, parts, name: None, extra: Vec::new() }
}

/// The id an `item_reference` names; its type may be left out.
fn reference(part: &Part) -> Option<String> {
    let Part::Opaque { dialect: Dialect::Responses, json } = part else { return None };
    let mut fields = Fields::of(json, String::new()).ok()?;
    let kind = fields.owned("type").ok()?;
    let id = fields.owned("id").ok()??;
    matches!(kind.as_deref(), None | Some("item_reference")).then_some(id)
}

fn size(part: &Part) -> usize {
    use crate::Source;
    match part {
        Part::Text { text, .. } | Part::Refusal { text } => text.len(),
        Part::Thinking { text, signature } => text.len() + signature.as_ref().map_or(0, String::len),
        Part::Redacted { data, .. } => data.len(),
        Part::ToolCall { name, arguments, .. } => name.len() + arguments.len(),
        Part::ToolResult { parts, .. } => parts.iter().map(size).sum(),
        Part::Opaque { json, .. } => json.get().len(),
        Part::Image { source, .. } | Part::Document { source, .. } | Part::Audio { source } => match source {
            Source::Url(text) | Source::Base64 { data: text, .. } | Source::Text { text, .. } => text.len(),
            Source::File { id, .. } => id.len(),
        },
    }
}
