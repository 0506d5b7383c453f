//! The section `[memory.git]`.

use schemars::JsonSchema;
use serde::Deserialize;

/// The history of the vault.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Commit every change to the vault's git repository, which is made if there is none. In a repository of your own
    /// only what the house changes is committed. Without it nothing can be undone.
    pub on: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { on: true }
    }
}
