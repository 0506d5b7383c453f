//! What a dialect must be able to do, and the table of those there are.

use crate::{Answer, Event, Fault, Request};

/// A language of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI's `/v1/chat/completions`.
    Chat,
    /// OpenAI's `/v1/responses`.
    Responses,
    /// Anthropic's `/v1/messages`.
    Messages,
    /// Google's `models/*:generateContent`.
    Gemini,
}

impl Dialect {
    pub const ALL: [Self; 4] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini];

    /// The table: one line for each dialect, one folder behind it.
    pub fn codec(self) -> &'static dyn Codec {
        match self {
            Self::Chat => &crate::chat::Chat,
            Self::Responses => &crate::responses::Responses,
            Self::Messages => &crate::messages::Messages,
            Self::Gemini => &crate::gemini::Gemini,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
        }
    }
}

/// Bytes of a dialect, and what could not be said in it.
#[derive(Debug, Clone, Default)]
pub struct Written {
    pub body: Vec<u8>,
    pub losses: Vec<Loss>,
}

/// Something the source said and the target has no word for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// Where it stood, as a path of the neutral or the source form: `seed`, `messages[3].content[0]`.
    pub what: String,
    /// What became of it: `dropped`, `as text`, `clamped to 1`.
    pub became: String,
}

/// Why bytes are not of this dialect; names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}{}{reason}", if field.is_empty() { "" } else { ": " })]
pub struct Malformed {
    /// A path such as `messages[2].content`; empty for the whole body.
    pub field: String,
    /// What is there and what is allowed, as a lower-case fragment.
    pub reason: String,
}

/// A dialect, read and written. Stateless; streams have their own state in [`Decode`] and [`Encode`].
pub trait Codec: Send + Sync + std::fmt::Debug {
    fn dialect(&self) -> Dialect;

    /// A client's request. Strict about what it understands (types, ranges, empty messages), tolerant of what it does not
    /// know: unknown fields are kept in `extra`, unknown blocks as opaque parts.
    fn read_request(&self, body: &[u8]) -> Result<Request, Malformed>;
    /// The body for a provider of this dialect.
    fn write_request(&self, request: &Request) -> Written;

    /// A provider's whole answer.
    fn read_answer(&self, body: &[u8]) -> Result<Answer, Malformed>;
    /// The body for a client of this dialect.
    fn write_answer(&self, answer: &Answer, asked: &Request) -> Written;

    /// A provider's failure; never fails itself, because providers answer with HTML too.
    fn read_fault(&self, status: u16, body: &[u8]) -> Fault;
    /// The body for a client of this dialect; `Fault::status` is the status to send.
    fn write_fault(&self, fault: &Fault) -> Vec<u8>;

    /// For a provider's stream.
    fn decoder(&self) -> Box<dyn Decode>;
    /// For a client's stream.
    fn encoder(&self, asked: &Request) -> Box<dyn Encode>;
}

/// Turns bytes of a provider's stream, split anywhere, into events.
pub trait Decode: Send {
    fn push(&mut self, bytes: &[u8], into: &mut Vec<Event>);
    /// The body has ended: what was left half is judged. No [`Event::End`] before or now means that it was cut.
    fn finish(&mut self, into: &mut Vec<Event>);
}

/// Turns events into bytes of a client's stream; each call writes whole frames only.
pub trait Encode: Send {
    fn event(&mut self, event: &Event, into: &mut Vec<u8>);
    /// What could not be said so far.
    fn losses(&mut self) -> Vec<Loss>;
    /// A comment or ping that keeps clients waiting.
    fn heartbeat(&mut self, into: &mut Vec<u8>);
}
