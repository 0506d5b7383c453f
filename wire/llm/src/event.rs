//! A streamed answer, event by event, in no dialect.

use crate::{Dialect, Fault, Finish, Usage, request::Raw};

/// One step of a stream. A well-formed stream is `Start`, then for each part `Open`, `Delta`s, `Close` with rising
/// indices from 0 and no two parts open at once, then `Finish` and `End`; `Usage` and `Ping` may come anywhere. The
/// decoders repair what providers get wrong (interleaved or unnumbered tool calls), so that the encoders need not.
#[derive(Debug, Clone)]
pub enum Event {
    Start {
        id: String,
        model: String,
        created: Option<i64>,
    },
    Open {
        index: usize,
        part: Opening,
    },
    Delta {
        index: usize,
        delta: Delta,
    },
    Close {
        index: usize,
    },
    /// Cumulative: the last one counts, and a later one never forgets what an earlier one said.
    Usage(Usage),
    Finish {
        finish: Finish,
        stop_sequence: Option<String>,
    },
    Ping,
    /// The provider failed inside the stream; nothing but the end follows.
    Fault(Fault),
    /// The provider said that this is all (`[DONE]`, `message_stop`, `response.completed`). A body that ends without it was cut.
    End,
}

/// What kind of part begins.
#[derive(Debug, Clone)]
pub enum Opening {
    Text,
    Thinking,
    /// Complete in itself; no deltas follow.
    Redacted {
        data: String,
        id: Option<String>,
    },
    ToolCall {
        id: String,
        name: String,
        signature: Option<String>,
    },
    Refusal,
    /// Complete in itself; only its own dialect understands it.
    Opaque {
        dialect: Dialect,
        json: Raw,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    Text(String),
    Thinking(String),
    /// The signature of the thinking part that is open.
    Signature(String),
    /// A piece of the JSON text of a tool call's arguments, verbatim.
    Arguments(String),
    Refusal(String),
    /// A citation or annotation of the text that is open: one JSON object in its dialect's words.
    Note {
        dialect: Dialect,
        json: String,
    },
}
