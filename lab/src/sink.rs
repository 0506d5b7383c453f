//! The parent's phone: a webhook of our own that writes down what it is told, and when.

use std::sync::{Arc, Mutex, PoisonError};

use sanctum_http::axum::extract::State;
use sanctum_http::axum::routing::post;
use sanctum_http::axum::{Router, serve};
use sanctum_http::{Bytes, HeaderMap, StatusCode};
use sanctum_kernel::Failure;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) at: i64,
    /// The trace id of the header `traceparent`.
    pub(crate) trace: String,
    pub(crate) body: Value,
}

/// The phone; it rings no more when this is dropped.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) port: u16,
    told: Arc<Mutex<Vec<Told>>>,
    _serving: JoinSet<()>,
}

impl Sink {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let app = Router::new().route("/parent", post(take)).with_state(Arc::clone(&told));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            serve(listener, app).await.ok();
        });
        Ok(Self { port, told, _serving: serving })
    }

    /// The first message of a story.
    pub(crate) fn of(&self, trace: &str) -> Option<Told> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .find(|told| told.trace == trace)
            .cloned()
    }
}

async fn take(State(told): State<Arc<Mutex<Vec<Told>>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let at = crate::now();
    let parent = headers.get("traceparent").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let trace = parent.split('-').nth(1).unwrap_or_default().to_owned();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    told.lock().unwrap_or_else(PoisonError::into_inner).push(Told { at, trace, body });
    StatusCode::OK
}
