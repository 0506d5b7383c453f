//! Calling another service of the house.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use sanctum_api::transport::{Method, Request};
use sanctum_api::{CallError, Event, Events, Problem, Transport};
use sanctum_kernel::peers::NoPeer;
use sanctum_kernel::{Peer, Peers, Trace};
use secrecy::{ExposeSecret, SecretString};

use crate::sse::Decoder;
use crate::{Outbound, OutboundError, Outgoing};

/// Longer than any answer of a healthy service.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A pause before the second try of a request that may be repeated.
const PAUSE: Duration = Duration::from_millis(100);
/// A stream of events that is silent for this long is dead: the keep-alive comes every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// A problem that is longer than this, in bytes, is none.
const LARGEST_PROBLEM: usize = 64 * 1024;

/// The way to `callee` for whoever `peers` belongs to.
pub fn connect(peers: &Peers, callee: &str) -> Result<Arc<dyn Transport>, NoPeer> {
    peers.peer(callee).map(transport)
}

/// The way to a peer.
pub fn transport(peer: Peer) -> Arc<dyn Transport> {
    transport_within(peer, TIMEOUT)
}

/// The same for work that takes longer than an answer of every day.
pub fn transport_within(peer: Peer, timeout: Duration) -> Arc<dyn Transport> {
    let Peer { name, addr, token, .. } = peer;
    Arc::new(Http { name, addr, token, timeout, outbound: Outbound::default() })
}

struct Http {
    name: String,
    addr: SocketAddr,
    token: SecretString,
    timeout: Duration,
    outbound: Outbound,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.name, self.addr)
    }
}

impl Http {
    fn outgoing(&self, request: &Request) -> Outgoing {
        let method = match request.method {
            Method::Get => "GET",
            Method::Put => "PUT",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        };
        let mut headers = vec![
            ("authorization".to_owned(), format!("Bearer {}", self.token.expose_secret())),
            ("traceparent".to_owned(), Trace::current().traceparent()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(request.idempotency_key.iter().map(|key| ("idempotency-key".to_owned(), key.clone())));
        let url = format!("http://{}{}", self.addr, request.path);
        Outgoing {
            method,
            url,
            headers,
            body: request.body.clone().unwrap_or_default(),
            timeout: self.timeout,
        }
    }

    fn silent(&self, error: &OutboundError) -> CallError {
        CallError::Silent { service: self.name.clone(), reason: error.to_string() }
    }

    async fn exchange(&self, request: Request) -> Result<Vec<u8>, CallError> {
        // A repeated PUT or DELETE ends in the same state, and a key makes a repeated POST the same request.
        let repeatable = request.method != Method::Post || request.idempotency_key.is_some();
        let mut outcome = self.outbound.send(self.outgoing(&request)).await;
        if repeatable && matches!(outcome, Err(OutboundError::Unreachable(_) | OutboundError::Broken(_))) {
            tokio::time::sleep(PAUSE).await;
            outcome = self.outbound.send(self.outgoing(&request)).await;
        }
        let answer = outcome.map_err(|error| self.silent(&error))?;
        if answer.is_success() {
            return Ok(answer.body.to_vec());
        }
        let problem = serde_json::from_slice(&answer.body).unwrap_or_else(|_| {
            Problem::new(answer.status, "unknown", format!("status {}", answer.status))
                .detail(answer.excerpt())
        });
        Err(CallError::Refused { service: self.name.clone(), problem: Box::new(problem) })
    }

    async fn follow(&self, path: String, last_id: Option<String>) -> Result<Events, CallError> {
        let request = Request { method: Method::Get, path, body: None, idempotency_key: None };
        let mut outgoing = self.outgoing(&request);
        outgoing.headers.extend(last_id.map(|id| ("last-event-id".to_owned(), id)));
        let opened = tokio::time::timeout(TIMEOUT, self.outbound.open(outgoing)).await;
        let response = match opened {
            Ok(opened) => opened.map_err(|error| self.silent(&error))?,
            Err(_) => return Err(self.silent(&OutboundError::Slow(TIMEOUT))),
        };
        if !response.status().is_success() {
            let status = response.status().as_u16();
            // The refusal stands without its words: they may not come, or never end.
            let words = Limited::new(response.into_body(), LARGEST_PROBLEM).collect();
            let body = tokio::time::timeout(TIMEOUT, words).await.ok().and_then(Result::ok);
            let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let problem = serde_json::from_slice(&body)
                .unwrap_or_else(|_| Problem::new(status, "unknown", format!("status {status}")));
            return Err(CallError::Refused { service: self.name.clone(), problem: Box::new(problem) });
        }
        Ok(decode(self.name.clone(), response.into_body()))
    }
}

impl Transport for Http {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Vec<u8>, CallError>> {
        Box::pin(self.exchange(request))
    }

    fn events(&self, path: String, last_id: Option<String>) -> BoxFuture<'_, Result<Events, CallError>> {
        Box::pin(self.follow(path, last_id))
    }

    fn service(&self) -> &str {
        &self.name
    }
}

struct Following {
    name: String,
    body: Incoming,
    decoder: Decoder,
    ready: std::collections::VecDeque<Event>,
}

/// Events out of a body, until it ends, breaks or falls silent.
pub(crate) fn decode(name: String, body: Incoming) -> Events {
    let following =
        Following { name, body, decoder: Decoder::default(), ready: std::collections::VecDeque::new() };
    Box::pin(futures_util::stream::unfold(Some(following), |state| async move {
        let mut state = state?;
        loop {
            if let Some(event) = state.ready.pop_front() {
                return Some((Ok(event), Some(state)));
            }
            let error = match tokio::time::timeout(SILENCE, state.body.frame()).await {
                Ok(None) => return None,
                Ok(Some(Ok(frame))) => {
                    match state.decoder.push(frame.data_ref().map_or(&[][..], |data| data)) {
                        Ok(events) => {
                            state.ready.extend(events);
                            continue;
                        }
                        Err(error) => CallError::Garbled { service: state.name, reason: error.to_string() },
                    }
                }
                Ok(Some(Err(error))) => CallError::Silent { service: state.name, reason: error.to_string() },
                Err(_) => {
                    CallError::Silent { service: state.name, reason: "the stream fell silent".to_owned() }
                }
            };
            return Some((Err(error), None));
        }
    }))
}
