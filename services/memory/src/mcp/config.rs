//! The section `[memory.mcp]`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Agents that come by the Model Context Protocol.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Names of agents whose model runs in this house: only they see notes of the classes `health` and `finance`.
    pub inside: Vec<String>,
}
