//! A hub that keeps what it is told.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use sanctum_http::{Json, Op, Routes, State, serve};
use sanctum_kernel::service::Shared;
use sanctum_kernel::spec::Listen;
use sanctum_kernel::{Context, Failure, Latch, Probe, Service, Spec, Stop, Tier};
use serde_json::{Value, json};

type Told = Arc<Mutex<Vec<Value>>>;

static HUBS: LazyLock<Mutex<HashMap<PathBuf, Told>>> = LazyLock::new(Mutex::default);

/// What the hub of this home has been told.
pub(crate) fn told(home: &Path) -> Told {
    HUBS.lock().unwrap().entry(home.to_owned()).or_default().clone()
}

pub(crate) struct Hub {
    shared: Shared,
    listener: TcpListener,
    latch: Latch,
}

#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

impl Service for Hub {
    const SPEC: Spec = Spec {
        name: "notify",
        house_name: "a hub",
        summary: "a stub",
        listen: &[Listen { name: "http", port: 4077, lore: "a stub needs no joke" }],
        probe: Probe::Process,
        tier: Tier::Ordinary,
        ..Spec::DEFAULT
    };
    type Config = Empty;

    async fn build(mut cx: Context<Empty>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        Ok(Self { shared: cx.shared, listener, latch: cx.latch })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let told = told(self.shared.paths.home());
        let app =
            Routes::new(const { &Self::SPEC }, &self.shared).on(Op::post("/notify", ""), take).finish(told);
        self.latch.release();
        Ok(serve(self.listener, app, stop).await?)
    }
}

async fn take(State(told): State<Told>, Json(notice): Json<Value>) -> Json<Value> {
    told.lock().unwrap().push(notice);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    Json(
        json!({ "id": 1, "status": "accepted", "channels": [], "quiet_hours": false, "deduplicated": false, "trace_id": trace }),
    )
}
