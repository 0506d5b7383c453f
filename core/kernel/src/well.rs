//! Whether a service is well: a board on which its parts say how they are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a part is; ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does its work.
    Well,
    /// It does its work with less than it should have; nobody needs to act tonight.
    Degraded,
    /// It does not do its work.
    Unwell,
}

/// What a part says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    pub status: Status,
    /// What was seen, for people.
    pub detail: String,
    /// The way out, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The board; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Well(Arc<Mutex<BTreeMap<&'static str, Condition>>>);

impl Well {
    /// Says how `part` is now.
    pub fn set(&self, part: &'static str, status: Status, detail: impl Into<String>) {
        self.put(part, &Condition { status, detail: detail.into(), hint: None });
    }

    /// Says how `part` is now, with a way out.
    pub fn set_hint(
        &self,
        part: &'static str,
        status: Status,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.put(part, &Condition { status, detail: detail.into(), hint: Some(hint.into()) });
    }

    /// The part is no longer spoken of.
    pub fn clear(&self, part: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
    }

    /// The worst status on the board, and every part.
    pub fn look(&self) -> (Status, BTreeMap<&'static str, Condition>) {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (parts.values().map(|part| part.status).max().unwrap_or(Status::Well), parts)
    }

    fn put(&self, part: &'static str, condition: &Condition) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = board.insert(part, condition.clone());
        drop(board);
        if before.as_ref().map(|before| before.status) != Some(condition.status) {
            tracing::info!(part, status = ?condition.status, detail = %condition.detail, "a part changed its status");
        }
    }
}
