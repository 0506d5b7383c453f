//! ntfy: a topic on ntfy.sh or on a server of one's own (docs.ntfy.sh/publish).
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use sanctum_http::{Answer, Outbound, OutboundError, Outgoing};
use sanctum_kernel::service::Complaint;
use sanctum_kernel::{Failure, SecretRef};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Abilities, Channel, Kind, Parts, Receipt, SendError, judge};
use crate::message::{Message, Phase};
use crate::target::Manner;

pub(crate) const SUMMARY: &str = "a topic on ntfy.sh or on an ntfy server of one's own";

/// A topic on an ntfy server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The server.
    pub url: String,
    /// The topic; whoever knows its name can read it, unless the server has access control.
    pub topic: String,
    /// An access token (`tk_…`), where the server asks for one.
    pub token: Option<SecretRef>,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: "https://ntfy.sh".to_owned(), topic: String::new(), token: None }
    }
}

impl Kind for Config {
    fn build(&self, _: &str, parts: &Parts) -> Result<Arc<dyn Channel>, Failure> {
        let token = self.token.as_ref().map(|token| token.resolve(&parts.shared.paths)).transpose()?;
        let (url, topic) = (self.url.trim_end_matches('/').to_owned(), self.topic.clone());
        Ok(Arc::new(Ntfy { url, topic, token, outbound: parts.outbound.clone(), deadline: parts.deadline }))
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = super::web_url(&self.url, &["url"]);
        // The server's own rule: ^[-_A-Za-z0-9]{1,64}$.
        let plain = self.topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if self.topic.is_empty() || self.topic.len() > 64 || !plain {
            let complaint = Complaint::new(&["topic"], format!("`{}` is not a topic", self.topic));
            complaints.push(complaint.hint("1 to 64 letters, digits, `-` and `_`; a long random one is as good as a password"));
        }
        complaints
    }
}

#[derive(Debug)]
struct Ntfy {
    url: String,
    topic: String,
    token: Option<SecretString>,
    outbound: Outbound,
    deadline: Duration,
}

/// What is asked of a server whose daily quota is used up: an hour is soon enough.
const QUOTA: Duration = Duration::from_hours(1);

fn body(message: &Message, topic: &str) -> Value {
    let notice = &message.notice;
    let priority = match (message.phase, message.manner) {
        (Phase::Resolve | Phase::Acked, _) | (_, Manner::Silent) => 2,
        (_, Manner::Reduced) => 3,
        (_, Manner::Sound) => 4,
        (_, Manner::Critical) => 5,
    };
    let actions: Vec<Value> =
        notice.actions.iter().take(3).map(|action| json!({ "action": "view", "label": action.label, "url": action.url })).collect();
    let mut body = json!({
        "topic": topic, "title": message.title(), "message": message.text(), "priority": priority,
        "tags": [notice.severity.word(), notice.source],
        // Messages of one sequence replace each other where the server knows of it (2.16).
        "sequence_id": format!("n{}", message.id),
    });
    if let Some(body) = body.as_object_mut() {
        body.extend(notice.url.iter().map(|url| ("click".to_owned(), json!(url))));
        body.extend(notice.image.iter().map(|image| ("attach".to_owned(), json!(image))));
        body.extend((!actions.is_empty()).then(|| ("actions".to_owned(), json!(actions))));
    }
    body
}

impl Ntfy {
    fn outgoing(&self, method: &'static str, path: &str, body: Vec<u8>) -> Outgoing {
        let token = self.token.as_ref().map(|token| ("authorization".to_owned(), format!("Bearer {}", token.expose_secret())));
        let headers = token.into_iter().chain([("content-type".to_owned(), "application/json".to_owned())]).collect();
        Outgoing { method, url: format!("{}{path}", self.url), headers, body, timeout: self.deadline }
    }

    async fn post(&self, message: &Message) -> Result<Receipt, SendError> {
        let body = serde_json::to_vec(&body(message, &self.topic)).map_err(|error| SendError::refused(error.to_string()))?;
        read(self.outbound.send(self.outgoing("POST", "/", body)).await)
    }
}

/// A message was published if the answer is the message: its id, and the event `message`.
fn read(outcome: Result<Answer, OutboundError>) -> Result<Receipt, SendError> {
    let body = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    if let Ok(answer) = &outcome
        && !answer.is_success()
        && let (body, status) = (body(answer), answer.status)
        && let Some(code) = body["code"].as_i64()
    {
        let reason = format!("ntfy {code}: {}", body["error"].as_str().unwrap_or("no reason given"));
        return Err(match (code, status) {
            (42908, _) => SendError::Later { reason, after: Some(answer.retry_after().unwrap_or(QUOTA)) },
            (_, 429 | 500..=599) => SendError::Later { reason, after: answer.retry_after() },
            _ => SendError::Refused { reason },
        });
    }
    let answer = judge(outcome)?;
    let body = body(&answer);
    match (body["id"].as_str(), body["event"].as_str()) {
        (Some(id), Some("message")) => Ok(Receipt { far_id: Some(id.to_owned()), confirmed: false }),
        _ => Err(SendError::later(format!("this is not an answer of ntfy: {}", answer.excerpt()))),
    }
}

impl Channel for Ntfy {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(self.post(message))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async {
            let answer = judge(self.outbound.send(self.outgoing("GET", "/v1/health", Vec::new())).await)?;
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            match body["healthy"].as_bool() {
                Some(true) => Ok("the server says it is healthy".to_owned()),
                _ => Err(SendError::later(format!("the server says {}", answer.excerpt()))),
            }
        })
    }

    fn abilities(&self) -> Abilities {
        Abilities { shows_acks: false, at_once: 2 }
    }
}
