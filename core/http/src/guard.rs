//! What every request passes: trace, request id, host, token, time-out.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_core::future::BoxFuture;
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

/// Puts the request into its story and gives it an id; both go back in the answer, whatever name it came to.
pub(crate) async fn trace(State(hosts): State<Hosts>, mut request: Request, next: Next) -> Response {
    let incoming = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let trace = incoming.and_then(Trace::parse).unwrap_or_else(Trace::start);
    let id = match request.headers().get(REQUEST_ID) {
        Some(id) if id.len() <= 128 => id.clone(),
        _ => HeaderValue::from_str(&hex(&chance::<8>())).unwrap_or(HeaderValue::from_static("0")),
    };
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let span = tracing::debug_span!("request", trace_id = %trace.id(), method = %request.method(), path = request.uri().path());
    let mut response = trace.scope(host(hosts, request, next)).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&trace.traceparent()) {
        response.headers_mut().insert(TRACEPARENT, value);
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
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
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    if hosts.any || name.is_empty() || LOOPBACK.contains(&name) {
        return next.run(request).await;
    }
    let mut problem = Problem::new(421, "host", "this is not a name of this service");
    problem.field = Some("Host".to_owned());
    problem.value = Some(host.chars().take(100).collect());
    problem.allowed = Some("`127.0.0.1`, `localhost` or `[::1]`".to_owned());
    Refusal(problem).into_response()
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

    fn count(&self, method: &Method, status: StatusCode) {
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
    let caller = match caller(&door, request.headers()).await {
        Err(_) if door.right == Right::Open => None,
        Err(refusal) => return refusal.into_response(),
        Ok(caller) => caller,
    };
    match caller {
        Some(caller) if caller.right >= door.right => {
            request.extensions_mut().insert(caller);
        }
        _ if door.right == Right::Open => {}
        Some(Caller { name, .. }) => {
            let problem =
                Problem::new(403, "right", format!("`{name}` may look here, but not change anything"));
            return Refusal(problem).into_response();
        }
        None => {
            let mut response = Refusal(
                Problem::new(401, "token", "this request needs a token of this house")
                    .hint("send `Authorization: Bearer` with the contents of `run/tokens/cli-<service>`, or use the `sanctum` command"),
            )
            .into_response();
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
    }
    let Some(timeout) = door.timeout else { return next.run(request).await };
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal(Problem::new(503, "slow", "this took too long here")).into_response(),
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
