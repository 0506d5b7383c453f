//! Streams of a provider of this dialect.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer;
use crate::fields::{Fields, items, string};
use crate::order::Order;
use crate::sse::{Frame, Parser, TooLong};
use crate::{Decode, Delta, Dialect, Event, Fault, FaultKind, Opening, Part, fault};

/// A part of the output: the item's index, and 0 for the item itself or 1 + the index of a content part.
type Key = (u64, u64);

/// What came after an item of reasoning has a key of its own.
const AFTER: u64 = u64::MAX;

#[derive(Debug, Default)]
pub(super) struct Decoder {
    frames: Parser,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    /// Nothing that follows is believed.
    over: bool,
    calls: bool,
    faulted: bool,
    order: Order<Key>,
    /// How many bytes of each part came in pieces; what came in none is taken from the whole item.
    streamed: BTreeMap<Key, usize>,
    /// Parts whose annotations came one by one.
    noted: BTreeSet<Key>,
    items: usize,
}

/// Every event of this API; each kind uses a few of the fields.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<&'a RawValue>,
    #[serde(default)]
    output_index: u64,
    #[serde(default)]
    content_index: u64,
    #[serde(default)]
    summary_index: u64,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    part: Option<&'a RawValue>,
    #[serde(borrow, default)]
    annotation: Option<&'a RawValue>,
}

impl Decode for Decoder {
    fn push(&mut self, bytes: &[u8], into: &mut Vec<Event>) {
        let state = &mut self.state;
        let result = self.frames.push(bytes, |frame| state.frame(frame, false, into));
        state.judged(result, into);
    }

    fn finish(&mut self, into: &mut Vec<Event>) {
        let state = &mut self.state;
        let result = self.frames.finish(|frame| state.frame(frame, true, into));
        state.judged(result, into);
    }
}

impl State {
    fn judged(&mut self, result: Result<(), TooLong>, into: &mut Vec<Event>) {
        if let Err(error) = result {
            self.broken(error.to_string(), into);
        }
    }

    /// The `last` one is forgiven for being no JSON: the body was cut inside of it.
    fn frame(&mut self, frame: Frame<'_>, last: bool, into: &mut Vec<Event>) {
        if self.over {
            return;
        }
        match frame {
            Frame::Comment => into.push(Event::Ping),
            Frame::Event { data, .. } if data == "[DONE]" || data.is_empty() => {}
            Frame::Event { name, data } => match serde_json::from_str::<Wire<'_>>(&data) {
                Ok(wire) => {
                    let kind = wire.kind.and_then(string);
                    self.event(kind.as_deref().unwrap_or(name), &wire, &data, into);
                }
                Err(_) if last => {}
                Err(error) => self.broken(format!("an event is not of this API: {error}"), into),
            },
        }
    }

    /// What follows cannot be trusted any more.
    fn broken(&mut self, message: String, into: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.over, true) {
            self.order.close_all(into);
            into.push(Event::Fault(Fault { status: 200, ..Fault::new(FaultKind::Internal, message) }));
        }
    }

    fn event(&mut self, kind: &str, wire: &Wire<'_>, data: &str, into: &mut Vec<Event>) {
        let item = (wire.output_index, 0);
        let content = (wire.output_index, wire.content_index.saturating_add(1));
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(wire.response, into);
            }
            "response.output_item.added" => self.added(wire, into),
            "response.output_text.delta" => self.piece(content, Opening::Text, Delta::Text, wire.delta, into),
            "response.output_text.done" => self.rest(content, Opening::Text, Delta::Text, wire.text, into),
            "response.refusal.delta" => {
                self.piece(content, Opening::Refusal, Delta::Refusal, wire.delta, into);
            }
            "response.refusal.done" => {
                self.rest(content, Opening::Refusal, Delta::Refusal, wire.refusal, into);
            }
            "response.output_text.annotation.added" => {
                if let Some(note) = wire.annotation {
                    self.noted.insert(content);
                    self.add(content, Opening::Text, note_of(note), into);
                }
            }
            "response.reasoning_summary_part.added" if wire.summary_index > 0 => {
                self.add(item, Opening::Thinking, Delta::Thinking("\n\n".to_owned()), into);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.piece(item, Opening::Thinking, Delta::Thinking, wire.delta, into);
            }
            "response.function_call_arguments.delta" if self.order.has(&item) => {
                self.piece(item, Opening::Text, Delta::Arguments, wire.delta, into);
            }
            "response.function_call_arguments.done" if self.order.has(&item) => {
                self.rest(item, Opening::Text, Delta::Arguments, wire.arguments, into);
            }
            "response.content_part.done" => self.part_done(content, wire.part, into),
            "response.output_item.done" => {
                if let Some(raw) = wire.item {
                    self.done(wire.output_index, raw, into);
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                self.end(kind, wire.response, into);
            }
            "error" => self.error(data, into),
            _ => {}
        }
    }

    fn start(&mut self, response: Option<&RawValue>, into: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        let mut fields = response.and_then(|raw| Fields::of(raw, String::new()).ok()).unwrap_or_default();
        let mut word = |name: &str| fields.owned(name).ok().flatten().unwrap_or_default();
        let (id, model) = (word("id"), word("model"));
        into.push(Event::Start { id, model, created: answer::created(&mut fields) });
    }

    fn added(&mut self, wire: &Wire<'_>, into: &mut Vec<Event>) {
        self.start(None, into);
        self.items += 1;
        let Some(mut fields) = wire.item.and_then(|raw| Fields::of(raw, String::new()).ok()) else { return };
        let mut word = |name: &str| fields.owned(name).ok().flatten().unwrap_or_default();
        if word("type") == "function_call" {
            let part = Opening::ToolCall { id: word("call_id"), name: word("name"), signature: None };
            let arguments = word("arguments");
            self.calls = true;
            self.order.open((wire.output_index, 0), part, into);
            if !arguments.is_empty() {
                self.add((wire.output_index, 0), Opening::Text, Delta::Arguments(arguments), into);
            }
        }
    }

    fn part_done(&mut self, key: Key, part: Option<&RawValue>, into: &mut Vec<Event>) {
        let mut fields = part.and_then(|raw| Fields::of(raw, String::new()).ok()).unwrap_or_default();
        self.notes(key, fields.raw("annotations"), into);
        self.order.close(&key, into);
    }

    /// Annotations that did not come one by one.
    fn notes(&mut self, key: Key, notes: Option<&RawValue>, into: &mut Vec<Event>) {
        for note in notes.filter(|_| !self.noted.contains(&key)).and_then(items).unwrap_or_default() {
            self.order.delta(&key, note_of(note), into);
        }
    }

    fn piece(
        &mut self,
        key: Key,
        opening: Opening,
        delta: fn(String) -> Delta,
        raw: Option<&RawValue>,
        into: &mut Vec<Event>,
    ) {
        if let Some(text) = raw.and_then(string).filter(|text| !text.is_empty()) {
            self.add(key, opening, delta(text.into_owned()), into);
        }
    }

    /// The whole of a part, of which nothing came in pieces.
    fn rest(
        &mut self,
        key: Key,
        opening: Opening,
        delta: fn(String) -> Delta,
        raw: Option<&RawValue>,
        into: &mut Vec<Event>,
    ) {
        if !self.streamed.contains_key(&key) {
            self.piece(key, opening, delta, raw, into);
        }
    }

    fn add(&mut self, key: Key, opening: Opening, delta: Delta, into: &mut Vec<Event>) {
        self.start(None, into);
        if !self.order.has(&key) {
            if self.streamed.contains_key(&key) {
                return;
            }
            self.order.open(key, opening, into);
        }
        *self.streamed.entry(key).or_default() += 1;
        self.order.delta(&key, delta, into);
    }

    /// An item is complete: what did not come in pieces comes now.
    fn done(&mut self, index: u64, raw: &RawValue, into: &mut Vec<Event>) {
        self.start(None, into);
        let mut parts = Vec::new();
        let mut extra = Vec::new();
        if answer::item(raw, String::new(), &mut extra, &mut parts).is_err() {
            return self.broken("an item of the output is not of this API".to_owned(), into);
        }
        let mut content = 0;
        for part in parts {
            let key = (
                index,
                if matches!(part, Part::Text { .. } | Part::Refusal { .. }) { content + 1 } else { 0 },
            );
            content += key.1.min(1);
            self.whole(key, part, into);
        }
        // A part that came in pieces and is missing from the item ends all the same.
        let open: Vec<Key> = self.streamed.range((index, 0)..=(index, AFTER)).map(|(key, _)| *key).collect();
        for key in &open {
            self.order.close(key, into);
        }
        self.order.close(&(index, 0), into);
    }

    fn whole(&mut self, key: Key, part: Part, into: &mut Vec<Event>) {
        match part {
            Part::Text { text, notes, .. } => {
                self.unless_streamed(key, Opening::Text, Delta::Text(text), into);
                self.notes(key, notes.as_deref(), into);
            }
            Part::Refusal { text } => self.unless_streamed(key, Opening::Refusal, Delta::Refusal(text), into),
            Part::Thinking { text, signature } => {
                if !text.is_empty() {
                    self.unless_streamed(key, Opening::Thinking, Delta::Thinking(text), into);
                }
                if let Some(signature) = signature {
                    self.add(key, Opening::Thinking, Delta::Signature(signature), into);
                }
            }
            Part::ToolCall { id, name, arguments, signature, .. } => {
                if !self.order.has(&key) && !self.streamed.contains_key(&key) {
                    self.calls = true;
                    self.order.open(key, Opening::ToolCall { id, name, signature }, into);
                }
                if !arguments.is_empty() {
                    self.unless_streamed(key, Opening::Text, Delta::Arguments(arguments), into);
                }
            }
            Part::Redacted { data, id } => {
                self.order.close(&key, into);
                self.order.whole((key.0, AFTER), Opening::Redacted { data, id }, into);
                return;
            }
            Part::Opaque { json, .. } => {
                let opening = Opening::Opaque { dialect: Dialect::Responses, json };
                self.order.whole((key.0, AFTER), opening, into);
                return;
            }
            _ => {}
        }
        self.order.close(&key, into);
    }

    fn unless_streamed(&mut self, key: Key, opening: Opening, delta: Delta, into: &mut Vec<Event>) {
        if !self.streamed.contains_key(&key) {
            self.add(key, opening, delta, into);
        }
    }

    fn end(&mut self, kind: &str, response: Option<&RawValue>, into: &mut Vec<Event>) {
        self.start(response, into);
        let mut fields = response.and_then(|raw| Fields::of(raw, String::new()).ok()).unwrap_or_default();
        if self.items == 0
            && let Ok(Some(output)) = fields.list("output")
        {
            output.into_iter().zip(0..).for_each(|(raw, index)| self.done(index, raw, into));
        }
        self.order.close_all(into);
        if let Some(Ok(usage)) = fields.object("usage").ok().flatten().map(answer::usage) {
            into.push(Event::Usage(usage));
        }
        if kind == "response.failed" {
            if !self.faulted {
                let told = fields.raw("error").map_or("the response failed", RawValue::get);
                into.push(Event::Fault(fault::read(200, told.as_bytes())));
            }
        } else {
            let reason = fields.object("incomplete_details").ok().flatten();
            let reason = reason.and_then(|mut details| details.owned("reason").ok().flatten());
            let status = kind.strip_prefix("response.").unwrap_or_default();
            let finish = answer::finish_of(Some(status), reason.as_deref(), self.calls);
            into.push(Event::Finish { finish, stop_sequence: None });
        }
        into.push(Event::End);
        self.over = true;
    }

    /// An `error` event: its words stand beside `type`, or in an object of their own. A `response.failed` may follow.
    fn error(&mut self, data: &str, into: &mut Vec<Event>) {
        if std::mem::replace(&mut self.faulted, true) {
            return;
        }
        self.order.close_all(into);
        into.push(Event::Fault(fault::read(200, data.as_bytes())));
    }
}

fn note_of(raw: &RawValue) -> Delta {
    Delta::Note { dialect: Dialect::Responses, json: raw.get().to_owned() }
}
