//! The section `[memory.mcp]`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Agents that come by themselves.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Names of agents whose model runs in this house. Agents that come by themselves, with a key or over standard input, see
    /// notes of the classes `health` and `finance` only if they are named here.
    pub inside: Vec<String>,
}
