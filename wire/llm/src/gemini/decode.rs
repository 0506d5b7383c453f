//! Streams of a provider of this dialect: each event is a piece of the answer in the shape of a whole one.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{finish_of, usage};
use crate::fields::Fields;
use crate::read::Text;
use crate::sse::{Frame, Parser, TooLong};
use crate::{Decode, Delta, Dialect, Event, Fault, FaultKind, Finish, Opening, Raw, Usage, fault, ids};

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
    finished: bool,
    calls: usize,
    id: String,
    open: Option<Kind>,
    index: usize,
    usage: Option<Usage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow, default)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow, default)]
    usage_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model_version: Option<Text<'a>>,
    #[serde(borrow, default)]
    response_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    prompt_feedback: Option<Feedback<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    parts: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow, default)]
    block_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(default)]
    thought: bool,
    #[serde(borrow, default)]
    thought_signature: Option<Text<'a>>,
    #[serde(borrow, default)]
    function_call: Option<Call<'a>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    args: Option<&'a RawValue>,
}

impl Decode for Decoder {
    fn push(&mut self, bytes: &[u8], into: &mut Vec<Event>) {
        let state = &mut self.state;
        let result = self.frames.push(bytes, |frame| state.frame(frame, false, into));
        state.judged(result, into);
    }

    /// This API has no last word of its own: it is complete when a reason for its end was given.
    fn finish(&mut self, into: &mut Vec<Event>) {
        let state = &mut self.state;
        let result = self.frames.finish(|frame| state.frame(frame, true, into));
        state.judged(result, into);
        state.close(into);
        if state.finished && !std::mem::replace(&mut state.over, true) {
            into.push(Event::End);
        }
    }
}

impl State {
    fn judged(&mut self, result: Result<(), TooLong>, into: &mut Vec<Event>) {
        if let Err(error) = result {
            self.broken(Fault { status: 200, ..Fault::new(FaultKind::Internal, error.to_string()) }, into);
        }
    }

    /// The `last` one is forgiven for being no JSON: the body was cut inside of it.
    fn frame(&mut self, frame: Frame<'_>, last: bool, into: &mut Vec<Event>) {
        if self.over {
            return;
        }
        match frame {
            Frame::Comment => into.push(Event::Ping),
            Frame::Event { data, .. } if data.is_empty() || data == "[DONE]" => {}
            Frame::Event { data, .. } => match serde_json::from_str::<Chunk<'_>>(&data) {
                Ok(chunk) if chunk.error.is_some() => self.broken(fault::read(200, data.as_bytes()), into),
                Ok(chunk) => self.chunk(chunk, into),
                Err(_) if last => {}
                Err(error) => {
                    let message = format!("an event is not of this API: {error}");
                    self.broken(Fault { status: 200, ..Fault::new(FaultKind::Internal, message) }, into);
                }
            },
        }
    }

    /// What follows cannot be trusted any more.
    fn broken(&mut self, fault: Fault, into: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.over, true) {
            self.close(into);
            into.push(Event::Fault(fault));
        }
    }

    fn chunk(&mut self, chunk: Chunk<'_>, into: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            self.id = chunk.response_id.map(|id| id.0.into_owned()).unwrap_or_default();
            let model = chunk.model_version.map(|model| model.0.into_owned()).unwrap_or_default();
            into.push(Event::Start { id: self.id.clone(), model, created: None });
        }
        let told = chunk.usage_metadata.and_then(|raw| Fields::google(raw, String::new()).ok());
        if let Some(Ok(told)) = told.map(usage) {
            let told = self.usage.map_or(told, |earlier| told.or(earlier));
            if self.usage.replace(told) != Some(told) {
                into.push(Event::Usage(told));
            }
        }
        if chunk.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
            self.end(Finish::Refused, into);
        }
        // Only the first of several candidates can be followed.
        for candidate in chunk.candidates.into_iter().flatten().filter(|candidate| candidate.index == 0) {
            for raw in candidate.content.into_iter().flat_map(|content| content.parts) {
                self.piece(raw, into);
            }
            if let Some(word) = candidate.finish_reason {
                let finish = match finish_of(&word) {
                    Finish::Stop if self.calls > 0 => Finish::ToolCalls,
                    other => other,
                };
                self.end(finish, into);
            }
        }
    }

    fn end(&mut self, finish: Finish, into: &mut Vec<Event>) {
        self.close(into);
        if !std::mem::replace(&mut self.finished, true) {
            into.push(Event::Finish { finish, stop_sequence: None });
        }
    }

    fn piece(&mut self, raw: &RawValue, into: &mut Vec<Event>) {
        if self.finished {
            return;
        }
        let Ok(piece) = serde_json::from_str::<Piece<'_>>(raw.get()) else { return self.whole(raw, into) };
        let signature = piece.thought_signature.map(|signature| signature.0.into_owned());
        match (piece.text, piece.function_call) {
            (_, Some(call)) => self.call(call, signature, into),
            (Some(text), None) if piece.thought => {
                if !text.is_empty() || signature.is_some() {
                    self.say(Kind::Thinking, Delta::Thinking(text.0.into_owned()), into);
                }
                if let Some(signature) = signature {
                    into.push(Event::Delta { index: self.index, delta: Delta::Signature(signature) });
                    self.close(into);
                }
            }
            (Some(text), None) => {
                if !text.is_empty() {
                    self.say(Kind::Text, Delta::Text(text.0.into_owned()), into);
                }
                if let Some(signature) = signature {
                    self.close(into);
                    self.say(Kind::Thinking, Delta::Signature(signature), into);
                    self.close(into);
                }
            }
            (None, None) => self.whole(raw, into),
        }
    }

    fn say(&mut self, kind: Kind, delta: Delta, into: &mut Vec<Event>) {
        if self.open != Some(kind) {
            self.close(into);
            let part = if kind == Kind::Text { Opening::Text } else { Opening::Thinking };
            into.push(Event::Open { index: self.index, part });
            self.open = Some(kind);
        }
        if !matches!(&delta, Delta::Thinking(text) if text.is_empty()) {
            into.push(Event::Delta { index: self.index, delta });
        }
    }

    fn call(&mut self, call: Call<'_>, signature: Option<String>, into: &mut Vec<Event>) {
        self.close(into);
        let given = call.id.map(|id| id.0.into_owned()).filter(|id| !id.is_empty());
        let id = given.unwrap_or_else(|| ids::make(&self.id, self.calls));
        self.calls += 1;
        let index = self.index;
        let part = Opening::ToolCall { id, name: call.name.0.into_owned(), signature };
        into.push(Event::Open { index, part });
        let arguments = call.args.map_or("{}", RawValue::get).to_owned();
        into.push(Event::Delta { index, delta: Delta::Arguments(arguments) });
        into.push(Event::Close { index });
        self.index += 1;
    }

    /// A part of a kind this form has no word for.
    fn whole(&mut self, raw: &RawValue, into: &mut Vec<Event>) {
        self.close(into);
        let json: Raw = raw.to_owned();
        into.push(Event::Open {
            index: self.index,
            part: Opening::Opaque { dialect: Dialect::Gemini, json },
        });
        into.push(Event::Close { index: self.index });
        self.index += 1;
    }

    fn close(&mut self, into: &mut Vec<Event>) {
        if self.open.take().is_some() {
            into.push(Event::Close { index: self.index });
            self.index += 1;
        }
    }
}
