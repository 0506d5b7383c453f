//! A stand-in for a parent's phone: a real webhook receiver on loopback.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use sanctum_http::axum::Router;
use sanctum_http::axum::routing::post;
use sanctum_http::{Bytes, HeaderMap};
use sanctum_kernel::Failure;

/// What arrived: the story its headers say it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) traceparent: Option<String>,
}

/// Listens for as long as the program runs.
#[derive(Debug, Clone)]
pub(crate) struct Phone {
    addr: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Phone {
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let phone = Self { addr: listener.local_addr()?, messages: Arc::default() };
        let messages = Arc::clone(&phone.messages);
        let app = Router::new().route(
            "/",
            post(async move |headers: HeaderMap, _: Bytes| {
                let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok()).map(str::to_owned);
                messages.lock().unwrap_or_else(PoisonError::into_inner).push(Message { traceparent });
                "ok"
            }),
        );
        let (stopper, stop) = sanctum_kernel::stop::channel();
        #[expect(clippy::disallowed_methods, reason = "it lives exactly as long as the demo's process")]
        tokio::spawn(async move {
            let _held = stopper;
            sanctum_http::serve(listener, app, stop).await
        });
        Ok(phone)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
