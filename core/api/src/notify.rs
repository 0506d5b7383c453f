//! notify: what happened, who was told, and whether they really were.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use sanctum_kernel::trace::TraceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::transport::{self, CallError, Events, Method, Request, Transport, escape};
use crate::{Moment, time};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warn,
    Error,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Info, Self::Warn, Self::Error, Self::Critical];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl std::str::FromStr for Severity {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.word() == word)
            .ok_or_else(|| format!("`{word}` is not a severity: one of `info`, `warn`, `error`, `critical`"))
    }
}

/// `POST /notify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Who says it: a service, a script, an agent.
    pub source: String,
    pub severity: Severity,
    pub title: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Overrides the routing table, never the dedup: names of configured channels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub force_channels: Vec<String>,
    /// Buttons on channels that have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Several notices about one thing share it; the last one replaces what is shown. Also the key of resolve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<String>,
    /// The thing named by `dedup_key` is over: every channel that was told is told so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resolved: bool,
}

impl Notice {
    /// A notice with nothing but words.
    pub fn plain(
        source: impl Into<String>,
        severity: Severity,
        title: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            source: source.into(),
            severity,
            title: title.into(),
            message: message.into(),
            labels: BTreeMap::new(),
            force_channels: Vec::new(),
            actions: Vec::new(),
            url: None,
            image: None,
            dedup_key: None,
            resolved: false,
        }
    }
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    pub label: String,
    pub url: String,
}

/// The answer to `POST /notify`: 202, committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    pub id: i64,
    /// `accepted`, or `suppressed` when nobody will hear of it now.
    pub status: String,
    /// Channels it goes to.
    pub channels: Vec<String>,
    pub deduplicated: bool,
    pub rate_limited: bool,
    pub quiet_hours: bool,
    pub trace_id: TraceId,
}

/// Where a delivery is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Pending,
    InFlight,
    Delivered,
    Failed,
    /// Given up: in the dead-letter view, to be sent again by hand.
    Dead,
}

/// One try on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    #[schemars(schema_with = "time::instant")]
    pub started: Timestamp,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub ended: Option<Timestamp>,
    /// `delivered`, or what went wrong.
    pub outcome: String,
    /// The far side's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far_id: Option<String>,
}

/// One notification on its way to one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    pub id: i64,
    pub channel: String,
    pub state: DeliveryState,
    /// Why this channel, for people.
    pub reason: String,
    pub attempts: Vec<Attempt>,
    /// Delivery or read receipt from the far side.
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub confirmed: Option<Timestamp>,
}

/// Who took note of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    pub who: String,
    pub channel: String,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
}

/// `GET /notifications/{id}`: a whole life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    pub id: i64,
    pub trace_id: TraceId,
    #[schemars(schema_with = "time::instant")]
    pub accepted: Timestamp,
    pub notice: Notice,
    /// How often it was said within the dedup window.
    pub count: u32,
    pub deduplicated: bool,
    pub rate_limited: bool,
    pub quiet_hours: bool,
    /// The routing decision, a line a rule that spoke.
    pub reasons: Vec<String>,
    pub deliveries: Vec<Delivery>,
    #[serde(default)]
    pub acks: Vec<Ack>,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub resolved: Option<Timestamp>,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub snoozed_until: Option<Timestamp>,
}

/// What a dashboard shows now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Banner {
    /// The notification's id.
    pub id: i64,
    pub trace_id: TraceId,
    pub severity: Severity,
    pub source: String,
    pub title: String,
    pub message: String,
    pub count: u32,
    #[schemars(schema_with = "time::instant")]
    pub since: Timestamp,
    #[serde(default)]
    pub acked: Option<Ack>,
    /// It reached no channel; shown until someone clears it.
    #[serde(default)]
    pub undelivered: bool,
}

/// An event of `GET /events`, tagged by the server-sent event's kind: `banner` appears or changes, `cleared` goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BannerEvent {
    Banner(Banner),
    Cleared { id: i64 },
}

/// Keeps notifications that match quiet until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Given by the service.
    #[serde(default)]
    pub id: i64,
    /// All must hold: `source`, `severity`, or a label's name, to its value.
    pub matchers: BTreeMap<String, String>,
    pub author: String,
    pub reason: String,
    #[schemars(schema_with = "time::instant")]
    pub until: Timestamp,
}

/// A notification written to a file while the hub was down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spooled {
    pub notice: Notice,
    /// When it was said.
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    #[serde(default)]
    pub trace_id: Option<TraceId>,
    /// The key it was first sent with: the hub may have kept it although no answer came.
    #[serde(default)]
    pub key: Option<String>,
    /// The service that sent it; the command line if absent.
    #[serde(default)]
    pub caller: Option<String>,
}

/// `GET /explain`: who would be told, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    pub severity: Severity,
    pub source: String,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    /// The time in the house's zone.
    pub wall: String,
    pub quiet_hours: bool,
    pub told: Vec<Told>,
    /// Kept for a summary, which comes then.
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub held_until: Option<Timestamp>,
    /// The decision, a line a rule that spoke.
    pub reasons: Vec<String>,
}

/// One channel of an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    pub channel: String,
    /// `silent`, `sound`, `critical` or `reduced`.
    pub manner: String,
    pub reason: String,
}

/// `GET /dead`: a delivery that was given up; `POST /deliveries/{id}/retry` sends it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The delivery.
    pub id: i64,
    pub notification: i64,
    pub channel: String,
    pub severity: Severity,
    pub title: String,
    #[schemars(schema_with = "time::instant")]
    pub accepted: Timestamp,
    pub tries: u32,
    /// What the last attempt came to.
    pub outcome: String,
}

/// `POST /push/subscriptions`: what a browser's `PushSubscription.toJSON()` gives, and whose it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    pub endpoint: String,
    pub keys: SubscriptionKeys,
    #[serde(default)]
    pub expiration_time: Option<f64>,
    /// Whose browser it is.
    #[serde(default)]
    pub who: String,
}

/// The keys of a subscription, base64url (RFC 8291).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionKeys {
    pub p256dh: String,
    pub auth: String,
}

/// `GET /push/key`: the key to subscribe with (`applicationServerKey`), base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PushKey {
    pub key: String,
}

/// `GET /channels`: a configured channel and how it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    pub name: String,
    pub kind: String,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub last_success: Option<Timestamp>,
    #[serde(default)]
    pub last_error: Option<String>,
    pub queued: u64,
    /// The breaker: `closed`, `open` or `half-open`.
    pub breaker: String,
}

/// `POST …/ack`, `/snooze`, `/resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct By {
    pub who: String,
    /// For `snooze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub until: Option<Timestamp>,
}

/// The typed client.
#[derive(Debug, Clone)]
pub struct Client(Arc<dyn Transport>);

impl Client {
    pub fn new(to: Arc<dyn Transport>) -> Self {
        Self(to)
    }

    /// Accepted means kept. With a key, a repeated call returns the first answer.
    pub async fn notify(
        &self,
        notice: &Notice,
        idempotency_key: Option<String>,
    ) -> Result<Accepted, CallError> {
        let body = serde_json::to_vec(notice).map_err(|error| CallError::Garbled {
            service: self.0.service().to_owned(),
            reason: error.to_string(),
        })?;
        let request =
            Request { method: Method::Post, path: "/notify".to_owned(), body: Some(body), idempotency_key };
        transport::send(&*self.0, request).await
    }

    pub async fn notification(&self, id: i64) -> Result<Notification, CallError> {
        transport::get(&*self.0, format!("/notifications/{id}")).await
    }

    pub async fn ack(&self, id: i64, by: &By) -> Result<Notification, CallError> {
        transport::act(&*self.0, Method::Post, format!("/notifications/{id}/ack"), by).await
    }

    pub async fn resolve(&self, id: i64, by: &By) -> Result<Notification, CallError> {
        transport::act(&*self.0, Method::Post, format!("/notifications/{id}/resolve"), by).await
    }

    /// Hidden until `by.until`, and told again if it is not over then.
    pub async fn snooze(&self, id: i64, by: &By) -> Result<Notification, CallError> {
        transport::act(&*self.0, Method::Post, format!("/notifications/{id}/snooze"), by).await
    }

    pub async fn silences(&self) -> Result<Vec<Silence>, CallError> {
        transport::get(&*self.0, "/silences").await
    }

    pub async fn silence(&self, silence: &Silence) -> Result<Silence, CallError> {
        transport::act(&*self.0, Method::Put, "/silences", silence).await
    }

    pub async fn unsilence(&self, id: i64) -> Result<(), CallError> {
        transport::act(&*self.0, Method::Delete, format!("/silences/{id}"), &()).await
    }

    /// `query` as in the page: `severity=critical&source=vm&at=03:10`.
    pub async fn explain(&self, query: &str) -> Result<Explained, CallError> {
        transport::get(&*self.0, format!("/explain?{query}")).await
    }

    pub async fn dead(&self) -> Result<Vec<DeadLetter>, CallError> {
        transport::get(&*self.0, "/dead").await
    }

    /// Sends a delivery again that was given up.
    pub async fn retry(&self, delivery: i64) -> Result<Notification, CallError> {
        transport::act(&*self.0, Method::Post, format!("/deliveries/{delivery}/retry"), &()).await
    }

    pub async fn banners(&self) -> Result<Vec<Banner>, CallError> {
        transport::get(&*self.0, "/banners").await
    }

    pub async fn channels(&self) -> Result<Vec<Channel>, CallError> {
        transport::get(&*self.0, "/channels").await
    }

    /// Sends a test message over one channel and says what came of it.
    pub async fn test_channel(&self, name: &str) -> Result<Attempt, CallError> {
        transport::act(&*self.0, Method::Post, format!("/channels/{}/test", escape(name)), &()).await
    }

    /// `query` as in the page: `severity=error&limit=20`.
    pub async fn history(&self, query: &str) -> Result<Page, CallError> {
        transport::get(&*self.0, format!("/history?{query}")).await
    }

    /// [`BannerEvent`]s as JSON in each event's data.
    pub async fn events(&self, last_id: Option<String>) -> Result<Events, CallError> {
        self.0.events("/events".to_owned(), last_id).await
    }

    pub async fn trace(&self, id: TraceId) -> Result<Vec<Moment>, CallError> {
        transport::get(&*self.0, format!("/trace/{id}")).await
    }
}

/// `GET /history`: a page, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    pub notifications: Vec<Notification>,
    /// Give it as `cursor` for the next page.
    #[serde(default)]
    pub next: Option<String>,
}
