//! A JSON document by POST to any URL, signed with HMAC-SHA256.

use std::sync::Arc;

use futures_core::future::BoxFuture;
use ring::hmac;
use sanctum_http::{Answer, Outbound, Outgoing};
use sanctum_kernel::service::Complaint;
use sanctum_kernel::trace::hex;
use sanctum_kernel::{Clock, Failure, SecretRef, Trace};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use super::{Abilities, Channel, Kind, Parts, Receipt, SendError, judge};
use crate::message::Message;

pub(crate) const SUMMARY: &str = "a signed JSON document by POST to a URL";

/// A JSON document by POST. The header `X-Sanctum-Signature` is `sha256=` and the hexadecimal HMAC-SHA256, under the
/// secret, of the header `X-Sanctum-Timestamp` (Unix seconds), a full stop, and the body. `Idempotency-Key` is the same
/// for every attempt at one message.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Where to, `http://` or `https://`.
    pub url: String,
    /// The key of the signature; without it nothing is signed.
    pub secret: Option<SecretRef>,
}

impl Kind for Config {
    fn build(&self, _: &str, parts: &Parts) -> Result<Arc<dyn Channel>, Failure> {
        let secret = self.secret.as_ref().map(|secret| secret.resolve(&parts.shared.paths)).transpose()?;
        let key = secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes()));
        Ok(Arc::new(Webhook {
            url: self.url.clone(),
            key,
            outbound: parts.outbound.clone(),
            clock: parts.shared.clock.clone(),
            deadline: parts.deadline,
        }))
    }

    fn complaints(&self) -> Vec<Complaint> {
        super::web_url(&self.url, &["url"])
    }
}

#[derive(Debug)]
struct Webhook {
    url: String,
    key: Option<hmac::Key>,
    outbound: Outbound,
    clock: Clock,
    deadline: std::time::Duration,
}

impl Webhook {
    async fn post(&self, message: &Message) -> Result<Receipt, SendError> {
        let body = serde_json::to_vec(&message.json()).map_err(|error| SendError::refused(error.to_string()))?;
        let timestamp = self.clock.now().as_second().to_string();
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("idempotency-key".to_owned(), message.key()),
            ("traceparent".to_owned(), Trace::within(message.trace).traceparent()),
        ];
        if let Some(key) = &self.key {
            headers.push(("x-sanctum-signature".to_owned(), sign(key, &timestamp, &body)));
            headers.push(("x-sanctum-timestamp".to_owned(), timestamp));
        }
        let outgoing = Outgoing { method: "POST", url: self.url.clone(), headers, body, timeout: self.deadline };
        let answer = judge(self.outbound.send(outgoing).await)?;
        believe(&answer)
    }
}

/// `sha256=` and the HMAC of timestamp, full stop, body.
fn sign(key: &hmac::Key, timestamp: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(timestamp.as_bytes());
    context.update(b".");
    context.update(body);
    format!("sha256={}", hex(context.sign().as_ref()))
}

/// A 200 whose body says that it failed has failed.
fn believe(answer: &Answer) -> Result<Receipt, SendError> {
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&answer.body) else { return Ok(Receipt::default()) };
    let no = |field: &str| body.get(field) == Some(&Value::Bool(false));
    let error = body.get("error").filter(|error| !matches!(error, Value::Null | Value::Bool(false)));
    let status = body.get("status").and_then(Value::as_str).unwrap_or_default();
    if no("ok") || no("success") || error.is_some() || matches!(status, "error" | "failed" | "failure") {
        return Err(SendError::later(format!("answered {} but says that it failed: {}", answer.status, answer.excerpt())));
    }
    let far_id = body.get("id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    Ok(Receipt { far_id, confirmed: false })
}

impl Channel for Webhook {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(self.post(message))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async { Ok("it is only known when something is sent".to_owned()) })
    }

    fn abilities(&self) -> Abilities {
        Abilities { shows_acks: true, at_once: 16 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_of_timestamp_and_body() {
        // The value was computed with `printf '1700000000.{}' | openssl dgst -sha256 -hmac key`.
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let signature = sign(&key, "1700000000", b"{}");
        assert_eq!(signature, "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae");
    }

    #[test]
    fn a_body_that_says_it_failed_is_a_failure() {
        let cases = [
            ("ok", true),
            ("{}", true),
            (r#"{"ok":true,"id":7}"#, true),
            (r#"{"ok":false}"#, false),
            (r#"{"success":false}"#, false),
            (r#"{"error":"no such room"}"#, false),
            (r#"{"error":null}"#, true),
            (r#"{"status":"error"}"#, false),
            (r#"{"status":"ok"}"#, true),
        ];
        for (body, good) in cases {
            let answer = Answer { status: 200, headers: sanctum_http::HeaderMap::default(), body: body.into() };
            assert_eq!(believe(&answer).is_ok(), good, "{body}");
        }
    }
}
