//! The section `[memory.ingest]`.

use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;

/// Exchanges with models: kept at once, read into notes afterwards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The most exchanges that wait to be read; what comes on top is refused, and whoever brings it keeps it.
    pub waiting: u32,
    /// Exchanges of one agent with no longer pause between them are one conversation, unless they say which they belong to.
    pub pause: Period,
    /// How long an exchange that was read is known by its key.
    pub known: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self { waiting: 100_000, pause: Period::mins(30), known: Period::hours(24 * 30) }
    }
}
