//! The section `[memory.consolidation]`.

use sanctum_kernel::Period;
use sanctum_kernel::service::Complaint;
use schemars::JsonSchema;
use serde::Deserialize;

/// How notes are put in order: without a model, in steps that can be taken back.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// How long a note stays in the inbox before it is sorted.
    pub promote_after: Period,
    /// The most notes in `inbox/`; the least important beyond it go to the archive. 0 for no limit. A person's notes do not
    /// count.
    pub inbox: u32,
    /// The same in `knowledge/`.
    pub knowledge: u32,
    /// The same in `events/`.
    pub events: u32,
    /// The same in `procedures/`.
    pub procedures: u32,
    /// The most notes that one pass moves out of a folder because it is too full.
    pub evictions: u32,
    /// The most notes that one pass changes in all.
    pub changes: u32,
    /// How long a note stays in the archive before only the history has it.
    pub archive: Period,
    /// How many reports of passes are kept.
    pub reports: u32,
    /// The model that may add tags, names and summaries to notes that a pass has sorted, as the proxy knows it. The request
    /// never leaves the house. None: nobody is asked.
    pub model: Option<String>,
    /// How long the model may take for one note.
    pub model_timeout: Period,
    /// The most notes it is asked about after one pass; each is asked about once.
    pub enrichments: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            promote_after: Period::hours(24),
            inbox: 300,
            knowledge: 1000,
            events: 500,
            procedures: 200,
            evictions: 50,
            changes: 2000,
            archive: Period::hours(24 * 90),
            reports: 100,
            model: None,
            model_timeout: Period::secs(60),
            enrichments: 20,
        }
    }
}

impl Config {
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.archive.0 < Period::hours(24).0 {
            let complaint =
                Complaint::new(&["consolidation", "archive"], "an archive is kept for a day at least");
            complaints.push(complaint.hint("write `90d`"));
        }
        if self.changes == 0 {
            complaints.push(Complaint::new(
                &["consolidation", "changes"],
                "a pass that may change nothing does nothing",
            ));
        }
        if self.model.as_deref().is_some_and(|model| model.trim().is_empty()) {
            let complaint =
                Complaint::new(&["consolidation", "model"], "a model without a name cannot be asked");
            complaints.push(complaint.hint("leave it out, so that nobody is asked"));
        }
        complaints
    }
}
