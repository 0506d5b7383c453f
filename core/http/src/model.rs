//! Asking a model of the house one question, through the proxy.

use std::time::Duration;

use sanctum_kernel::Trace;
use sanctum_kernel::peers::Peers;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{Outbound, Outgoing};

/// What a service asks a model. The answer is data: whoever asks checks what of it may be believed.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// A model of the proxy, or an intent of its.
    pub model: &'a str,
    /// What is to be done with the text.
    pub task: &'a str,
    /// What it is about: data, whatever it asks for.
    pub text: &'a str,
    /// The longest answer, in tokens.
    pub tokens: u32,
    pub timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    #[error("the proxy cannot be asked: {0}")]
    NoProxy(String),
    #[error("the model did not answer: {0}")]
    Silent(String),
    #[error("the proxy refused: status {0}: {1}")]
    Refused(u16, String),
}

/// The words of the model; empty where it has none. Sent as `health`, one of the two classes that never leave the house:
/// whatever a service asks by itself stays in it.
///
/// # Errors
///
/// If there is no proxy, no answer in time, or a refusal.
pub async fn ask_model(peers: &Peers, question: Question<'_>) -> Result<String, ModelError> {
    let Question { model, task, text, tokens, timeout } = question;
    let peer = peers.peer("proxy").map_err(|error| ModelError::NoProxy(error.to_string()))?;
    let headers = vec![
        ("authorization".to_owned(), format!("Bearer {}", peer.token.expose_secret())),
        ("content-type".to_owned(), "application/json".to_owned()),
        ("x-sanctum-class".to_owned(), "health".to_owned()),
        ("traceparent".to_owned(), Trace::current().traceparent()),
    ];
    let url = format!("http://{}/v1/chat/completions", peer.addr);
    let body = json!({
        "model": model,
        "messages": [{ "role": "system", "content": task }, { "role": "user", "content": text }],
        "temperature": 0,
        "max_tokens": tokens,
        "stream": false,
    });
    let outgoing = Outgoing { method: "POST", url, headers, body: body.to_string().into_bytes(), timeout };
    let answer =
        Outbound::default().send(outgoing).await.map_err(|error| ModelError::Silent(error.to_string()))?;
    if !answer.is_success() {
        return Err(ModelError::Refused(answer.status, answer.excerpt()));
    }
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(said.pointer("/choices/0/message/content").and_then(Value::as_str).unwrap_or_default().to_owned())
}
