//! What a chat stream has said so far: which part is open, which calls are half told.
//!
//! Calls of one answer may come interleaved, all under `index` 0 (Ollama), without ids, or with each other's. The call
//! that is open is streamed on; another one waits until the arguments of that are whole.

use serde_json::value::RawValue;

use super::{
    answer_in, assistant,
    decode::{Called, Said},
};
use crate::{
    Delta, Dialect, Event, Fault, FaultKind, Opening, Usage,
    read::{Content, Fields, Text},
    think::{Piece, Splitter},
};

#[derive(Debug, Default)]
pub(super) struct State {
    started: bool,
    over: bool,
    id: String,
    next: usize,
    open: Option<Open>,
    splitter: Splitter,
    /// The text of the thinking part that is open.
    thought: String,
    calls: Vec<Call>,
    /// What came while a call was half told.
    late: Vec<(Open, String)>,
    finish: Option<String>,
    used: Option<Usage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Refusal,
    Call(usize),
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    signature: Option<String>,
    arguments: String,
    /// How much of them was handed on.
    sent: usize,
    extent: Extent,
    done: bool,
}

/// Whether the JSON seen so far is whole.
#[derive(Debug, Default)]
struct Extent {
    depth: u32,
    in_string: bool,
    escaped: bool,
    whole: bool,
}

impl Extent {
    fn feed(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }
}

impl State {
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn has_finished(&self) -> bool {
        !self.over && self.finish.is_some()
    }

    pub(super) fn start(&mut self, event: impl FnOnce() -> Event, into: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            let event = event();
            if let Event::Start { id, .. } = &event {
                self.id.clone_from(id);
            }
            into.push(event);
        }
    }

    /// The last word counts: some servers send one with every chunk.
    pub(super) fn finish(&mut self, word: &str) {
        self.finish = Some(word.to_owned());
    }

    pub(super) fn usage(&mut self, used: Usage, into: &mut Vec<Event>) {
        let used = used.or(self.used.unwrap_or_default());
        if self.used != Some(used) {
            self.used = Some(used);
            into.push(Event::Usage(used));
        }
    }

    pub(super) fn fail(&mut self, fault: Fault, into: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.over, true) {
            into.push(Event::Fault(fault));
        }
    }

    pub(super) fn said(&mut self, said: &Said<'_>, into: &mut Vec<Event>) {
        self.thoughts(said, into);
        if let Some(raw) = said.content {
            match serde_json::from_str(raw.get()) {
                Ok(Some(Content::Text(text))) => self.content(&text, into),
                Ok(Some(Content::Parts(parts))) => parts.iter().for_each(|part| self.listed(part, into)),
                Ok(None) | Err(_) => {}
            }
        }
        if let Some(text) = said.refusal.as_deref().filter(|text| !text.is_empty()) {
            self.plain(Open::Refusal, text, into);
        }
        for called in said.tool_calls.iter().flatten() {
            self.called(called, into);
        }
        for note in said.annotations.iter().flatten() {
            if self.open != Some(Open::Text) {
                self.begin(Open::Text, Opening::Text, into);
            }
            self.delta(Delta::Note { dialect: Dialect::Chat, json: note.get().to_owned() }, into);
        }
    }

    fn content(&mut self, text: &str, into: &mut Vec<Event>) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.push(text, |piece| self.piece(piece, into));
        self.splitter = splitter;
    }

    fn piece(&mut self, piece: Piece<'_>, into: &mut Vec<Event>) {
        match piece {
            Piece::Text(text) => self.plain(Open::Text, text, into),
            Piece::Thinking(text) => self.plain(Open::Thinking, text, into),
        }
    }

    /// Mistral's reasoning models send a list of parts: `{"type":"thinking","thinking":[{"type":"text",…}]}`.
    fn listed(&mut self, raw: &RawValue, into: &mut Vec<Event>) {
        let at = crate::read::At::Root;
        let Ok(mut part) = Fields::of(raw, &at) else { return };
        if let Ok(Some(inner)) = part.list("thinking", &at) {
            self.field_thoughts(into);
            for raw in inner {
                let text =
                    Fields::of(raw, &at).ok().and_then(|mut part| part.owned("text", &at).ok()).flatten();
                self.plain(Open::Thinking, &text.unwrap_or_default(), into);
            }
        } else if let Ok(Some(text)) = part.text("text", &at) {
            self.content(&text, into);
        }
    }

    /// Reasoning has a field of its own: a tag in the text is text.
    fn field_thoughts(&mut self, into: &mut Vec<Event>) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.off(|piece| self.piece(piece, into));
        self.splitter = splitter;
    }

    fn thoughts(&mut self, said: &Said<'_>, into: &mut Vec<Event>) {
        let other = said.reasoning.and_then(|raw| serde_json::from_str::<Text<'_>>(raw.get()).ok());
        let plain = said.reasoning_content.as_ref().or(other.as_ref()).filter(|text| !text.is_empty());
        if let Some(text) = plain {
            self.field_thoughts(into);
            self.plain(Open::Thinking, text, into);
        }
        for detail in said.reasoning_details.iter().flatten() {
            self.field_thoughts(into);
            if let Some(data) = &detail.data {
                let id = detail.id.as_ref().map(|id| id.to_string());
                self.begin(Open::Thinking, Opening::Redacted { data: data.to_string(), id }, into);
                self.close(into);
                continue;
            }
            let text = detail.text.as_ref().or(detail.summary.as_ref()).filter(|text| !text.is_empty());
            // The same text stands beside it, or has come before it.
            if let Some(text) = text.filter(|text| plain.is_none() && ***text != self.thought) {
                self.plain(Open::Thinking, text, into);
            }
            if let Some(signature) = detail.signature.as_ref().filter(|signature| !signature.is_empty()) {
                if self.open != Some(Open::Thinking) {
                    self.begin(Open::Thinking, Opening::Thinking, into);
                }
                self.delta(Delta::Signature(signature.to_string()), into);
                self.close(into);
            }
        }
    }

    /// Text of a kind that needs no care: opened if it is not open yet.
    fn plain(&mut self, kind: Open, text: &str, into: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if let Some(Open::Call(live)) = self.open {
            let whole = self.calls.get(live).is_none_or(|call| call.extent.whole);
            if !whole {
                match self.late.last_mut() {
                    Some((last, held)) if *last == kind => held.push_str(text),
                    _ => self.late.push((kind, text.to_owned())),
                }
                return;
            }
        }
        self.catch_up(into);
        if self.open != Some(kind) {
            let part = match kind {
                Open::Thinking => Opening::Thinking,
                Open::Refusal => Opening::Refusal,
                _ => Opening::Text,
            };
            self.begin(kind, part, into);
        }
        let delta = match kind {
            Open::Thinking => {
                self.thought.push_str(text);
                Delta::Thinking(text.to_owned())
            }
            Open::Refusal => Delta::Refusal(text.to_owned()),
            _ => Delta::Text(text.to_owned()),
        };
        self.delta(delta, into);
    }

    /// Tells what had to wait for the end of a call.
    fn catch_up(&mut self, into: &mut Vec<Event>) {
        for (kind, text) in std::mem::take(&mut self.late) {
            self.plain(kind, &text, into);
        }
    }

    fn begin(&mut self, kind: Open, part: Opening, into: &mut Vec<Event>) {
        self.close(into);
        self.thought.clear();
        self.open = Some(kind);
        into.push(Event::Open { index: self.next, part });
        self.next += 1;
    }

    fn delta(&self, delta: Delta, into: &mut Vec<Event>) {
        into.push(Event::Delta { index: self.next.saturating_sub(1), delta });
    }

    fn close(&mut self, into: &mut Vec<Event>) {
        let Some(open) = self.open.take() else { return };
        if let Open::Call(live) = open
            && let Some(call) = self.calls.get_mut(live)
        {
            call.done = true;
        }
        self.thought.clear();
        into.push(Event::Close { index: self.next.saturating_sub(1) });
    }

    fn called(&mut self, called: &Called<'_>, into: &mut Vec<Event>) {
        let id = called.id.as_deref().unwrap_or_default();
        let function = called.function.as_ref();
        let name = function.and_then(|function| function.name.as_deref()).unwrap_or_default();
        let arguments = assistant::arguments(function.and_then(|function| function.arguments));
        let arguments = if arguments == "null" { String::new() } else { arguments };
        let Some(place) = self.which(called.index, id, name, &arguments) else { return };
        if let Some(call) = self.calls.get_mut(place) {
            if call.name.is_empty() {
                name.clone_into(&mut call.name);
            }
            if call.signature.is_none() {
                call.signature = assistant::signature(called.extra_content);
            }
            call.extent.feed(&arguments);
            call.arguments.push_str(&arguments);
        }
        self.advance(false, into);
    }

    /// The call that a delta belongs to, a new one where it begins one; `None` for one that was told before.
    fn which(&mut self, index: Option<u64>, id: &str, name: &str, arguments: &str) -> Option<usize> {
        let known = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index),
            None if !id.is_empty() => self.calls.iter().rposition(|call| call.id == id),
            None if !name.is_empty() => None,
            None => self.calls.len().checked_sub(1),
        };
        if let Some(place) = known
            && let Some(call) = self.calls.get(place)
        {
            let named = !name.is_empty() && !call.name.is_empty();
            let same_id = id.is_empty() || id == call.id;
            let whole = call.extent.whole;
            if named && whole && same_id && name == call.name && arguments == call.arguments {
                return None;
            }
            let other = named && (!same_id || (whole && (name != call.name || !arguments.trim().is_empty())));
            if !other {
                return Some(place);
            }
        }
        let taken = self.calls.iter().any(|call| call.id == id);
        let id = answer_in::unique(&self.id, id.to_owned(), self.calls.len(), taken);
        self.calls.push(Call { index, id, ..Call::default() });
        Some(self.calls.len() - 1)
    }

    /// Hands on what can be: the open call's arguments, then the next call once that one is whole.
    fn advance(&mut self, all: bool, into: &mut Vec<Event>) {
        loop {
            if let Some(Open::Call(live)) = self.open {
                let waiting = self
                    .calls
                    .iter()
                    .enumerate()
                    .any(|(place, call)| place != live && !call.done && !call.name.is_empty());
                let Some(call) = self.calls.get_mut(live) else { return };
                if let Some(text) = call.arguments.get(call.sent..).filter(|text| !text.is_empty()) {
                    let text = text.to_owned();
                    call.sent = call.arguments.len();
                    into.push(Event::Delta {
                        index: self.next.saturating_sub(1),
                        delta: Delta::Arguments(text),
                    });
                }
                let whole = self.calls.get(live).is_some_and(|call| call.extent.whole);
                if !(all || (whole && waiting)) {
                    return;
                }
                self.close(into);
                self.catch_up(into);
            }
            let next = self.calls.iter().position(|call| !call.done && !call.name.is_empty());
            let Some(place) = next else { return };
            let Some(call) = self.calls.get(place) else { return };
            let part = Opening::ToolCall {
                id: call.id.clone(),
                name: call.name.clone(),
                signature: call.signature.clone(),
            };
            let mut splitter = std::mem::take(&mut self.splitter);
            splitter.finish(|piece| self.piece(piece, into));
            self.splitter = splitter;
            self.begin(Open::Call(place), part, into);
        }
    }

    /// The provider said that this is all.
    pub(super) fn end(&mut self, into: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.finish(|piece| self.piece(piece, into));
        self.advance(true, into);
        if self.calls.iter().any(|call| call.name.is_empty()) {
            let fault = Fault::new(FaultKind::Internal, "the provider called a tool without naming it");
            return self.fail(Fault { status: 200, ..fault }, into);
        }
        self.catch_up(into);
        self.close(into);
        self.over = true;
        let finish = answer_in::by_word(self.finish.as_deref(), !self.calls.is_empty());
        // A stream that ends without a single chunk has said nothing.
        if self.started {
            into.push(Event::Finish { finish, stop_sequence: None });
        }
        into.push(Event::End);
    }
}
