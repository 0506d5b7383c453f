//! screen: the family's rules, what they say now, and what was tried against them.

use std::sync::Arc;

use jiff::Timestamp;
use sanctum_kernel::house::DeviceTier;
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::Mac;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::firewall::{Scope, Verdict};
use crate::transport::{self, CallError, Events, Method, Transport, escape};
use crate::{Moment, time};

/// What the rules say of a device at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ruling {
    pub device: String,
    pub name: String,
    #[serde(default)]
    pub owner: Option<String>,
    pub tier: DeviceTier,
    /// What is cut off; absent means it is allowed.
    #[serde(default)]
    pub blocked: Option<Scope>,
    /// The rule that decides, for people: `weekday curfew 21:30–10:00`.
    pub because: String,
    /// When the ruling next changes.
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub until: Option<Timestamp>,
}

/// `GET /screen/explain`: the rule that decides, those it beat, and the next change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    #[serde(flatten)]
    pub ruling: Ruling,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    /// In order of priority; the first is the one that decides.
    pub rules: Vec<RuleSaid>,
}

/// One rule and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleSaid {
    /// `override`, `homework`, `holiday`, `weekend`, `weekday`, …
    pub rule: String,
    /// What it says, or why it is silent.
    pub says: String,
    pub applies: bool,
}

/// `GET /screen/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    #[schemars(schema_with = "time::instant")]
    pub now: Timestamp,
    /// Tonight in words, such as `21:30–07:00, 9 h 30 min`; says so when the clocks change.
    pub tonight: String,
    pub devices: Vec<Ruling>,
    /// Whether the firewall holds what the rules want: `applied`, `not-applied`, `unknown`.
    pub enforced: sanctum_kernel::Applied,
    /// For people: what is not in force, or why it cannot be told.
    #[serde(default)]
    pub detail: Option<String>,
}

/// `GET /screen/schedule`: a stretch of tonight's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stretch {
    pub device: String,
    pub name: String,
    #[schemars(schema_with = "time::instant")]
    pub from: Timestamp,
    #[schemars(schema_with = "time::instant")]
    pub to: Timestamp,
    /// Absent means allowed.
    #[serde(default)]
    pub blocked: Option<Scope>,
    pub because: String,
}

/// A join or traffic while blocked: `GET /screen/violations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    pub id: i64,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    pub device: String,
    pub name: String,
    #[serde(default)]
    pub mac: Option<Mac>,
    #[serde(default)]
    pub owner: Option<String>,
    pub rule: String,
    /// What was done, such as `blocked`.
    pub action: String,
    pub verdict: Verdict,
    pub trace_id: TraceId,
    /// The notification that told a parent.
    #[serde(default)]
    pub notification: Option<i64>,
}

/// `POST /screen/override`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// A device's or a person's short name; everyone if absent.
    #[serde(default)]
    pub target: Option<String>,
    pub action: OverrideAction,
    /// When it ends; by default at the end of the night.
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub until: Option<Timestamp>,
    pub author: String,
    pub reason: String,
}

/// What an override does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OverrideAction {
    /// Tonight's curfew begins later by so many minutes.
    Extend { minutes: u16 },
    /// Curfew now.
    Curfew,
    /// Everything is allowed.
    AllClear,
}

/// An event of `GET /screen/events`: a violation was written or something changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScreenEvent {
    Violation(Violation),
    /// Rulings changed; ask for the status again.
    Changed,
}

/// The typed client.
#[derive(Debug, Clone)]
pub struct Client(Arc<dyn Transport>);

impl Client {
    pub fn new(to: Arc<dyn Transport>) -> Self {
        Self(to)
    }

    pub async fn status(&self) -> Result<Status, CallError> {
        transport::get(&*self.0, "/screen/status").await
    }

    pub async fn schedule(&self) -> Result<Vec<Stretch>, CallError> {
        transport::get(&*self.0, "/screen/schedule").await
    }

    pub async fn violations(&self, limit: u32) -> Result<Vec<Violation>, CallError> {
        transport::get(&*self.0, format!("/screen/violations?limit={limit}")).await
    }

    /// `at` defaults to now.
    pub async fn explain(&self, device: &str, at: Option<Timestamp>) -> Result<Explanation, CallError> {
        let at = at.map(|at| format!("&at={}", escape(&at.to_string()))).unwrap_or_default();
        transport::get(&*self.0, format!("/screen/explain?device={}{at}", escape(device))).await
    }

    pub async fn overrule(&self, overrule: &Override) -> Result<Status, CallError> {
        transport::act(&*self.0, Method::Post, "/screen/override", overrule).await
    }

    /// [`ScreenEvent`]s as JSON in each event's data.
    pub async fn events(&self, last_id: Option<String>) -> Result<Events, CallError> {
        self.0.events("/screen/events".to_owned(), last_id).await
    }

    pub async fn trace(&self, id: TraceId) -> Result<Vec<Moment>, CallError> {
        transport::get(&*self.0, format!("/trace/{id}")).await
    }
}
