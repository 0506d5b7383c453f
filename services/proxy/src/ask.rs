//! What is asked, as far as routing needs it: kept after the bytes have been sealed.

use std::ops::Range;

use sanctum_llm::Dialect;
use sanctum_llm::view::{Marks, Shape, View};

use crate::upstream::Endpoint;

/// The API a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Chat,
    Messages,
    Responses,
    CountTokens,
    Embeddings,
    Speech,
}

impl Api {
    /// Its word in the usage log.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Messages => "messages",
            Self::Responses => "responses",
            Self::CountTokens => "count-tokens",
            Self::Embeddings => "embeddings",
            Self::Speech => "speech",
        }
    }

    /// The dialect of its errors, and of its requests where they are completions.
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Messages | Self::CountTokens => Dialect::Messages,
            Self::Responses => Dialect::Responses,
            Self::Chat | Self::Embeddings | Self::Speech => Dialect::Chat,
        }
    }

    pub(crate) const fn shape(self) -> Shape {
        match self {
            Self::Chat => Shape::Chat,
            Self::Messages | Self::CountTokens => Shape::Messages,
            Self::Responses => Shape::Responses,
            Self::Embeddings => Shape::Embeddings,
            Self::Speech => Shape::Speech,
        }
    }

    pub(crate) const fn completes(self) -> bool {
        matches!(self, Self::Chat | Self::Messages | Self::Responses)
    }

    /// What is asked of a provider that is to be spoken to in `dialect`.
    pub(crate) const fn endpoint(self, dialect: Dialect) -> Endpoint {
        match self {
            Self::Chat | Self::Messages | Self::Responses => Endpoint::Complete(dialect),
            Self::CountTokens => Endpoint::CountTokens,
            Self::Embeddings => Endpoint::Embeddings,
            Self::Speech => Endpoint::Speech,
        }
    }
}

/// A request without its words.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) api: Api,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) choices: u64,
    /// Tokens of the prompt, more rather than less.
    pub(crate) input: u64,
    pub(crate) tools: bool,
    pub(crate) images: bool,
    pub(crate) signed: bool,
    /// Some of it was sealed in this house for a client whose provider was another one.
    pub(crate) sealed: bool,
    /// The model is to think.
    pub(crate) thinks: bool,
    pub(crate) marks: Marks,
    /// The client wants the tokens counted in its stream.
    pub(crate) wants_usage: bool,
    pub(crate) places: Places,
}

/// Where in the body things stand that may have to change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    pub(crate) model: Range<usize>,
    pub(crate) stream: Option<Range<usize>>,
    /// And whether there is nothing in it.
    pub(crate) stream_options: Option<(Range<usize>, bool)>,
    pub(crate) include_usage: Option<(bool, Range<usize>)>,
}

/// Bytes of JSON for one token of the prompt: the least that tokenizers of the time make of prose and programs.
const BYTES_A_TOKEN: usize = 3;
/// Tokens of a picture or a page, when it is not said: Anthropic's largest picture is about 1,600.
const ATTACHMENT: u64 = 1_700;

impl Ask {
    pub(crate) fn of(api: Api, view: &View<'_>) -> Self {
        let (model, at) = view.model.clone().unwrap_or_default();
        let words = view.len.saturating_sub(view.attached) / BYTES_A_TOKEN;
        let attachments = (view.attachments as u64).saturating_mul(ATTACHMENT);
        // A document is read whole: its base64 may hold a text of three quarters of its size.
        let pages = if view.attachments > view.images { view.attached / 4 } else { 0 };
        Self {
            api,
            model: model.into_owned(),
            stream: view.stream && api.completes(),
            max_tokens: view.max_tokens.as_ref().map(|(most, _)| *most),
            choices: view.choices,
            input: (words + pages) as u64 + attachments + 8,
            tools: !view.tools.is_empty(),
            images: view.images > 0,
            signed: view.signed,
            sealed: false,
            thinks: view.thinking,
            marks: view.marks,
            wants_usage: view.include_usage.as_ref().is_some_and(|(on, _)| *on),
            places: Places {
                model: at,
                stream: view.stream_at.clone(),
                stream_options: view.stream_options_at.clone(),
                include_usage: view.include_usage.clone(),
            },
        }
    }

    /// What comes with it from before counts as if it stood there.
    pub(crate) fn grow(&mut self, whole: &Self) {
        self.input = self.input.max(whole.input);
        self.tools |= whole.tools;
        self.images |= whole.images;
        self.signed |= whole.signed;
    }
}
