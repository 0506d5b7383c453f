//! A server that speaks: bytes of sound for a JSON request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sanctum_http::axum::http::header::CONTENT_TYPE;
use sanctum_http::axum::routing::post;
use sanctum_http::axum::{Json, Router, serve};
use serde_json::Value;
use tokio::net::TcpListener;

pub(super) struct Speaker {
    pub(super) addr: SocketAddr,
    pub(super) asked: Arc<Mutex<Vec<Value>>>,
}

impl Speaker {
    #[expect(clippy::disallowed_methods, reason = "a peer of a test is no service")]
    pub(super) async fn start(audio: Vec<u8>) -> Self {
        let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
        let heard = Arc::clone(&asked);
        let speak = post(move |Json(ask): Json<Value>| async move {
            heard.lock().unwrap().push(ask);
            ([(CONTENT_TYPE, "audio/mpeg")], audio)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { serve(listener, Router::new().route("/v1/audio/speech", speak)).await });
        Self { addr, asked }
    }
}
