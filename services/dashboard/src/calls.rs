//! The services this one asks, each with a short time-out: one that hangs costs its own tile and nothing else.

use std::net::SocketAddr;
use std::time::Duration;

use sanctum_api::{CallError, firewall, memory, notify, proxy, screen, supervise, watch};
use sanctum_http::{Outbound, Outgoing, connect};
use sanctum_kernel::{Chain, Peers};

use crate::Asked;

/// Typed clients; `Err` says why a service cannot even be tried.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pub(crate) notify: Result<notify::Client, String>,
    pub(crate) firewall: Result<firewall::Client, String>,
    pub(crate) screen: Result<screen::Client, String>,
    pub(crate) supervise: Result<supervise::Client, String>,
    pub(crate) proxy: Result<proxy::Client, String>,
    pub(crate) watch: Result<watch::Client, String>,
    pub(crate) memory: Result<memory::Client, String>,
    outbound: Outbound,
    patience: Duration,
}

impl Calls {
    pub(crate) fn new(peers: &Peers, patience: Duration) -> Self {
        let to = |name: &str| connect(peers, name).map_err(|error| error.to_string());
        Self {
            notify: to("notify").map(notify::Client::new),
            firewall: to("firewall").map(firewall::Client::new),
            screen: to("screen").map(screen::Client::new),
            supervise: to("supervise").map(supervise::Client::new),
            proxy: to("proxy").map(proxy::Client::new),
            watch: to("watch").map(watch::Client::new),
            memory: to("memory").map(memory::Client::new),
            outbound: Outbound::default(),
            patience,
        }
    }

    /// Asks, for no longer than the patience of the config.
    pub(crate) async fn ask<C: Clone, T>(
        &self,
        client: &Result<C, String>,
        question: impl AsyncFnOnce(C) -> Result<T, CallError>,
    ) -> Asked<T> {
        let client = match client {
            Ok(client) => client.clone(),
            Err(reason) => return Asked::Unknown(reason.clone()),
        };
        match tokio::time::timeout(self.patience, question(client)).await {
            Ok(Ok(answer)) => Asked::Known(answer),
            Ok(Err(error)) => Asked::Unknown(reason(error)),
            Err(_) => Asked::Unknown(format!("no answer within {} s", self.patience.as_secs_f32())),
        }
    }

    /// One of the answers every service gives to anyone: the status code and the body.
    pub(crate) async fn open(&self, addr: SocketAddr, path: &str) -> Result<(u16, Vec<u8>), String> {
        let url = format!("http://{addr}{path}");
        let outgoing =
            Outgoing { method: "GET", url, headers: Vec::new(), body: Vec::new(), timeout: self.patience };
        self.outbound
            .send(outgoing)
            .await
            .map(|answer| (answer.status, answer.body.to_vec()))
            .map_err(|error| plain(&error.to_string()))
    }
}

/// Why there is no answer, for a sentence that already names the service.
pub(crate) fn reason(error: CallError) -> String {
    match error {
        CallError::Silent { reason, .. } => plain(&reason),
        CallError::Garbled { reason, .. } => format!("it answered with something unexpected: {reason}"),
        refused @ CallError::Refused { .. } => Chain(&refused).to_string(),
    }
}

/// The two reasons of every day, without the words of the operating system.
fn plain(reason: &str) -> String {
    if reason.contains("Connection refused") {
        return "nobody listens there: it is not running".to_owned();
    }
    reason.split(" (os error").next().unwrap_or(reason).to_owned()
}
