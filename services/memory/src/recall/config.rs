//! The section `[memory.recall]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// How notes are found.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Find notes by what they mean as well as by their words. It needs the weights that `make up` fetches; without
    /// them, or with `false`, words alone decide.
    pub meaning: bool,
    /// The folder of the weights; absent: `sanctum/models` in the user's data directory, where `make up` puts them.
    pub models: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { meaning: true, models: None }
    }
}
