//! screen: the family's rules, what they say now, and what was tried against them.

use std::sync::Arc;

use jiff::Timestamp;
use sanctum_kernel::Mac;
use sanctum_kernel::house::DeviceTier;
use sanctum_kernel::trace::TraceId;
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

/// `POST /screen/homework`: gaming, social and streaming off for one person, or for everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Homework {
    #[serde(default)]
    pub person: Option<String>,
    /// Two hours unless the configuration or this says otherwise.
    #[serde(default)]
    pub minutes: Option<i64>,
    pub author: String,
    #[serde(default)]
    pub reason: String,
}

/// `POST /screen/credit`: minutes earned. A preset of the configuration, or a number with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Earn {
    pub person: String,
    /// `chores`, `homework`, `reading`, `exercise`.
    #[serde(default)]
    pub preset: Option<String>,
    #[serde(default)]
    pub minutes: Option<i64>,
    pub author: String,
    #[serde(default)]
    pub reason: String,
}

/// One credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credit {
    pub id: i64,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    pub person: String,
    pub what: String,
    pub minutes: u32,
    pub author: String,
    pub redeemed: bool,
}

/// `GET /screen/credits`: a person's credits of today; what is left tonight is gone tomorrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Balance {
    pub person: String,
    #[schemars(schema_with = "time::date")]
    pub day: jiff::civil::Date,
    pub earned: u32,
    pub redeemed: u32,
    pub left: u32,
    /// The most that can be earned in a day.
    pub cap: u32,
    pub credits: Vec<Credit>,
}

/// `POST /screen/credit/redeem`: spends credits of today on tonight's bedtime. With an `Idempotency-Key` a repeated
/// request returns the first answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    pub person: String,
    /// Only this credit; all that are left by default.
    #[serde(default)]
    pub credit: Option<i64>,
    /// The person, unless said.
    #[serde(default)]
    pub author: Option<String>,
}

/// What redeeming did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Redeemed {
    pub person: String,
    pub minutes: u32,
    /// For people: `tonight's curfew begins at 22:00 instead of 21:30`.
    pub says: String,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub bedtime: Option<Timestamp>,
    pub left: u32,
}

/// `POST /screen/requests`: a child asks for more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    pub person: String,
    pub minutes: i64,
    #[serde(default)]
    pub reason: String,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    Waiting,
    Approved,
    Denied,
    /// The night is over and nobody answered.
    Expired,
}

/// A request for more time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MoreTime {
    pub id: i64,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    pub person: String,
    pub minutes: u32,
    pub reason: String,
    pub state: RequestState,
    #[serde(default)]
    pub answered_by: Option<String>,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub answered: Option<Timestamp>,
    pub trace_id: TraceId,
}

/// `POST /screen/requests/{id}/answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub approve: bool,
    pub author: String,
    /// Fewer or more than asked for.
    #[serde(default)]
    pub minutes: Option<i64>,
    #[serde(default)]
    pub reason: String,
}

/// What a parent says of a device nobody has named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// Nobody has said anything: the house's rules.
    Waiting,
    /// A guest, for a day: the house's rules.
    Approved,
    /// Blocked.
    Refused,
    /// Part of the house: no rules.
    Resident,
}

/// `GET /screen/guests`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestState {
    pub device: String,
    pub name: String,
    pub pass: Pass,
    #[schemars(schema_with = "time::instant")]
    pub since: Timestamp,
    /// When an approved guest's pass is over.
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub expires: Option<Timestamp>,
    #[serde(default)]
    pub author: Option<String>,
}

/// `POST /screen/guest/approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    pub device: String,
    /// `approved` unless said; `refused` blocks, `resident` makes it part of the house.
    #[serde(default)]
    pub pass: Option<Pass>,
    /// How long an approval lasts; the configuration's 24 h by default.
    #[serde(default)]
    pub hours: Option<i64>,
    pub author: String,
}

/// `POST /screen/holidays`: an iCalendar file. It replaces what was imported under the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Such as `school`.
    pub name: String,
    /// The text of the file (RFC 5545).
    pub ics: String,
}

/// What an import took, and what it could not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    pub name: String,
    pub events: usize,
    /// How many days are holidays now because of it.
    pub days: usize,
    /// One sentence an event that was not taken, or not whole.
    pub refused: Vec<String>,
}

/// `GET /screen/holidays`: a day off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holiday {
    #[schemars(schema_with = "time::date")]
    pub date: jiff::civil::Date,
    /// The calendar it came from; `sanctum.toml` for the list there.
    pub source: String,
    pub name: String,
}

/// `POST /screen/undo`: what was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    /// For people: `+30 min for ava by mum, of 21:10`.
    pub says: String,
}

/// `GET /screen/report`: minutes online on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DayReport {
    #[schemars(schema_with = "time::date")]
    pub day: jiff::civil::Date,
    /// By person; a minute on two devices at once is one.
    pub people: std::collections::BTreeMap<String, u32>,
    pub devices: std::collections::BTreeMap<String, u32>,
}

/// `GET /screen/digest`: the week in a few numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Digest {
    #[schemars(schema_with = "time::instant")]
    pub from: Timestamp,
    #[schemars(schema_with = "time::instant")]
    pub to: Timestamp,
    /// Nights without a violation, of seven, by person.
    pub bedtimes_kept: std::collections::BTreeMap<String, u32>,
    pub overrides: u32,
    pub credits_earned: u32,
    pub credits_redeemed: u32,
    pub guests: u32,
    pub violations: u32,
    /// All of it as a parent reads it.
    pub text: String,
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

    /// `at` as a person writes it, in the house's zone: `fri 21:45`, `21:45`, `2026-12-25 21:45`.
    pub async fn explain_when(&self, device: &str, at: &str) -> Result<Explanation, CallError> {
        transport::get(&*self.0, format!("/screen/explain?device={}&at={}", escape(device), escape(at))).await
    }

    pub async fn homework(&self, homework: &Homework) -> Result<Status, CallError> {
        transport::act(&*self.0, Method::Post, "/screen/homework", homework).await
    }

    pub async fn earn(&self, earn: &Earn) -> Result<Balance, CallError> {
        transport::act(&*self.0, Method::Post, "/screen/credit", earn).await
    }

    pub async fn credits(&self) -> Result<Vec<Balance>, CallError> {
        transport::get(&*self.0, "/screen/credits").await
    }

    /// With a key, a repeated call returns the first answer.
    pub async fn redeem(
        &self,
        redeem: &Redeem,
        idempotency_key: Option<String>,
    ) -> Result<Redeemed, CallError> {
        let body = serde_json::to_vec(redeem).map_err(|error| CallError::Garbled {
            service: self.0.service().to_owned(),
            reason: error.to_string(),
        })?;
        let path = "/screen/credit/redeem".to_owned();
        transport::send(
            &*self.0,
            transport::Request { method: Method::Post, path, body: Some(body), idempotency_key },
        )
        .await
    }

    pub async fn ask(&self, wish: &Wish) -> Result<MoreTime, CallError> {
        transport::act(&*self.0, Method::Post, "/screen/requests", wish).await
    }

    pub async fn requests(&self) -> Result<Vec<MoreTime>, CallError> {
        transport::get(&*self.0, "/screen/requests").await
    }

    pub async fn answer(&self, request: i64, answer: &Answer) -> Result<MoreTime, CallError> {
        transport::act(&*self.0, Method::Post, format!("/screen/requests/{request}/answer"), answer).await
    }

    pub async fn guests(&self) -> Result<Vec<GuestState>, CallError> {
        transport::get(&*self.0, "/screen/guests").await
    }

    pub async fn approve_guest(&self, approval: &Approval) -> Result<GuestState, CallError> {
        transport::act(&*self.0, Method::Post, "/screen/guest/approve", approval).await
    }

    pub async fn import_holidays(&self, calendar: &Calendar) -> Result<Imported, CallError> {
        transport::act(&*self.0, Method::Post, "/screen/holidays", calendar).await
    }

    pub async fn holidays(&self) -> Result<Vec<Holiday>, CallError> {
        transport::get(&*self.0, "/screen/holidays").await
    }

    /// Takes back the last override, homework or redemption that is still in force.
    pub async fn undo(&self) -> Result<Undone, CallError> {
        transport::act(&*self.0, Method::Post, "/screen/undo", &()).await
    }

    pub async fn report(&self, days: u32) -> Result<Vec<DayReport>, CallError> {
        transport::get(&*self.0, format!("/screen/report?days={days}")).await
    }

    pub async fn digest(&self) -> Result<Digest, CallError> {
        transport::get(&*self.0, "/screen/digest").await
    }

    /// [`ScreenEvent`]s as JSON in each event's data.
    pub async fn events(&self, last_id: Option<String>) -> Result<Events, CallError> {
        self.0.events("/screen/events".to_owned(), last_id).await
    }

    pub async fn trace(&self, id: TraceId) -> Result<Vec<Moment>, CallError> {
        transport::get(&*self.0, format!("/trace/{id}")).await
    }
}
