//! Services that answer what a test has scripted: real HTTP, real tokens, real streams of events.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sanctum_http::axum::http::{Method, Uri};
use sanctum_http::{
    Bytes, Feed, IntoResponse, Json, LastEventId, Op, Response, Routes, State, StatusCode, serve,
};
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Catalogue, Context, Entry, Failure, Latch, Listen, Probe, Service, Spec, Stop};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) static CATALOGUE: Catalogue = const {
    Catalogue::new(
        const {
            &[
                Entry::of::<Notify>(),
                Entry::of::<Firewall>(),
                Entry::of::<Screen>(),
                Entry::of::<Supervise>(),
                Entry::of::<Proxy>(),
                Entry::of::<Watch>(),
                Entry::of::<Memory>(),
                Entry::of::<sanctum_dashboard::Dashboard>(),
            ]
        },
    )
};

/// `PUT /stub/answer`: from now on this is the answer to `GET /banners`, say.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Line {
    pub(crate) to: String,
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) after_ms: u64,
}

/// `POST /stub/event`: everyone who follows hears it.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Cue {
    pub(crate) kind: String,
    pub(crate) data: Value,
}

#[derive(Clone)]
struct Stub {
    lines: Arc<Mutex<BTreeMap<String, Line>>>,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    feed: Feed,
    shared: Shared,
}

async fn script(State(stub): State<Stub>, Json(line): Json<Line>) -> StatusCode {
    stub.lines.lock().unwrap().insert(line.to.clone(), line);
    StatusCode::NO_CONTENT
}

async fn cue(State(stub): State<Stub>, Json(cue): Json<Cue>) -> StatusCode {
    stub.feed.publish(&cue.kind, &cue.data);
    StatusCode::NO_CONTENT
}

async fn asked(State(stub): State<Stub>) -> Json<Vec<(String, Value)>> {
    Json(stub.asked.lock().unwrap().clone())
}

async fn follow(State(stub): State<Stub>, LastEventId(last): LastEventId) -> Response {
    sanctum_http::events(stub.feed.follow(last.as_deref()), stub.shared.tasks.stop())
}

async fn answer(State(stub): State<Stub>, method: Method, uri: Uri, body: Bytes) -> Response {
    let to = format!("{method} {}", uri.path());
    stub.asked.lock().unwrap().push((to.clone(), serde_json::from_slice(&body).unwrap_or_default()));
    let line = stub.lines.lock().unwrap().get(&to).cloned();
    match line {
        Some(line) => {
            tokio::time::sleep(Duration::from_millis(line.after_ms)).await;
            (StatusCode::from_u16(line.status).unwrap(), Json(line.body)).into_response()
        }
        None => Json(Value::Array(Vec::new())).into_response(),
    }
}

macro_rules! stub {
    ($type:ident, $name:literal, $house_name:literal, $port:literal, $events:literal, [$($op:expr),* $(,)?]) => {
        pub(crate) struct $type {
            shared: Shared,
            listener: TcpListener,
            latch: Latch,
        }

        impl Service for $type {
            const SPEC: Spec = Spec {
                name: $name,
                house_name: $house_name,
                summary: concat!("stands in for ", $name),
                listen: &[Listen { name: "http", port: $port, lore: "a stub's" }],
                probe: Probe::Http { listen: "http", path: "/health", expect: "well" },
                ..Spec::DEFAULT
            };
            type Config = Nothing;

            async fn build(mut cx: Context<Nothing>) -> Result<Self, Failure> {
                Ok(Self { listener: cx.listener("http")?, shared: cx.shared, latch: cx.latch })
            }

            async fn run(self, stop: Stop) -> Result<(), Failure> {
                let feed = Feed::new(&self.shared.clock);
                let stub = Stub { lines: Arc::default(), asked: Arc::default(), feed, shared: self.shared.clone() };
                let routes = Routes::new(&Self::SPEC, &self.shared)
                    .on(Op::put("/stub/answer", "Scripts an answer"), script)
                    .on(Op::post("/stub/event", "Sends an event"), cue)
                    .on(Op::get("/stub/asked", "What was asked"), asked)
                    .on(Op::get($events, "Events").stream(), follow)
                    $(.on($op, answer))*
                    .finish(stub);
                self.latch.release();
                serve(self.listener, routes, stop).await?;
                Ok(())
            }
        }
    };
}

#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

stub!(
    Notify,
    "notify",
    "Force Flow",
    4077,
    "/events",
    [
        Op::get("/banners", "Banners"),
        Op::get("/trace/{id}", "Story"),
        Op::post("/notifications/{id}/ack", "Ack"),
    ]
);
stub!(
    Firewall,
    "firewall",
    "sanctum-firewalla",
    1984,
    "/events",
    [Op::get("/devices", "Devices"), Op::get("/trace/{id}", "Story"), Op::put("/devices/{id}", "Naming"),]
);
stub!(
    Screen,
    "screen",
    "Screen Time",
    4078,
    "/screen/events",
    [
        Op::get("/screen/status", "Status"),
        Op::get("/screen/schedule", "Schedule"),
        Op::get("/screen/violations", "Violations"),
        Op::get("/trace/{id}", "Story"),
    ]
);
stub!(
    Supervise,
    "supervise",
    "Castellan",
    2189,
    "/events",
    [Op::get("/services", "Services"), Op::post("/services/{name}/{verb}", "Act"),]
);
stub!(Proxy, "proxy", "Sanctum Proxy", 4040, "/events", [Op::get("/stats", "Stats")]);
stub!(
    Watch,
    "watch",
    "Living Force",
    2187,
    "/events",
    [
        Op::get("/body", "Body"),
        Op::get("/incidents/{id}", "Incident"),
        Op::get("/incidents/{id}/post-mortem", "Post-mortem"),
    ]
);
stub!(
    Memory,
    "memory",
    "Holocron",
    42069,
    "/events",
    [
        Op::get("/state", "State"),
        Op::get("/graph", "Graph"),
        Op::get("/reports", "Reports"),
        Op::get("/read/{id}", "Note"),
        Op::get("/links/{id}", "Links"),
        Op::post("/search", "Search").right(sanctum_kernel::Right::Read),
    ]
);
