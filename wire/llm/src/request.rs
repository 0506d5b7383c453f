//! What is asked of a model, in no dialect.

use serde_json::value::RawValue;

use crate::Dialect;

/// JSON as its author wrote it: key order, spaces and number forms are kept, because a prompt cache is keyed by bytes.
pub type Raw = Box<RawValue>;

/// One request for a completion.
#[derive(Debug, Clone)]
pub struct Request {
    /// The dialect it was read from; decides which of `extra` and of the opaque parts can be written again.
    pub from: Dialect,
    pub model: String,
    /// In the order of the conversation. Instructions stand where their author put them, as turns of [`Role::System`].
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    pub choice: Option<Choice>,
    /// Whether several tools may be called at once; `None` leaves it to the provider.
    pub parallel: Option<bool>,
    /// Most tokens of output, reasoning included.
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
    pub stop: Vec<String>,
    pub seed: Option<i64>,
    pub stream: bool,
    /// OpenAI's `stream_options.include_usage`; the other dialects always report usage.
    pub include_usage: bool,
    pub reasoning: Option<Reasoning>,
    pub format: Option<Format>,
    /// Who the end user is, as an opaque name.
    pub user: Option<String>,
    /// Fields this form has no word for, in their order, named as in [`crate::extra`].
    pub extra: Vec<(String, Raw)>,
}

#[derive(Debug, Clone)]
pub struct Turn {
    pub role: Role,
    pub parts: Vec<Part>,
    /// OpenAI's `name` of a participant.
    pub name: Option<String>,
    /// Fields of the message this form has no word for, named as in [`crate::extra`].
    pub extra: Vec<(String, Raw)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// OpenAI's `system` and `developer`, Anthropic's `system`, Gemini's `systemInstruction`.
    System,
    User,
    Assistant,
}

/// A piece of a turn or of an answer. Tool results are parts of a user's turn.
#[derive(Debug, Clone)]
pub enum Part {
    Text {
        text: String,
        cache: Option<Cache>,
        /// Citations or annotations, in the dialect of the request.
        notes: Option<Raw>,
    },
    Image {
        source: Source,
        /// OpenAI's `detail`: `low`, `high`, `auto`.
        detail: Option<String>,
        cache: Option<Cache>,
    },
    /// A PDF or a text file.
    Document {
        source: Source,
        name: Option<String>,
        cache: Option<Cache>,
    },
    Audio {
        source: Source,
    },
    ToolCall {
        id: String,
        name: String,
        /// The arguments as JSON text, verbatim; may be broken when a model broke them.
        arguments: String,
        /// Gemini's `thoughtSignature` of this call.
        signature: Option<String>,
        cache: Option<Cache>,
    },
    ToolResult {
        id: String,
        /// The function's name, where the dialect says it (Gemini).
        name: Option<String>,
        parts: Vec<Part>,
        error: bool,
        cache: Option<Cache>,
    },
    /// The model's reasoning, with its issuer's signature over it.
    Thinking {
        text: String,
        signature: Option<String>,
    },
    /// Reasoning its issuer does not show: Anthropic's `redacted_thinking`, OpenAI's `encrypted_content`.
    Redacted {
        data: String,
        id: Option<String>,
    },
    /// OpenAI's refusal.
    Refusal {
        text: String,
    },
    /// A block only its own dialect understands (server tools and their results, new kinds), verbatim.
    Opaque {
        dialect: Dialect,
        json: Raw,
    },
}

impl Part {
    /// Plain text without marks.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), cache: None, notes: None }
    }
}

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Url(String),
    /// Base64 as written by its author.
    Base64 {
        media: String,
        data: String,
    },
    /// Plain text (Anthropic's text documents).
    Text {
        media: String,
        text: String,
    },
    /// A file kept at the provider; means nothing to another one.
    File {
        id: String,
        dialect: Dialect,
    },
}

/// Anthropic's `cache_control`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// The default time to live: five minutes.
    Ephemeral,
    FiveMinutes,
    OneHour,
}

#[derive(Debug, Clone)]
pub enum Tool {
    Function {
        name: String,
        description: Option<String>,
        schema: Option<Raw>,
        strict: Option<bool>,
        cache: Option<Cache>,
    },
    /// A tool only its own dialect understands (`web_search`, `computer`, `namespace`), verbatim.
    Opaque { dialect: Dialect, json: Raw },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    Auto,
    None,
    /// At least one tool must be called.
    Required,
    Named(String),
}

/// How much the model should think.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// `Some(false)` asks for none.
    pub enabled: Option<bool>,
    /// The model decides (Anthropic's `adaptive`, Gemini's `thinkingBudget: -1`).
    pub adaptive: bool,
    pub effort: Option<Effort>,
    /// Tokens (Anthropic's `budget_tokens`, Gemini's `thinkingBudget`).
    pub budget: Option<u64>,
    /// Whether the answer shows it: OpenAI's `summary`, Gemini's `includeThoughts`, Anthropic's `display`.
    pub summary: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    /// OpenAI's `xhigh`, Anthropic's `max`.
    Max,
}

/// The shape the answer must have.
#[derive(Debug, Clone)]
pub enum Format {
    Text,
    JsonObject,
    JsonSchema { name: String, description: Option<String>, schema: Raw, strict: Option<bool> },
}
