//! What passes by, read beside the bytes: tokens, the end, failures. Nothing is built and nothing is changed.

mod answer;
mod stream;

pub(crate) use answer::{Judged, broken, is_repetition, judge};
pub(crate) use stream::Scanner;

use std::borrow::Cow;

use sanctum_llm::{Dialect, Fault, FaultKind, Usage};
use serde::Deserialize;

/// Tokens as any of the dialects tells them.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Counted {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<InputDetails>,
    #[serde(default)]
    completion_tokens_details: Option<OutputDetails>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation: Option<Creation>,
    #[serde(default)]
    input_tokens_details: Option<InputDetails>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct Creation {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

impl Counted {
    /// Adds what this says to what is known: a later word never forgets an earlier one.
    pub(crate) fn into_usage(self, dialect: Dialect, known: &mut Option<Usage>) {
        let usage = known.get_or_insert_with(Usage::default);
        if dialect == Dialect::Messages {
            let cached = self.cache_read_input_tokens;
            let written = self.cache_creation_input_tokens;
            let (short, hour) = self.cache_creation.map_or((None, None), |creation| {
                (creation.ephemeral_5m_input_tokens, creation.ephemeral_1h_input_tokens)
            });
            if let Some(fresh) = self.input_tokens {
                let hour = hour.unwrap_or(0);
                let short = short.unwrap_or_else(|| written.unwrap_or(0).saturating_sub(hour));
                // Anthropic's `input_tokens` leaves out what was read from and written to the cache.
                let input = fresh + cached.unwrap_or(0) + short + hour;
                if input >= usage.input {
                    (usage.input, usage.cached) = (input, cached.unwrap_or(0));
                    (usage.written_5m, usage.written_1h) = (short, hour);
                }
            }
            usage.output = self.output_tokens.unwrap_or(0).max(usage.output);
            return;
        }
        usage.input = self.prompt_tokens.or(self.input_tokens).unwrap_or(0).max(usage.input);
        usage.output = self.completion_tokens.or(self.output_tokens).unwrap_or(0).max(usage.output);
        let input = self.prompt_tokens_details.or(self.input_tokens_details).unwrap_or_default();
        let output = self.completion_tokens_details.or(self.output_tokens_details).unwrap_or_default();
        usage.cached = input.cached_tokens.unwrap_or(0).max(usage.cached);
        usage.reasoning = output.reasoning_tokens.unwrap_or(0).max(usage.reasoning);
    }
}

/// A failure inside of an answer that looked good.
#[derive(Debug, Deserialize)]
pub(crate) struct Inside<'a> {
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    code: Option<Code>,
    #[serde(borrow, default)]
    param: Option<Cow<'a, str>>,
}

/// OpenRouter says a number where OpenAI says a word.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Code {
    Number(u16),
    Word(String),
}

impl Inside<'_> {
    pub(crate) fn fault(self) -> Fault {
        let (number, word) = match self.code {
            Some(Code::Number(number)) => (Some(number), None),
            Some(Code::Word(word)) => (None, Some(word)),
            None => (None, None),
        };
        let kind = self.kind.as_deref().unwrap_or_default();
        let kind = match (kind, number) {
            ("overloaded_error", _) | (_, Some(529 | 503)) => FaultKind::Overloaded,
            ("rate_limit_error" | "rate_limit_exceeded", _) | (_, Some(429)) => FaultKind::RateLimited,
            ("invalid_request_error", _) | (_, Some(400)) => FaultKind::Invalid,
            _ => FaultKind::Internal,
        };
        Fault {
            status: 200,
            kind,
            word: self.kind.map(Cow::into_owned),
            code: word,
            param: self.param.map(Cow::into_owned),
            message: self.message.map_or_else(|| "the provider failed".to_owned(), Cow::into_owned),
            request_id: None,
        }
    }
}

/// How an answer says that it ended, in the words of the usage log.
pub(crate) fn finish_word(word: &str) -> crate::usage::Finish {
    use crate::usage::Finish;
    match word {
        "stop" | "end_turn" | "stop_sequence" | "completed" | "STOP" => Finish::Stop,
        "length" | "max_tokens" | "incomplete" | "model_context_window_exceeded" | "MAX_TOKENS" => {
            Finish::Length
        }
        "tool_calls" | "function_call" | "tool_use" => Finish::ToolCalls,
        "content_filter" | "refusal" | "SAFETY" => Finish::Declined,
        "pause_turn" => Finish::Paused,
        "error" | "failed" => Finish::Error,
        _ => Finish::Other,
    }
}
