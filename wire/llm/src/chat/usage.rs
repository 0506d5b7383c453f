//! Tokens as OpenAI counts them: what was read includes what was cached, what was generated includes reasoning.

use serde::Deserialize;

use crate::{Usage, json::Object};

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wire {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's word for cached.
    prompt_cache_hit_tokens: Option<u64>,
    /// LiteLLM's word for what was written to a cache.
    cache_creation_input_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    /// OpenRouter's word for what was written to a cache.
    cache_write_tokens: Option<u64>,
    /// LiteLLM's split of it.
    cache_creation_token_details: Option<Written>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Written {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl From<Wire> for Usage {
    fn from(wire: Wire) -> Self {
        let prompt = wire.prompt_tokens_details.unwrap_or_default();
        let split = prompt.cache_creation_token_details.unwrap_or_default();
        let written = prompt.cache_write_tokens.or(wire.cache_creation_input_tokens).unwrap_or(0);
        let written_1h = split.ephemeral_1h_input_tokens.unwrap_or(0);
        Self {
            input: wire.prompt_tokens.unwrap_or(0),
            cached: prompt.cached_tokens.or(wire.prompt_cache_hit_tokens).unwrap_or(0),
            written_5m: split.ephemeral_5m_input_tokens.unwrap_or(written.saturating_sub(written_1h)),
            written_1h,
            output: wire.completion_tokens.unwrap_or(0),
            reasoning: wire.completion_tokens_details.unwrap_or_default().reasoning_tokens.unwrap_or(0),
        }
    }
}

pub(super) fn write(usage: &Usage, into: &mut Vec<u8>) {
    let mut object = Object::new(into);
    object
        .count("prompt_tokens", usage.input)
        .count("completion_tokens", usage.output)
        .count("total_tokens", usage.input.saturating_add(usage.output));
    {
        let mut prompt = object.object("prompt_tokens_details");
        prompt.count("cached_tokens", usage.cached);
        let written = usage.written_5m.saturating_add(usage.written_1h);
        if written > 0 {
            prompt.count("cache_write_tokens", written);
        }
        if usage.written_1h > 0 {
            prompt
                .object("cache_creation_token_details")
                .count("ephemeral_5m_input_tokens", usage.written_5m)
                .count("ephemeral_1h_input_tokens", usage.written_1h);
        }
    }
    object.object("completion_tokens_details").count("reasoning_tokens", usage.reasoning);
}
