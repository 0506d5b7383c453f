//! What every service answers: how it is, and what it knows of one story.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::well::{Condition, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /health`: whether a service does its work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    pub service: String,
    pub house_name: String,
    pub version: String,
    /// The worst of its parts.
    pub status: Status,
    pub ready: bool,
    #[schemars(schema_with = "crate::time::instant")]
    pub since: Timestamp,
    pub parts: BTreeMap<String, Condition>,
}

/// `GET /trace/{id}`: one thing a service did or saw in a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    #[schemars(schema_with = "crate::time::instant")]
    pub at: Timestamp,
    pub service: String,
    /// A stable word: `joined`, `blocked`, `verified`, `violation`, `accepted`, `delivered`, `banner`.
    pub what: String,
    /// For people.
    pub detail: String,
    pub trace_id: TraceId,
}
