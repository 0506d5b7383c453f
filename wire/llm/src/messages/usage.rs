//! Tokens as Anthropic counts them: `input_tokens` leaves out what was read from and written to the cache.

use serde::Deserialize;

use crate::{Usage, json::Object};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Wire {
    pub(super) input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<Written>,
    output_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Written {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

impl Written {
    fn is_some(&self) -> bool {
        self.ephemeral_5m_input_tokens.max(self.ephemeral_1h_input_tokens).unwrap_or(0) > 0
    }
}

/// The names of what is understood here.
pub(super) const KNOWN: [&str; 5] = [
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens",
];

impl Wire {
    /// A later report over an earlier one. What it says nothing of, or nothing but 0, stays: servers in between send zeros
    /// for what they told at the start, and estimates there for what they tell at the end.
    pub(super) fn or(self, earlier: Self) -> Self {
        let later = |now: Option<u64>, before: Option<u64>| now.filter(|now| *now > 0).or(before).or(now);
        Self {
            input_tokens: later(self.input_tokens, earlier.input_tokens),
            cache_creation_input_tokens: later(
                self.cache_creation_input_tokens,
                earlier.cache_creation_input_tokens,
            ),
            cache_read_input_tokens: later(self.cache_read_input_tokens, earlier.cache_read_input_tokens),
            cache_creation: self.cache_creation.filter(Written::is_some).or(earlier.cache_creation),
            output_tokens: later(self.output_tokens, earlier.output_tokens),
        }
    }
}

impl From<Wire> for Usage {
    fn from(wire: Wire) -> Self {
        let split = wire.cache_creation.unwrap_or_default();
        let written_1h = split.ephemeral_1h_input_tokens.unwrap_or(0);
        let written = wire
            .cache_creation_input_tokens
            .unwrap_or(0)
            .max(split.ephemeral_5m_input_tokens.unwrap_or(0).saturating_add(written_1h));
        let cached = wire.cache_read_input_tokens.unwrap_or(0);
        Self {
            input: wire.input_tokens.unwrap_or(0).saturating_add(cached).saturating_add(written),
            cached,
            written_5m: written.saturating_sub(written_1h),
            written_1h,
            output: wire.output_tokens.unwrap_or(0),
            reasoning: 0,
        }
    }
}

/// The fields; the caller opens and closes the object.
pub(super) fn write(usage: &Usage, object: &mut Object<'_>) {
    let written = usage.written_5m.saturating_add(usage.written_1h);
    object
        .count("input_tokens", usage.input.saturating_sub(usage.cached).saturating_sub(written))
        .count("cache_creation_input_tokens", written)
        .count("cache_read_input_tokens", usage.cached);
    object
        .object("cache_creation")
        .count("ephemeral_5m_input_tokens", usage.written_5m)
        .count("ephemeral_1h_input_tokens", usage.written_1h);
    object.count("output_tokens", usage.output);
}
