//! A borrowed look at a request: what routing needs to know, found without building the document and without writing it
//! again, so that the client's bytes can go on as they came.

mod json;
mod walk;

use std::borrow::Cow;
use std::ops::Range;

use crate::{Dialect, Malformed};

/// What a body is a request for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Chat,
    Responses,
    Messages,
    Embeddings,
    Speech,
}

impl From<Dialect> for Shape {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Responses => Self::Responses,
            Dialect::Messages => Self::Messages,
            Dialect::Chat | Dialect::Gemini => Self::Chat,
        }
    }
}

/// Who said a text of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    System,
    User,
    Assistant,
    /// What a tool answered.
    Tool,
}

/// One text of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    pub voice: Voice,
    /// The message it belongs to, counted from the first; texts outside of messages belong to message 0.
    pub message: usize,
    pub text: Cow<'a, str>,
}

/// For how long the client asks the provider to keep the prompt (Anthropic's `cache_control`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Marks {
    #[default]
    None,
    Minutes,
    Hour,
}

/// What routing needs to know of a request. Spans are of bytes in the body.
#[derive(Debug, Clone, Default)]
pub struct View<'a> {
    /// The model's name, and where it stands with its quotes.
    pub model: Option<(Cow<'a, str>, Range<usize>)>,
    pub stream: bool,
    /// Where the value of `stream` stands.
    pub stream_at: Option<Range<usize>>,
    /// Where the object `stream_options` stands, braces included, and whether there is nothing in it.
    pub stream_options_at: Option<(Range<usize>, bool)>,
    /// OpenAI's `stream_options.include_usage`, and where its value stands.
    pub include_usage: Option<(bool, Range<usize>)>,
    /// The most tokens of output the client allows, and where the number stands.
    pub max_tokens: Option<(u64, Range<usize>)>,
    /// OpenAI's `n`; 1 when not given.
    pub choices: u64,
    /// Everything that is said, in the order of the conversation: also in tool calls and their results.
    pub texts: Vec<Text<'a>>,
    pub messages: usize,
    /// Names of the tools that are offered.
    pub tools: Vec<Cow<'a, str>>,
    /// Pictures, documents and sounds.
    pub attachments: usize,
    pub images: usize,
    /// Bytes of attachments that are in the body itself.
    pub attached: usize,
    /// Whether thinking is asked for.
    pub thinking: bool,
    /// Whether earlier thinking comes with its issuer's signature, which no other issuer accepts.
    pub signed: bool,
    pub marks: Marks,
    /// OpenAI's `previous_response_id`: the conversation before is kept at the provider.
    pub continues: bool,
    /// Bytes of the body.
    pub len: usize,
}

impl<'a> View<'a> {
    /// Looks at a body. Refuses what is no JSON, what says one thing twice, and what no provider could take: no model, no
    /// messages, a `stream` that is no truth value. Everything else is the provider's to judge.
    pub fn scan(shape: Shape, body: &'a [u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(body).map_err(|error| {
            malformed("", format!("the body is not UTF-8 at byte {}", error.valid_up_to()))
        })?;
        let mut view = Self { choices: 1, len: body.len(), ..Self::default() };
        walk::body(&mut view, shape, text)?;
        if view.model.is_none() {
            return Err(malformed("model", "you must provide a model"));
        }
        Ok(view)
    }

    /// The latest words of the user: the texts of the last message that has any of theirs.
    pub fn latest(&self) -> Cow<'_, str> {
        let Some(last) = self.texts.iter().rev().find(|text| text.voice == Voice::User) else {
            return Cow::Borrowed("");
        };
        let mut own =
            self.texts.iter().filter(|text| text.voice == Voice::User && text.message == last.message);
        match (own.next(), own.next()) {
            (Some(only), None) => Cow::Borrowed(&only.text),
            (Some(first), Some(second)) => {
                let mut all = first.text.to_string();
                for text in std::iter::once(second).chain(own) {
                    all.push('\n');
                    all.push_str(&text.text);
                }
                Cow::Owned(all)
            }
            (None, _) => Cow::Borrowed(""),
        }
    }

    /// Every other text, newest first; instructions are not among them.
    pub fn earlier(&self) -> Vec<&str> {
        let last = self.texts.iter().rev().find(|text| text.voice == Voice::User).map(|text| text.message);
        let others = self.texts.iter().rev().filter(|text| match text.voice {
            Voice::System => false,
            Voice::User => Some(text.message) != last,
            Voice::Assistant | Voice::Tool => true,
        });
        others.map(|text| &*text.text).collect()
    }

    /// The first instructions.
    pub fn system(&self) -> Option<&str> {
        self.texts.iter().find(|text| text.voice == Voice::System).map(|text| &*text.text)
    }
}

fn malformed(field: &str, reason: impl Into<String>) -> Malformed {
    Malformed { field: field.to_owned(), reason: reason.into() }
}
