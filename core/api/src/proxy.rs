//! proxy: explanations of routing, usage, models, virtual keys and what is live.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time;
use crate::transport::{self, CallError, Method, Transport, escape};

/// `POST /explain`: how a request would be routed. The body of a real request of any dialect may be given, or just words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Explain {
    /// The agent that would ask; the caller's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The model that would be asked for; `auto` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The last words of the user.
    pub prompt: String,
    /// A class the client would declare: `general`, `code`, `security`, `health`, `finance`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Names of tools it would carry.
    pub tools: Vec<String>,
    /// Whether it would carry pictures.
    pub images: bool,
    /// Most tokens of output it would allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
}

/// The same decision the real thing would take, with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    pub agent: String,
    /// The model that was asked for.
    pub asked: String,
    /// `open`, `finance` or `health`.
    pub privacy: String,
    /// Who said so: `agent`, `header`, `text: diagnosis`, …
    pub privacy_because: String,
    /// `chat`, `image`, `reasoning`, `code` or `security`.
    pub intent: String,
    pub intent_because: String,
    /// The rule that resolved the name: `exact`, `alias`, `glob claude-*`, `auto`, …
    pub rule: String,
    /// `small`, `standard` or `strong`.
    pub tier: String,
    /// In the order in which they would be tried, the dropped ones included.
    pub candidates: Vec<Candidate>,
    /// `provider/model` of the first kept one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winner: Option<String>,
    /// Why nobody would answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    pub provider: String,
    pub model: String,
    pub tier: String,
    /// `local` or `cloud`.
    pub locality: String,
    pub kept: bool,
    /// Why it was kept or dropped, in one sentence.
    pub because: String,
    /// What would be reserved for it, in US dollars.
    pub reserve_usd: f64,
}

/// One row of `GET /usage?by=agent|model|day`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UsageRow {
    /// The agent, `provider/model`, or the local day.
    pub key: String,
    pub requests: u64,
    /// Requests that ended in an error or a refusal.
    pub failed: u64,
    pub tokens_in: u64,
    pub tokens_cached: u64,
    pub tokens_out: u64,
    pub tokens_reasoning: u64,
    pub cost_usd: f64,
    /// Requests whose tokens were counted here because the provider did not say.
    pub estimated: u64,
    /// Cost by day, oldest first, over the asked span; for a sparkline.
    pub daily_usd: Vec<f64>,
}

/// Spend of one agent (or of the house, whose `agent` is empty) against its cap today.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Spend {
    pub agent: String,
    pub settled_usd: f64,
    /// For requests that are under way.
    pub reserved_usd: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_usd: Option<f64>,
}

/// One request that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Live {
    pub trace: String,
    pub agent: String,
    pub asked: String,
    /// `provider/model` that is being tried or answers.
    pub serving: String,
    #[schemars(schema_with = "time::instant")]
    pub since: Timestamp,
    pub streaming: bool,
    pub tokens_out: u64,
}

/// One provider as the router sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderState {
    pub name: String,
    /// `openai`, `anthropic` or `gemini`.
    pub kind: String,
    pub locality: String,
    /// `closed`, `open` or `probing`.
    pub breaker: String,
    /// Why it is not closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// When it may be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub until: Option<Timestamp>,
    /// Exponential mean of the time to the first byte, in milliseconds.
    pub first_byte_ms: f64,
    /// Whether its key is there.
    pub key: bool,
}

/// A request that was not answered by its first candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fallback {
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    pub trace: String,
    pub agent: String,
    pub from: String,
    /// Who answered; absent when nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub because: String,
}

/// `GET /stats`: what the page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// The local day the spend belongs to, `2026-11-22`.
    pub day: String,
    pub house: Spend,
    pub agents: Vec<Spend>,
    pub live: Vec<Live>,
    pub providers: Vec<ProviderState>,
    /// Newest first, at most 20.
    pub fallbacks: Vec<Fallback>,
    /// Requests since the start of the service.
    pub requests: u64,
}

/// One model that can be asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// The name a client writes.
    pub id: String,
    pub provider: String,
    pub tier: String,
    pub locality: String,
    /// Tokens of context; absent when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// `tools`, `vision`, `thinking`, `embeddings`.
    pub can: Vec<String>,
    pub input_usd: f64,
    pub output_usd: f64,
    pub aliases: Vec<String>,
}

/// `POST /keys`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    pub agent: String,
    /// What it is for, in a person's words.
    #[serde(default)]
    pub note: String,
    /// `chat`, `embeddings`, `models`, `explain`, `usage`, `memory`; all when empty.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Model names or globs it may ask for; all when empty.
    #[serde(default)]
    pub models: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub expires: Option<Timestamp>,
}

/// `POST /keys/check`: a secret that somebody has shown, and what they want with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownKey {
    pub secret: String,
    /// One of the scopes of a key.
    pub scope: String,
}

impl std::fmt::Debug for ShownKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShownKey").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// Whose it is; nobody's if it is not valid for that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// A key as it is kept: its secret is not known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Names it in lists and in `revoke`.
    pub id: String,
    /// The first characters of the secret, to recognise it by.
    pub prefix: String,
    pub agent: String,
    pub note: String,
    pub scopes: Vec<String>,
    pub models: Vec<String>,
    #[schemars(schema_with = "time::instant")]
    pub created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub revoked: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub last_used: Option<Timestamp>,
}

/// The answer to `POST /keys`: the only time the secret is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    pub secret: String,
    pub key: Key,
}

/// Speaks to proxy's own operations; model requests go to it as to any provider.
#[derive(Debug, Clone)]
pub struct Client(Arc<dyn Transport>);

impl Client {
    pub fn new(to: Arc<dyn Transport>) -> Self {
        Self(to)
    }

    pub async fn explain(&self, ask: &Explain) -> Result<Explanation, CallError> {
        transport::act(&*self.0, Method::Post, "/explain", ask).await
    }

    pub async fn stats(&self) -> Result<Stats, CallError> {
        transport::get(&*self.0, "/stats").await
    }

    /// `by` is `agent`, `model` or `day`; `days` counts back from today.
    pub async fn usage(&self, by: &str, days: u32) -> Result<Vec<UsageRow>, CallError> {
        transport::get(&*self.0, format!("/usage?by={}&days={days}", escape(by))).await
    }

    pub async fn models(&self) -> Result<Vec<Model>, CallError> {
        transport::get(&*self.0, "/models").await
    }

    pub async fn keys(&self) -> Result<Vec<Key>, CallError> {
        transport::get(&*self.0, "/keys").await
    }

    pub async fn create_key(&self, key: &NewKey) -> Result<Created, CallError> {
        transport::act(&*self.0, Method::Post, "/keys", key).await
    }

    /// Whose key a secret is, for another service of the house that is shown one.
    pub async fn check_key(&self, shown: &ShownKey) -> Result<Holder, CallError> {
        transport::act(&*self.0, Method::Post, "/keys/check", shown).await
    }

    pub async fn revoke_key(&self, id: &str) -> Result<Key, CallError> {
        transport::act(&*self.0, Method::Delete, format!("/keys/{}", escape(id)), &()).await
    }
}

/// Dollars for people: cents where they count in cents, more digits where a request costs less than one.
pub fn dollars(dollars: f64) -> String {
    match dollars {
        0.0 => "$0".to_owned(),
        0.1.. => format!("${dollars:.2}"),
        _ => format!("${dollars:.4}"),
    }
}
