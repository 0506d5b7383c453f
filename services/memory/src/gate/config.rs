//! The section `[memory.gate]`.

use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;

/// What may become a memory: judged without a model.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The most notes of one agent in an hour; what is more is left out and said.
    pub notes_per_hour: u32,
    /// A text that was recalled to a conversation is no new memory for so long.
    pub recalled_within: Period,
    /// An agent that has come with the same beginning so often, dates aside, reads it at every start.
    pub starts: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { notes_per_hour: 600, recalled_within: Period::mins(30), starts: 5 }
    }
}
