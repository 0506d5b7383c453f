//! The section `[memory]`.

use std::path::PathBuf;

use sanctum_kernel::Period;
use sanctum_kernel::service::Complaint;
use schemars::JsonSchema;
use serde::Deserialize;

/// What the house remembers: a folder of Markdown files, and an index of it that can be thrown away.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The folder of notes; absent: `vault` in the home of the house. It may be an Obsidian vault that exists.
    pub vault: Option<PathBuf>,
    /// How often notes are put in order.
    pub consolidate_every: Period,
    /// How notes are found.
    pub recall: crate::recall::config::Config,
    /// What may become a memory.
    pub gate: crate::gate::Config,
    /// What was said to models.
    pub ingest: crate::ingest::Config,
    /// How notes are put in order.
    pub consolidation: crate::consolidate::Config,
    /// Agents that come by the Model Context Protocol.
    pub mcp: crate::mcp::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            vault: None,
            consolidate_every: Period::hours(6),
            recall: crate::recall::config::Config::default(),
            gate: crate::gate::Config::default(),
            ingest: crate::ingest::Config::default(),
            consolidation: crate::consolidate::Config::default(),
            mcp: crate::mcp::Config::default(),
        }
    }
}

impl Config {
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        self.consolidation.complaints()
    }
}
