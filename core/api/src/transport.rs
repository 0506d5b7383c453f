//! How a client reaches its service, without saying by what means.

use std::pin::Pin;

use futures_core::Stream;
use futures_core::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

/// A method that a client uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Put,
    Post,
    Delete,
}

/// One request: the body, if any, is JSON.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// Path and query, beginning with `/`.
    pub path: String,
    pub body: Option<Vec<u8>>,
    /// Makes a repeated request return the first answer.
    pub idempotency_key: Option<String>,
}

/// Why a call brought no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The service answered with a problem.
    #[error("{service} refused")]
    Refused {
        service: String,
        #[source]
        problem: Box<Problem>,
    },
    /// It did not answer: down, or not in time. Whether it acted is unknown.
    #[error("{service} did not answer: {reason}")]
    Silent { service: String, reason: String },
    /// It answered with something else than was agreed.
    #[error("{service} answered with something unexpected: {reason}")]
    Garbled { service: String, reason: String },
}

impl CallError {
    /// The problem, if the service answered with one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }
}

/// A server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: Option<String>,
    pub kind: String,
    pub data: String,
}

/// Events as they come. It ends when the service goes; who follows reconnects with the last id.
pub type Events = Pin<Box<dyn Stream<Item = Result<Event, CallError>> + Send>>;

/// A way to one service.
pub trait Transport: Send + Sync + std::fmt::Debug {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Vec<u8>, CallError>>;
    /// Follows `path` from after `last_id`; from now if `None`.
    fn events(&self, path: String, last_id: Option<String>) -> BoxFuture<'_, Result<Events, CallError>>;
    /// The service's name, for errors.
    fn service(&self) -> &str;
}

/// `GET path`, read as `T`.
pub async fn get<T: DeserializeOwned>(to: &dyn Transport, path: impl Into<String>) -> Result<T, CallError> {
    send(to, Request { method: Method::Get, path: path.into(), body: None, idempotency_key: None }).await
}

/// `method path` with a JSON body, read as `T`.
pub async fn act<B: Serialize + Sync, T: DeserializeOwned>(
    to: &dyn Transport,
    method: Method,
    path: impl Into<String>,
    body: &B,
) -> Result<T, CallError> {
    let body = serde_json::to_vec(body).map_err(|error| garbled(to, &error))?;
    send(to, Request { method, path: path.into(), body: Some(body), idempotency_key: None }).await
}

/// Sends any request and reads the answer as `T`; an empty answer is `null`.
pub async fn send<T: DeserializeOwned>(to: &dyn Transport, request: Request) -> Result<T, CallError> {
    let answer = to.call(request).await?;
    let answer: &[u8] = if answer.is_empty() { b"null" } else { &answer };
    serde_json::from_slice(answer).map_err(|error| garbled(to, &error))
}

fn garbled(to: &dyn Transport, error: &serde_json::Error) -> CallError {
    CallError::Garbled { service: to.service().to_owned(), reason: error.to_string() }
}

/// Escapes one segment of a path or one value of a query (RFC 3986 unreserved characters stay).
pub fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").ok();
        }
        out
    })
}
