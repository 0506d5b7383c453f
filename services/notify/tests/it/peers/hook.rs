//! A server for anything that is one POST: keeps what it got, verifies what it can, and misbehaves on cue.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sanctum_http::axum::Router;
use sanctum_http::axum::extract::FromRequest;
use sanctum_http::axum::extract::{Request, State};
use sanctum_http::axum::response::{IntoResponse, Response};
use sanctum_http::{Bytes, HeaderMap, StatusCode};
use serde_json::Value;

/// How it answers.
#[derive(Debug, Clone)]
pub(crate) enum Mood {
    Well,
    Status(u16),
    /// Status, headers and body.
    Says(u16, Vec<(&'static str, String)>, String),
    /// It takes the request and never answers.
    Hangs,
    /// It cuts the connection.
    Cuts,
}

/// One request it took (or refused).
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) well: bool,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Inner {
    got: Vec<Got>,
    mood: Option<Mood>,
    next: VecDeque<Mood>,
}

/// The server; it ends with this value.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) addr: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    _task: Arc<Ended>,
}

#[derive(Debug)]
struct Ended(tokio::task::JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Hook {
    pub(crate) async fn open() -> Self {
        Self::open_at("127.0.0.1:0").await
    }

    #[expect(clippy::disallowed_methods, reason = "a peer of a test is no service")]
    pub(crate) async fn open_at(addr: &str) -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        let app = Router::new().fallback(take).with_state(Arc::clone(&inner));
        let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { sanctum_http::axum::serve(listener, app).await.unwrap() });
        Self { addr, inner, _task: Arc::new(Ended(task)) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    /// From now on.
    pub(crate) fn mood(&self, mood: Mood) {
        self.inner.lock().unwrap().mood = Some(mood);
    }

    /// For the next request only.
    pub(crate) fn once(&self, mood: Mood) {
        self.inner.lock().unwrap().next.push_back(mood);
    }

    /// Everything it saw, also what it refused.
    pub(crate) fn seen(&self) -> Vec<Got> {
        self.inner.lock().unwrap().got.clone()
    }

    /// What it answered well.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.seen().into_iter().filter(|got| got.well).collect()
    }

    pub(crate) async fn wait(&self, count: usize) -> Vec<Got> {
        sanctum_testkit::eventually(&format!("{count} requests"), crate::house::PATIENCE, async || {
            let got = self.got();
            (got.len() >= count).then_some(got)
        })
        .await
    }
}

async fn take(State(inner): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let body = Bytes::from_request(request, &()).await.unwrap_or_default().to_vec();
    let mood = {
        let mut inner = inner.lock().unwrap();
        let mood = inner.next.pop_front().or_else(|| inner.mood.clone()).unwrap_or(Mood::Well);
        let well = matches!(mood, Mood::Well) || matches!(mood, Mood::Says(200..=299, _, _));
        inner.got.push(Got { path, headers, body, well });
        mood
    };
    match mood {
        Mood::Well => "{\"id\":\"far-1\"}".into_response(),
        Mood::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Mood::Says(status, headers, body) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Mood::Hangs => {
            tokio::time::sleep(Duration::from_hours(1)).await;
            StatusCode::OK.into_response()
        }
        Mood::Cuts => panic!("the connection is cut on cue"),
    }
}
