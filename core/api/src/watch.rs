//! watch: how every service is, why, what is being done about it, and what people were told.

use std::sync::Arc;

use jiff::Timestamp;
use sanctum_kernel::inventory::{Kind, Plane};
use sanctum_kernel::{Period, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time;
use crate::transport::{self, CallError, Events, Method, Transport, escape};

/// How a service is, as the watch believes after hysteresis.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It does its work.
    Healthy,
    /// It could not be looked at, or not yet: never the same as healthy.
    #[default]
    Unknown,
    /// It is alive but wrong.
    Drift,
    /// It does not do its work.
    Failed,
    /// It does not do its work, and everything that may be tried was tried.
    Blocked,
}

impl State {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Drift => "drift",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
        }
    }

    /// Whether others may lean on it.
    pub const fn bears(self) -> bool {
        matches!(self, Self::Healthy | Self::Drift | Self::Unknown)
    }
}

/// What one check answered last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckView {
    /// Its short name in the file.
    pub name: String,
    /// `http`, `tcp`, …
    pub kind: String,
    pub state: State,
    /// What was seen, for people.
    pub detail: String,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub at: Option<Timestamp>,
    /// How long the answer took, in milliseconds.
    #[serde(default)]
    pub took_ms: Option<f64>,
    /// Bad answers in a row.
    pub bad: u32,
}

/// One service of the body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    pub name: String,
    pub house_name: String,
    pub summary: String,
    pub ours: bool,
    pub plane: Plane,
    pub kind: Kind,
    pub tier: Tier,
    #[serde(default)]
    pub port: Option<u16>,
    pub requires: Vec<String>,
    pub wants: Vec<String>,
    pub state: State,
    #[schemars(schema_with = "time::instant")]
    pub since: Timestamp,
    /// What was seen, for people.
    pub detail: String,
    pub checks: Vec<CheckView>,
    /// The services that are the root of its trouble; itself, if it is one.
    pub roots: Vec<String>,
    /// The open incident it belongs to.
    #[serde(default)]
    pub incident: Option<i64>,
    /// It changes its mind too often to be believed.
    pub flapping: bool,
    /// Until when somebody asked that nothing be done about it.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// What the anomaly detectors say: `memory grows: full in 31 h`.
    #[serde(default)]
    pub anomalies: Vec<String>,
}

/// A maintenance window: it is looked at, but nobody is told and nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hold {
    #[schemars(schema_with = "time::instant")]
    pub until: Timestamp,
    pub by: String,
    #[serde(default)]
    pub why: String,
}

/// `PUT /holds/{service}`; `all` holds everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// From now on.
    pub length: Period,
    #[serde(default)]
    pub why: String,
}

/// How tense the house is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Posture {
    #[default]
    Poised,
    Cautious,
    Alert,
    Healing,
    Conserving,
}

impl Posture {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Poised => "poised",
            Self::Cautious => "cautious",
            Self::Alert => "alert",
            Self::Healing => "healing",
            Self::Conserving => "conserving",
        }
    }
}

/// `GET /body`: everything at one glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Body {
    pub posture: Posture,
    /// What somebody said of the house: `recording`, `asleep`.
    #[serde(default)]
    pub attention: Option<Attention>,
    /// Why nothing can be known now: the machine slept, its own network is gone.
    #[serde(default)]
    pub blind: Option<String>,
    pub nodes: Vec<Node>,
    pub incidents: Vec<Incident>,
    pub sentinels: Vec<Verdict>,
    /// What listens without being declared, what is declared and does not listen.
    pub drift: Vec<String>,
}

/// Something a person wants the house to heed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attention {
    /// Such as `recording` or `asleep`.
    pub word: String,
    #[schemars(schema_with = "time::instant")]
    pub until: Timestamp,
    pub by: String,
}

/// `PUT /attention`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttentionRequest {
    pub word: String,
    pub length: Period,
}

/// Where an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Being healed, or about to be.
    Healing,
    /// A person was asked.
    Escalated,
    /// Over.
    Resolved,
}

impl Stage {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healing => "healing",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
        }
    }
}

/// One trouble with one root cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    pub id: i64,
    /// The service that is the cause.
    pub root: String,
    /// Same trouble, same fingerprint: the service, the check, the shape of what was seen.
    pub fingerprint: String,
    pub title: String,
    pub stage: Stage,
    pub state: State,
    /// Services that fail because of it.
    pub symptoms: Vec<String>,
    /// When the first bad answer came.
    #[schemars(schema_with = "time::instant")]
    pub began: Timestamp,
    /// When it was believed.
    #[schemars(schema_with = "time::instant")]
    pub detected: Timestamp,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub resolved: Option<Timestamp>,
    /// What was tried, in order.
    pub tried: Vec<Tried>,
    /// What a person may do now.
    #[serde(default)]
    pub advice: Option<String>,
    /// What it was the last times: `3rd time this month; restart fixed it in 41 s last time`.
    #[serde(default)]
    pub memory: Option<String>,
    /// Newest last; only in `GET /incidents/{id}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Entry>,
}

/// One step of healing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    /// `restart proxy`, `recipe full-log-disk`.
    pub action: String,
    /// Rehearsed only: what it would have done.
    pub rehearsal: bool,
    /// Whether the check that failed passes since; absent while that is not known.
    #[serde(default)]
    pub helped: Option<bool>,
    #[serde(default)]
    pub detail: String,
    /// What would undo it.
    #[serde(default)]
    pub undo: Option<String>,
}

/// A line of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    /// `seen`, `believed`, `symptom`, `tried`, `told`, `recovered`, `note`.
    pub what: String,
    pub detail: String,
}

/// A line of the log of transitions, which is only ever appended to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transition {
    pub id: i64,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    pub service: String,
    pub from: State,
    pub to: State,
    /// What was seen, for people.
    pub why: String,
}

/// `GET /incidents/{id}/post-mortem`: a page to be written on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PostMortem {
    pub incident: i64,
    /// Markdown.
    pub text: String,
}

/// `GET /why/{service}`: from the symptom to the root, with the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    pub service: String,
    pub state: State,
    /// From the service down to a root, each failing because of the next.
    pub chain: Vec<Link>,
    /// One sentence for people.
    pub sentence: String,
    #[serde(default)]
    pub incident: Option<Incident>,
}

/// One service of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    pub service: String,
    pub state: State,
    #[schemars(schema_with = "time::instant")]
    pub since: Timestamp,
    pub evidence: Vec<String>,
}

/// Green, amber, red.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    Green,
    /// It could not be looked at.
    Unknown,
    Amber,
    Red,
}

impl Light {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Unknown => "unknown",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// What a sentinel says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// `backup-age`, `clock-skew`, …
    pub sentinel: String,
    pub light: Light,
    pub detail: String,
    #[serde(default)]
    pub hint: Option<String>,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    #[schemars(schema_with = "time::instant")]
    pub since: Timestamp,
}

/// A recipe as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recipe {
    pub id: String,
    pub summary: String,
    /// What sets it off, for people.
    pub trigger: String,
    pub severity: String,
    pub reversible: bool,
    pub cool_down: Period,
    /// `rehearses first`, `acts at once`, `off`.
    pub mode: String,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub last_fired: Option<Timestamp>,
    /// Tries that helped, and all tries.
    pub helped: u32,
    pub tries: u32,
}

/// A line of the audit of healing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    pub id: i64,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    pub recipe: String,
    pub service: String,
    #[serde(default)]
    pub incident: Option<i64>,
    /// `refused`, `rehearsed`, `began` (what became of it is a line of its own), `acted`, `failed`, `undone`, `not-undone`.
    pub outcome: String,
    /// Which guard refused, what was done, what went wrong.
    pub detail: String,
    #[serde(default)]
    pub undo: Option<String>,
}

/// `POST /classify`: free text to be matched with a recipe that exists; always rehearsed first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreeText {
    pub text: String,
    #[serde(default)]
    pub service: Option<String>,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Classified {
    /// Absent: no recipe fits.
    #[serde(default)]
    pub recipe: Option<String>,
    /// `words` or `model`.
    pub by: String,
    pub detail: String,
}

/// What mends and how long it takes, over a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    pub service: String,
    pub incidents: u32,
    /// Seconds, median.
    pub to_detect: f64,
    /// Seconds, median, of those that are over.
    pub to_heal: f64,
    /// Closed without a person.
    pub by_itself: u32,
}

/// The typed client.
#[derive(Debug, Clone)]
pub struct Client(Arc<dyn Transport>);

impl Client {
    pub fn new(to: Arc<dyn Transport>) -> Self {
        Self(to)
    }

    pub async fn body(&self) -> Result<Body, CallError> {
        transport::get(&*self.0, "/body").await
    }

    /// Open ones first, then the newest.
    pub async fn incidents(&self, days: u32) -> Result<Vec<Incident>, CallError> {
        transport::get(&*self.0, format!("/incidents?days={days}")).await
    }

    /// With its timeline.
    pub async fn incident(&self, id: i64) -> Result<Incident, CallError> {
        transport::get(&*self.0, format!("/incidents/{id}")).await
    }

    pub async fn post_mortem(&self, id: i64) -> Result<PostMortem, CallError> {
        transport::get(&*self.0, format!("/incidents/{id}/post-mortem")).await
    }

    /// Somebody did something about it: the ladder of what may be tried begins anew.
    pub async fn again(&self, id: i64) -> Result<Incident, CallError> {
        transport::act(&*self.0, Method::Post, format!("/incidents/{id}/again"), &()).await
    }

    /// Every turn of every service, the oldest first; of one service, if it is named.
    pub async fn transitions(&self, days: u32, service: Option<&str>) -> Result<Vec<Transition>, CallError> {
        let of = service.map(|service| format!("&service={}", escape(service))).unwrap_or_default();
        transport::get(&*self.0, format!("/transitions?days={days}{of}")).await
    }

    pub async fn why(&self, service: &str) -> Result<Why, CallError> {
        transport::get(&*self.0, format!("/why/{}", escape(service))).await
    }

    pub async fn trends(&self, days: u32) -> Result<Vec<Trend>, CallError> {
        transport::get(&*self.0, format!("/trends?days={days}")).await
    }

    /// Asks every check of the service now.
    pub async fn check(&self, service: &str) -> Result<Node, CallError> {
        transport::act(&*self.0, Method::Post, format!("/nodes/{}/check", escape(service)), &()).await
    }

    pub async fn hold(&self, service: &str, request: &HoldRequest) -> Result<Hold, CallError> {
        transport::act(&*self.0, Method::Put, format!("/holds/{}", escape(service)), request).await
    }

    pub async fn release(&self, service: &str) -> Result<(), CallError> {
        transport::act(&*self.0, Method::Delete, format!("/holds/{}", escape(service)), &()).await
    }

    pub async fn attend(&self, request: &AttentionRequest) -> Result<Attention, CallError> {
        transport::act(&*self.0, Method::Put, "/attention", request).await
    }

    /// Nothing needs to be heeded any more.
    pub async fn relax(&self) -> Result<(), CallError> {
        transport::act(&*self.0, Method::Delete, "/attention", &()).await
    }

    pub async fn recipes(&self) -> Result<Vec<Recipe>, CallError> {
        transport::get(&*self.0, "/recipes").await
    }

    pub async fn audit(&self, days: u32) -> Result<Vec<Audit>, CallError> {
        transport::get(&*self.0, format!("/audit?days={days}")).await
    }

    /// Undoes what the audit line says can be undone.
    pub async fn undo(&self, audit: i64) -> Result<Audit, CallError> {
        transport::act(&*self.0, Method::Post, format!("/audit/{audit}/undo"), &()).await
    }

    pub async fn classify(&self, text: &FreeText) -> Result<Classified, CallError> {
        transport::act(&*self.0, Method::Post, "/classify", text).await
    }

    /// [`Node`]s, [`Incident`]s, [`Verdict`]s as JSON in each event's data; kinds `node`, `incident`, `sentinel`.
    pub async fn events(&self, last_id: Option<String>) -> Result<Events, CallError> {
        self.0.events("/events".to_owned(), last_id).await
    }
}
