//! Declaring routes: each with its right, its description and its types.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{Method, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, any_service, on};
use jiff::Timestamp;
use sanctum_api::Health;
use sanctum_kernel::metrics::{Counter, Family};
use sanctum_kernel::service::Shared;
use sanctum_kernel::well::Status;
use sanctum_kernel::{Right, Spec};
use schemars::JsonSchema;
use tower_service::Service;

use crate::guard::{self, Door, Guests, Hosts, Labels, Meter};
use crate::{Gate, Json, StatusCode, openapi};

/// Long enough for anything a service does while a caller waits.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Large enough for every message of the house, small enough to hold a thousand of them.
const BODY_LIMIT: usize = 256 * 1024;

/// One operation: a method, a path, and what is said of it.
#[derive(Debug)]
pub struct Op {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) right: Right,
    pub(crate) takes: Option<fn(&mut schemars::SchemaGenerator) -> schemars::Schema>,
    pub(crate) returns: Option<fn(&mut schemars::SchemaGenerator) -> schemars::Schema>,
    pub(crate) queries: &'static [(&'static str, &'static str)],
    stream: bool,
    slow: bool,
    limit: usize,
}

impl Op {
    fn new(method: Method, path: &'static str, summary: &'static str, right: Right) -> Self {
        let (takes, returns, queries) = (None, None, &[] as &[_]);
        Self {
            method,
            path,
            summary,
            right,
            takes,
            returns,
            queries,
            stream: false,
            slow: false,
            limit: BODY_LIMIT,
        }
    }

    /// Reading needs the right to read, unless [`Op::right`] says otherwise; changing needs the right to act.
    pub fn get(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::GET, path, summary, Right::Read)
    }

    pub fn post(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::POST, path, summary, Right::Act)
    }

    pub fn put(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::PUT, path, summary, Right::Act)
    }

    pub fn delete(path: &'static str, summary: &'static str) -> Self {
        Self::new(Method::DELETE, path, summary, Right::Act)
    }

    #[must_use]
    pub fn right(mut self, right: Right) -> Self {
        self.right = right;
        self
    }

    /// The type of the JSON body.
    #[must_use]
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(schemars::SchemaGenerator::subschema_for::<T>);
        self
    }

    /// The type of the JSON answer.
    #[must_use]
    pub fn returns<T: JsonSchema>(mut self) -> Self {
        self.returns = Some(schemars::SchemaGenerator::subschema_for::<T>);
        self
    }

    /// Names of query parameters, each with what it means.
    #[must_use]
    pub fn queries(mut self, queries: &'static [(&'static str, &'static str)]) -> Self {
        self.queries = queries;
        self
    }

    /// It answers with events for as long as the caller listens: no time-out.
    #[must_use]
    pub fn stream(mut self) -> Self {
        self.stream = true;
        self
    }

    /// It answers when something is done that takes as long as it takes: no time-out.
    #[must_use]
    pub fn slow(mut self) -> Self {
        self.slow = true;
        self
    }

    /// The largest body, in bytes.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    pub(crate) const fn is_stream(&self) -> bool {
        self.stream
    }
}

/// The surface of one service.
#[derive(Debug)]
pub struct Routes<S> {
    router: Router<S>,
    ops: Vec<Op>,
    shared: Shared,
    spec: &'static Spec,
    requests: Family<Labels, Counter>,
    guests: Option<Arc<dyn Guests>>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub fn new(spec: &'static Spec, shared: &Shared) -> Self {
        let requests = Family::default();
        let help = "Requests by route, method and status";
        shared.metrics.with(|registry| registry.register("http_requests", help, Family::clone(&requests)));
        let (router, ops) = (Router::new(), Vec::new());
        Self { router, ops, shared: shared.clone(), spec, requests, guests: None }
    }

    /// From here on, operations also let in whom `guests` know.
    #[must_use]
    pub fn guests(mut self, guests: Arc<dyn Guests>) -> Self {
        self.guests = Some(guests);
        self
    }

    /// Adds an operation; its handler is an axum handler over the state `S`.
    #[must_use]
    pub fn on<H: Handler<T, S>, T: 'static>(mut self, op: Op, handler: H) -> Self {
        let door = self.door(&op);
        let filter = MethodFilter::try_from(op.method.clone()).unwrap_or(MethodFilter::GET);
        let route = on(filter, handler)
            .layer(DefaultBodyLimit::max(op.limit))
            .layer(from_fn_with_state(door, guard::door));
        self.router = self.router.route(op.path, route);
        self.ops.push(op);
        self
    }

    /// Adds a service that answers every method of its path itself: a protocol of its own behind the house's door. The
    /// [`Caller`](crate::Caller) is among the request's extensions.
    #[must_use]
    pub fn mount<T>(mut self, op: Op, service: T) -> Self
    where
        T: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
        T::Response: IntoResponse + 'static,
        T::Future: Send + 'static,
    {
        let door = self.door(&op);
        let route = any_service(service).layer(from_fn_with_state(door, guard::door));
        self.router = self.router.route(op.path, route);
        self.ops.push(op);
        self
    }

    /// The way in of an operation for requests that are answered before the routes.
    pub fn gate(&self, op: &Op) -> Gate {
        Gate { hosts: self.hosts(), door: self.door(op), limit: op.limit }
    }

    fn hosts(&self) -> Hosts {
        let loopback = self.shared.peers.addr(self.spec.name).is_none_or(|addr| addr.ip().is_loopback());
        Hosts { any: !loopback }
    }

    fn door(&self, op: &Op) -> Door {
        Door {
            peers: self.shared.peers.clone(),
            guests: self.guests.clone(),
            right: op.right,
            timeout: (!op.is_stream() && !op.slow).then_some(TIMEOUT),
            meter: Meter::new(Family::clone(&self.requests), op.path),
        }
    }

    /// The whole surface: these operations and those every service has.
    pub fn finish(self, state: S) -> Router {
        let since = self.shared.clock.now();
        let hosts = self.hosts();
        let shared = self.shared.clone();
        let spec = self.spec;
        let routes = self
            .on(Op::get("/live", "Answers if the process lives").right(Right::Open), async || "live\n")
            .on(Op::get("/ready", "200 once it is ready, 503 before").right(Right::Open), {
                let ready = shared.ready.clone();
                async move || {
                    if ready.is_ready() {
                        (StatusCode::OK, "ready\n")
                    } else {
                        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
                    }
                }
            })
            .on(
                Op::get("/health", "Whether it does its work, part by part")
                    .right(Right::Open)
                    .returns::<Health>(),
                {
                    let shared = shared.clone();
                    async move || health(spec, &shared, since)
                },
            )
            .on(Op::get("/metrics", "Prometheus metrics").right(Right::Open), {
                let shared = shared.clone();
                async move || metrics(&shared)
            });
        let ops: Arc<[Op]> = routes.ops.into();
        let describe = Op::get("/openapi.json", "This description").right(Right::Open);
        let meter = Meter::new(Family::clone(&routes.requests), describe.path);
        let door = Door {
            peers: shared.peers.clone(),
            guests: None,
            right: Right::Open,
            timeout: Some(TIMEOUT),
            meter,
        };
        let serve = on(MethodFilter::GET, async move || {
            ([(header::CONTENT_TYPE, "application/json")], openapi::describe(spec, &ops).to_string())
        });
        routes
            .router
            .route(describe.path, serve.layer(from_fn_with_state(door, guard::door)))
            .fallback(guard::nothing)
            .method_not_allowed_fallback(guard::wrong_method)
            .layer(from_fn_with_state(hosts, guard::trace))
            .with_state(state)
    }
}

fn health(spec: &'static Spec, shared: &Shared, since: Timestamp) -> impl IntoResponse + use<> {
    let (status, parts) = shared.well.look();
    let parts = parts.into_iter().map(|(name, condition)| (name.to_owned(), condition)).collect();
    let health = Health {
        service: spec.name.to_owned(),
        house_name: spec.house_name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        status,
        ready: shared.ready.is_ready(),
        since,
        parts,
    };
    let code = if status == Status::Unwell { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(health))
}

fn metrics(shared: &Shared) -> impl IntoResponse + use<> {
    let mut text = String::new();
    let own = shared.metrics.with(|registry| sanctum_kernel::metrics::encode_registry(&mut text, registry));
    let standard = shared
        .metrics
        .with_standard(|registry| sanctum_kernel::metrics::encode_registry(&mut text, registry));
    match own.and(standard).and_then(|()| sanctum_kernel::metrics::encode_eof(&mut text)) {
        Ok(()) => {
            Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
        }
        Err(error) => Err(crate::Refusal::inside(&error)),
    }
}
