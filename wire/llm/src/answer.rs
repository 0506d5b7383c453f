//! What a model answers, in no dialect.

use crate::{Dialect, Part, Raw};

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The dialect it was read from; decides which of `extra`, of the notes and of the opaque parts can be written again.
    pub from: Dialect,
    pub id: String,
    pub model: String,
    /// Seconds since 1970, where the dialect says it.
    pub created: Option<i64>,
    pub parts: Vec<Part>,
    pub finish: Finish,
    /// The stop sequence that was met.
    pub stop_sequence: Option<String>,
    /// `None` when the provider said nothing about it.
    pub usage: Option<Usage>,
    /// Fields this form has no word for, named as in [`crate::extra`].
    pub extra: Vec<(String, Raw)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    Stop,
    StopSequence,
    Length,
    ToolCalls,
    /// A filter or the model's own refusal ended it.
    Refused,
    /// A long server-side turn may be continued (Anthropic's `pause_turn`).
    Paused,
    /// Any other word of the provider.
    Other(String),
}

/// Tokens of one request. `input` counts everything that was read, cached or not, as OpenAI does; Anthropic's
/// `input_tokens` leaves out what was read from and written to the cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    /// Of `input`: read from the provider's cache.
    pub cached: u64,
    /// Of `input`: written to the provider's cache for five minutes.
    pub written_5m: u64,
    /// Of `input`: written to the provider's cache for an hour.
    pub written_1h: u64,
    /// Everything that was generated, reasoning included.
    pub output: u64,
    /// Of `output`: reasoning.
    pub reasoning: u64,
}

/// A failure, as a provider or this house tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status; 200 for one that came inside a stream or an apparently good answer.
    pub status: u16,
    pub kind: FaultKind,
    /// The provider's own words for the kind (`type`, `status`), kept where the dialect can say them.
    pub word: Option<String>,
    /// OpenAI's `code`, such as `context_length_exceeded`.
    pub code: Option<String>,
    /// OpenAI's `param`.
    pub param: Option<String>,
    pub message: String,
    /// The provider's id of the request.
    pub request_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    Invalid,
    Unauthorized,
    Forbidden,
    NotFound,
    TooLarge,
    /// The prompt does not fit into the model's context.
    ContextLength,
    RateLimited,
    /// The money is gone: not worth a retry.
    Budget,
    Overloaded,
    Timeout,
    Internal,
}

impl Usage {
    /// What is known after a later report: it never takes back what an earlier one said.
    #[must_use]
    pub fn or(self, earlier: Self) -> Self {
        Self {
            input: self.input.max(earlier.input),
            cached: self.cached.max(earlier.cached),
            written_5m: self.written_5m.max(earlier.written_5m),
            written_1h: self.written_1h.max(earlier.written_1h),
            output: self.output.max(earlier.output),
            reasoning: self.reasoning.max(earlier.reasoning),
        }
    }
}
