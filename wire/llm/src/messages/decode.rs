//! A provider's frames as events.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{answer_in, usage::Wire};
use crate::{
    Decode, Delta, Dialect, Event, Fault, FaultKind, Opening, Usage, fault, json,
    read::{At, Fields, Text},
    sse::{Frame, Parser, TooLong},
};

#[derive(Debug, Default)]
pub(super) struct Decoder {
    parser: Parser,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    over: bool,
    next: usize,
    open: Option<Open>,
    calls: bool,
    reason: Option<String>,
    sequence: Option<String>,
    used: Option<Wire>,
}

#[derive(Debug)]
enum Open {
    Text,
    Thinking,
    Call,
    /// A call's input that came whole with its beginning is told if no piece follows.
    Given(String),
    /// A block only Anthropic understands, gathered until it is whole.
    Opaque {
        block: Box<RawValue>,
        input: String,
        text: String,
    },
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    #[serde(rename = "message")]
    begun: Option<Begun<'a>>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<Piece<'a>>,
    usage: Option<Wire>,
}

#[derive(Debug, Deserialize)]
struct Begun<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    usage: Option<Wire>,
}

/// Every kind of delta at once; `stop_reason` is the last frame's.
#[derive(Debug, Deserialize)]
struct Piece<'a> {
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    partial_json: Option<Text<'a>>,
    #[serde(borrow)]
    citation: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    stop_sequence: Option<Text<'a>>,
}

impl Decode for Decoder {
    fn push(&mut self, bytes: &[u8], into: &mut Vec<Event>) {
        let state = &mut self.state;
        let told = self.parser.push(bytes, |frame| state.frame(&frame, false, into));
        if let Err(TooLong(limit)) = told {
            self.state.fail(&format!("an event of the provider's stream is longer than {limit} bytes"), into);
        }
    }

    /// Only `message_stop` is an end.
    fn finish(&mut self, into: &mut Vec<Event>) {
        let state = &mut self.state;
        if let Err(TooLong(_)) = self.parser.finish(|frame| state.frame(&frame, true, into)) {
            self.state.over = true;
        }
    }
}

impl State {
    /// `last` forgives what is no JSON: the body was cut inside of it.
    fn frame(&mut self, frame: &Frame<'_>, last: bool, into: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let (name, data) = match frame {
            Frame::Comment => return into.push(Event::Ping),
            Frame::Event { name, data } => (*name, data.trim()),
        };
        // Some servers end as OpenAI does; it says nothing here.
        if data.is_empty() || data == "[DONE]" {
            return;
        }
        if name == "error" {
            return self.fault(data, into);
        }
        match serde_json::from_str::<Message<'_>>(data) {
            Ok(message) => self.message(&message, data, into),
            Err(_) if last => {}
            Err(_) if fault_like(data) => self.fault(data, into),
            Err(error) => {
                self.fail(&format!("the provider's stream holds no event of messages: {error}"), into);
            }
        }
    }

    fn message(&mut self, message: &Message<'_>, data: &str, into: &mut Vec<Event>) {
        // A server that forgets to begin.
        if !self.started && message.r#type.starts_with("content_block_") {
            self.start(None, into);
        }
        match &*message.r#type {
            "message_start" => self.start(message.begun.as_ref(), into),
            "content_block_start" => {
                if let Some(raw) = message.content_block {
                    self.begin(raw, into);
                }
            }
            "content_block_delta" => {
                if let Some(piece) = &message.delta {
                    self.piece(piece, into);
                }
            }
            "content_block_stop" => self.close(into),
            "message_delta" => {
                if let Some(piece) = &message.delta {
                    let owned = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.to_string());
                    self.reason = owned(&piece.stop_reason).or(self.reason.take());
                    self.sequence = owned(&piece.stop_sequence).or(self.sequence.take());
                }
                self.usage(message.usage, into);
            }
            "message_stop" => self.end(into),
            "ping" => into.push(Event::Ping),
            "error" => self.fault(data, into),
            // "we may add new event types, and your code should handle unknown event types gracefully"
            _ => {}
        }
    }

    fn start(&mut self, begun: Option<&Begun<'_>>, into: &mut Vec<Event>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        // Before the start, so that whoever writes this dialect can tell it there.
        self.usage(begun.and_then(|begun| begun.usage), into);
        let text = |text: Option<&Text<'_>>| text.map(|text| text.to_string()).unwrap_or_default();
        into.push(Event::Start {
            id: text(begun.and_then(|begun| begun.id.as_ref())),
            model: text(begun.and_then(|begun| begun.model.as_ref())),
            created: None,
        });
    }

    fn usage(&mut self, used: Option<Wire>, into: &mut Vec<Event>) {
        let Some(used) = used else { return };
        let all = used.or(self.used.unwrap_or_default());
        if self.used != Some(all) {
            self.used = Some(all);
            into.push(Event::Usage(Usage::from(all)));
        }
    }

    fn begin(&mut self, raw: &RawValue, into: &mut Vec<Event>) {
        self.close(into);
        let at = At::Root;
        let Ok(mut block) = Fields::of(raw, &at) else { return };
        let mut text = |name: &str| block.owned(name, &at).ok().flatten().filter(|text| !text.is_empty());
        let kind = text("type").unwrap_or_default();
        match kind.as_str() {
            "text" => {
                self.open(Open::Text, Opening::Text, into);
                if let Some(text) = text("text") {
                    self.delta(Delta::Text(text), into);
                }
            }
            "thinking" => {
                self.open(Open::Thinking, Opening::Thinking, into);
                if let Some(text) = text("thinking") {
                    self.delta(Delta::Thinking(text), into);
                }
                if let Some(signature) = text("signature") {
                    self.delta(Delta::Signature(signature), into);
                }
            }
            "redacted_thinking" => {
                let data = text("data").unwrap_or_default();
                self.open(Open::Text, Opening::Redacted { data, id: None }, into);
                self.close(into);
            }
            "tool_use" => {
                self.calls = true;
                let (id, name) = (text("id").unwrap_or_default(), text("name").unwrap_or_default());
                let input =
                    block.take("input").map(|input| input.get().to_owned()).filter(|input| input != "{}");
                let open = input.map_or(Open::Call, Open::Given);
                self.open(open, Opening::ToolCall { id, name, signature: None }, into);
            }
            _ => {
                self.open =
                    Some(Open::Opaque { block: raw.to_owned(), input: String::new(), text: String::new() });
            }
        }
    }

    fn open(&mut self, open: Open, part: Opening, into: &mut Vec<Event>) {
        self.open = Some(open);
        into.push(Event::Open { index: self.next, part });
        self.next += 1;
    }

    fn delta(&self, delta: Delta, into: &mut Vec<Event>) {
        into.push(Event::Delta { index: self.next.saturating_sub(1), delta });
    }

    /// A piece whose block never began begins it, so that nothing of it is lost.
    fn piece(&mut self, piece: &Piece<'_>, into: &mut Vec<Event>) {
        if let Some(Open::Opaque { input, text, .. }) = &mut self.open {
            input.push_str(piece.partial_json.as_deref().unwrap_or_default());
            text.push_str(piece.text.as_deref().unwrap_or_default());
            return;
        }
        if let Some(text) = piece.text.as_ref().filter(|text| !text.is_empty()) {
            self.within(Open::Text, into);
            self.delta(Delta::Text(text.to_string()), into);
        }
        if let Some(text) = piece.thinking.as_ref().filter(|text| !text.is_empty()) {
            self.within(Open::Thinking, into);
            self.delta(Delta::Thinking(text.to_string()), into);
        }
        if let Some(text) = piece.signature.as_ref().filter(|text| !text.is_empty()) {
            self.within(Open::Thinking, into);
            self.delta(Delta::Signature(text.to_string()), into);
        }
        if let Some(citation) = piece.citation {
            self.within(Open::Text, into);
            let json = citation.get().to_owned();
            self.delta(Delta::Note { dialect: Dialect::Messages, json }, into);
        }
        if let Some(text) = piece.partial_json.as_ref().filter(|text| !text.is_empty())
            && matches!(self.open, Some(Open::Call | Open::Given(_)))
        {
            self.open = Some(Open::Call);
            self.delta(Delta::Arguments(text.to_string()), into);
        }
    }

    fn within(&mut self, kind: Open, into: &mut Vec<Event>) {
        let (same, part) = match kind {
            Open::Thinking => (matches!(self.open, Some(Open::Thinking)), Opening::Thinking),
            _ => (matches!(self.open, Some(Open::Text)), Opening::Text),
        };
        if !same {
            self.close(into);
            self.open(kind, part, into);
        }
    }

    fn close(&mut self, into: &mut Vec<Event>) {
        match self.open.take() {
            None => return,
            Some(Open::Given(input)) => self.delta(Delta::Arguments(input), into),
            Some(Open::Opaque { block, input, text }) => {
                let json = whole(block, &input, &text);
                into.push(Event::Open {
                    index: self.next,
                    part: Opening::Opaque { dialect: Dialect::Messages, json },
                });
                self.next += 1;
            }
            Some(_) => {}
        }
        into.push(Event::Close { index: self.next.saturating_sub(1) });
    }

    fn end(&mut self, into: &mut Vec<Event>) {
        self.close(into);
        self.over = true;
        let finish = answer_in::finish(self.reason.as_deref(), self.calls);
        if self.started {
            into.push(Event::Finish { finish, stop_sequence: self.sequence.take() });
        }
        into.push(Event::End);
    }

    fn fault(&mut self, data: &str, into: &mut Vec<Event>) {
        self.over = true;
        into.push(Event::Fault(fault::read(200, data.as_bytes())));
    }

    fn fail(&mut self, message: &str, into: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.over, true) {
            into.push(Event::Fault(Fault { status: 200, ..Fault::new(FaultKind::Internal, message) }));
        }
    }
}

/// OpenAI's in-band failure, behind a server that should speak Anthropic's.
fn fault_like(data: &str) -> bool {
    Fields::read(data, &At::Root).is_ok_and(|fields| fields.peek("error").is_some())
}

/// The block as it would have come in one piece.
fn whole(block: Box<RawValue>, input: &str, text: &str) -> Box<RawValue> {
    if input.is_empty() && text.is_empty() {
        return block;
    }
    let Ok(mut fields) = Fields::of(&block, &At::Root) else { return block };
    let input = Some(input).filter(|input| json::is_object(input));
    if input.is_some() {
        fields.take("input");
    }
    if !text.is_empty() {
        fields.take("text");
    }
    let mut out = Vec::new();
    {
        let mut object = json::Object::new(&mut out);
        object.fields(fields.rest().iter().map(|(name, raw)| (name.as_str(), raw)));
        if let Some(input) = input {
            object.raw("input", input);
        }
        if !text.is_empty() {
            object.string("text", text);
        }
    }
    json::raw(String::from_utf8_lossy(&out).into_owned())
}
