//! A signal-cli daemon as the captured one behaves: JSON-RPC over HTTP and TCP, errors in a 200, envelopes as events.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sanctum_http::axum::Router;
use sanctum_http::axum::body::Body;
use sanctum_http::axum::extract::State;
use sanctum_http::axum::response::{IntoResponse, Response};
use sanctum_http::axum::routing::{get, post};
use sanctum_http::{Bytes, HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::broadcast;

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) sent: Mutex<Vec<Value>>,
    errors: Mutex<Vec<Value>>,
    envelopes: broadcast::Sender<Value>,
}

#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    pub(crate) http: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) inner: Arc<Inner>,
}

#[expect(clippy::disallowed_methods, reason = "a peer of a test is no service")]
impl Daemon {
    pub(crate) async fn open() -> Self {
        let inner = Arc::new(Inner {
            sent: Mutex::default(),
            errors: Mutex::default(),
            envelopes: broadcast::Sender::new(64),
        });
        let app = Router::new()
            .route("/api/v1/rpc", post(rpc))
            .route("/api/v1/events", get(events))
            .route("/api/v1/check", get(async || ""));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = listener.local_addr().unwrap();
        let app = app.with_state(Arc::clone(&inner));
        tokio::spawn(async move { sanctum_http::axum::serve(listener, app).await.unwrap() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = listener.local_addr().unwrap();
        let within = Arc::clone(&inner);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&within)));
            }
        });
        Self { http, tcp, inner }
    }

    pub(crate) fn sent(&self) -> Vec<Value> {
        self.inner.sent.lock().unwrap().clone()
    }

    pub(crate) async fn wait(&self, count: usize) -> Vec<Value> {
        sanctum_testkit::eventually("messages sent", crate::house::PATIENCE, async || {
            (self.sent().len() >= count).then(|| self.sent())
        })
        .await
    }

    /// The next `send` answers with this error.
    pub(crate) fn fail(&self, error: Value) {
        self.inner.errors.lock().unwrap().push(error);
    }

    /// Somebody says something; waits until the hub listens.
    pub(crate) async fn receive(&self, envelope: Value) {
        sanctum_testkit::eventually("a listener", crate::house::PATIENCE, async || {
            (self.inner.envelopes.receiver_count() > 0).then_some(())
        })
        .await;
        self.inner.envelopes.send(envelope).unwrap();
    }
}

fn answer(inner: &Inner, request: &Value) -> Value {
    let id = request["id"].clone();
    let params = &request["params"];
    let error = |code: i64, message: &str| json!({ "jsonrpc": "2.0", "error": { "code": code, "message": message, "data": null }, "id": id });
    match request["method"].as_str() {
        Some("version") => json!({ "jsonrpc": "2.0", "result": { "version": "0.13.19" }, "id": id }),
        Some("listAccounts") => json!({ "jsonrpc": "2.0", "result": [{ "number": "+15550000" }], "id": id }),
        Some("send") => {
            if params["account"] != "+15550000" {
                return error(-32602, "Method requires valid account parameter");
            }
            if !params["message"].is_string()
                || (params["recipient"].is_null() == params["groupId"].is_null())
            {
                return error(-32600, "bad params");
            }
            if let Some(error) = inner.errors.lock().unwrap().pop() {
                return json!({ "jsonrpc": "2.0", "error": error, "id": id });
            }
            let mut sent = inner.sent.lock().unwrap();
            sent.push(params.clone());
            let timestamp = 1_631_458_508_000_u64 + sent.len() as u64;
            json!({ "jsonrpc": "2.0", "result": { "timestamp": timestamp, "results": [{ "recipientAddress": { "number": "+15550001" }, "type": "SUCCESS" }] }, "id": id })
        }
        _ => error(-32601, "Method not implemented"),
    }
}

async fn rpc(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    if headers.get("content-type").is_none_or(|kind| kind != "application/json") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(request) if request["id"].is_null() => StatusCode::CREATED.into_response(),
        Ok(request) => answer(&inner, &request).to_string().into_response(),
        Err(_) => json!({ "jsonrpc": "2.0", "error": { "code": -32700, "message": "Unexpected character" }, "id": null }).to_string().into_response(),
    }
}

async fn events(State(inner): State<Arc<Inner>>) -> Response {
    let envelopes = inner.envelopes.subscribe();
    let lines = futures_util::stream::unfold(envelopes, |mut envelopes| async move {
        let envelope = envelopes.recv().await.ok()?;
        let line =
            format!("event:receive\ndata:{}\n\n", json!({ "envelope": envelope, "account": "+15550000" }));
        Some((Ok::<_, std::convert::Infallible>(line), envelopes))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(lines)).into_response()
}

async fn serve(stream: tokio::net::TcpStream, inner: Arc<Inner>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut envelopes = inner.envelopes.subscribe();
    loop {
        let out = tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => answer(&inner, &serde_json::from_str(&line).unwrap()),
                _ => return,
            },
            envelope = envelopes.recv() => match envelope {
                Ok(envelope) => json!({ "jsonrpc": "2.0", "method": "receive", "params": { "envelope": envelope, "account": "+15550000" } }),
                Err(_) => return,
            },
        };
        if writer.write_all(format!("{out}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}
