//! The section `[memory]`.

use std::path::PathBuf;

use sanctum_kernel::service::Complaint;
use sanctum_kernel::{Period, Size};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the house remembers: a folder of Markdown files, and an index of it that can be thrown away.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The folder of notes; absent: `vault` in the home of the house. It may be an Obsidian vault that exists.
    pub vault: Option<PathBuf>,
    /// How often the whole vault is looked at, for changes that were not noticed at once.
    pub sweep_every: Period,
    /// The longest file that is read whole; of a longer one the beginning is found, and nothing can be written to it.
    pub longest_note: Size,
    /// The history of the vault.
    pub git: crate::history::config::Config,
    /// How often notes are put in order; `0s`: only when somebody asks for it.
    pub consolidate_every: Period,
    /// How notes are found.
    pub recall: crate::recall::config::Config,
    /// What may become a memory.
    pub gate: crate::gate::Config,
    /// What was said to models.
    pub ingest: crate::ingest::Config,
    /// How notes are put in order.
    pub consolidation: crate::consolidate::Config,
    /// Agents that come by themselves.
    pub mcp: crate::mcp::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            vault: None,
            sweep_every: Period::mins(1),
            longest_note: Size::mib(4),
            git: crate::history::config::Config::default(),
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
        let mut complaints = self.consolidation.complaints();
        if self.sweep_every < Period::secs(1) {
            complaints.push(
                Complaint::new(&["sweep-every"], "looking at every file takes a while").hint("`1s` or more"),
            );
        }
        if !(64 << 10..=64 << 20).contains(&self.longest_note.0) {
            complaints.push(
                Complaint::new(&["longest-note"], "a note is a text for people")
                    .hint("from `64KiB` to `64MiB`"),
            );
        }
        if self.vault.as_ref().is_some_and(|vault| vault.is_relative()) {
            complaints.push(
                Complaint::new(&["vault"], "it depends on where the house is started")
                    .hint("write the whole path"),
            );
        }
        complaints
    }
}
