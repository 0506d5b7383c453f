//! What every request passes: trace, request id, host, token, time-out.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use futures_util::future::Either;
use sanctum_api::Problem;
use sanctum_kernel::metrics::{Counter, Family};
use sanctum_kernel::trace::{chance, hex};
use sanctum_kernel::{Peers, Right, Trace};
use tracing::Instrument;

use crate::{Caller, Refusal};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// In whose name one of the house's own asks.
const AGENT: HeaderName = HeaderName::from_static("x-sanctum-agent");
/// Bytes of an agent's name.
const LONGEST_AGENT: usize = 256;

/// What a request is part of, and its own id.
pub(crate) struct Story {
    trace: Trace,
    id: HeaderValue,
}

impl Story {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let incoming = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        let trace = incoming.and_then(Trace::parse).unwrap_or_else(Trace::start);
        let id = match headers.get(REQUEST_ID) {
            Some(id) if id.len() <= 128 => id.clone(),
            _ => HeaderValue::try_from(hex(&chance::<8>())).unwrap_or(HeaderValue::from_static("0")),
        };
        Self { trace, id }
    }

    /// What is logged on the way to its answer says so.
    pub(crate) fn span(&self, method: &Method, path: &str) -> tracing::Span {
        tracing::debug_span!("request", trace_id = %self.trace.id(), %method, path)
    }

    /// Answers as a part of it; the answer says so. (No `async fn`: those hold the work they are given twice.)
    pub(crate) fn tell<B>(
        self,
        answer: impl Future<Output = axum::http::Response<B>>,
    ) -> impl Future<Output = axum::http::Response<B>> {
        self.trace.scope(answer).map(move |mut response| {
            if let Ok(value) = HeaderValue::try_from(self.trace.traceparent()) {
                response.headers_mut().insert(TRACEPARENT, value);
            }
            response.headers_mut().insert(REQUEST_ID, self.id);
            response
        })
    }
}

/// Puts the request into its story and gives it an id; both go back in the answer, whatever name it came to.
pub(crate) async fn trace(State(hosts): State<Hosts>, mut request: Request, next: Next) -> Response {
    let story = Story::of(request.headers());
    request.headers_mut().insert(REQUEST_ID, story.id.clone());
    let span = story.span(request.method(), request.uri().path());
    story.tell(host(hosts, request, next)).instrument(span).await
}

/// What this machine is called by who is on it.
pub const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Names by which this machine may be called; anything else is a page somewhere else resolving to us
/// (DNS rebinding).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hosts {
    /// Listening beyond loopback, by any name, was the owner's choice.
    pub(crate) any: bool,
}

async fn host(hosts: Hosts, request: Request, next: Next) -> Response {
    match hosts.admit(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

impl Hosts {
    pub(crate) fn admit(self, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name =
            host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
        if self.any || name.is_empty() || LOOPBACK.contains(&name) {
            return Ok(());
        }
        let mut problem = Problem::new(421, "host", "this is not a name of this service");
        problem.field = Some("Host".to_owned());
        problem.value = Some(host.chars().take(100).collect());
        problem.allowed = Some("`127.0.0.1`, `localhost` or `[::1]`".to_owned());
        Err(Refusal(problem))
    }
}

/// Who may come in besides the house's own: holders of a key that another service keeps.
pub trait Guests: std::fmt::Debug + Send + Sync {
    /// Who shows this token; `None` for nobody, an error where it cannot be said now.
    fn admit<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<Caller>, Refusal>>;
}

/// The door of one route: who shows a token with the right comes in.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) peers: Peers,
    pub(crate) guests: Option<Arc<dyn Guests>>,
    pub(crate) right: Right,
    pub(crate) timeout: Option<Duration>,
    pub(crate) meter: Meter,
}

/// Requests of one service, by route, method and class of status.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    requests: Family<Labels, Counter>,
    route: &'static str,
    /// The counters that were met: a handful for each route, found without making their labels again.
    met: Arc<RwLock<Vec<(Method, StatusCode, Counter)>>>,
}

/// Names and values; a house has few routes, so that they are few.
pub(crate) type Labels = Vec<(&'static str, String)>;

impl Meter {
    pub(crate) fn new(requests: Family<Labels, Counter>, route: &'static str) -> Self {
        Self { requests, route, met: Arc::default() }
    }

    pub(crate) fn count(&self, method: &Method, status: StatusCode) {
        let met = self.met.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, counter)) = met.iter().find(|(m, s, _)| m == method && *s == status) {
            counter.inc();
            return;
        }
        drop(met);
        let labels = vec![
            ("method", method.to_string()),
            ("route", self.route.to_owned()),
            ("status", status.as_u16().to_string()),
        ];
        let counter = self.requests.get_or_create(&labels).clone();
        counter.inc();
        // Methods that are not served come here as well; their names are the caller's to choose.
        let mut met = self.met.write().unwrap_or_else(PoisonError::into_inner);
        if met.len() < 32 {
            met.push((method.clone(), status, counter));
        }
    }
}

pub(crate) async fn door(State(door): State<Door>, request: Request, next: Next) -> Response {
    let (meter, method) = (door.meter.clone(), request.method().clone());
    let response = admit(door, request, next).await;
    meter.count(&method, response.status());
    response
}

async fn admit(door: Door, mut request: Request, next: Next) -> Response {
    match door.admit(request.headers()).await {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
        }
        Ok(None) => {}
        Err(refusal) => return refusal.into_response(),
    }
    door.in_time(next.run(request)).await.unwrap_or_else(IntoResponse::into_response)
}

impl Door {
    /// Who comes in; nobody in particular where anybody may.
    pub(crate) async fn admit(&self, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
        match caller(self, headers).await {
            Err(_) if self.right == Right::Open => Ok(None),
            Err(refusal) => Err(refusal),
            Ok(Some(caller)) if caller.right >= self.right => Ok(Some(caller)),
            Ok(_) if self.right == Right::Open => Ok(None),
            Ok(Some(Caller { name, .. })) => {
                let title = format!("`{name}` may look here, but not change anything");
                Err(Refusal(Problem::new(403, "right", title)))
            }
            Ok(None) => Err(Refusal(
                Problem::new(401, "token", "this request needs a token of this house")
                    .hint("send `Authorization: Bearer` with the contents of `run/tokens/cli-<service>`, or use the `sanctum` command"),
            )),
        }
    }

    /// What `work` comes to, if it does within the time there is.
    pub(crate) fn in_time<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, Refusal>> {
        let slow = |_| Refusal(Problem::new(503, "slow", "this took too long here"));
        match self.timeout {
            Some(timeout) => {
                Either::Left(tokio::time::timeout(timeout, work).map(move |done| done.map_err(slow)))
            }
            None => Either::Right(work.map(Ok)),
        }
    }
}

async fn caller(door: &Door, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
    let Some(token) = bearer(headers) else { return Ok(None) };
    if let Some((name, right)) = door.peers.admit(token) {
        let agent = headers.get(AGENT).and_then(|agent| agent.to_str().ok());
        let agent = agent.filter(|agent| right >= Right::Act && (1..=LONGEST_AGENT).contains(&agent.len()));
        return Ok(Some(Caller { name: name.to_owned(), right, agent: agent.map(str::to_owned) }));
    }
    match &door.guests {
        Some(guests) => guests.admit(token).await,
        None => Ok(None),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// Nothing is there.
pub(crate) async fn nothing(request: Request) -> Refusal {
    Refusal(
        Problem::not_found("such path", request.uri().path().chars().take(200).collect::<String>())
            .hint("`/openapi.json` lists what is here"),
    )
}

/// Something is there, but not for this method.
pub(crate) async fn wrong_method(request: Request) -> Refusal {
    let mut problem = Problem::new(405, "method", "this path does not take that method");
    problem.value = Some(request.method().to_string());
    Refusal(problem)
}
