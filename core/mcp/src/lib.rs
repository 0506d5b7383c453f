//! The Model Context Protocol behind the house's own door: one transport for every server of it.
//!
//! The only crate that names `rmcp`. Streamable HTTP in both of its forms: revision 2026-07-28, where every request stands for
//! itself, and 2025-11-25 with its sessions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use rmcp;
use rmcp::ServerHandler;
use rmcp::model::ProtocolVersion;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use sanctum_http::axum::http::request::Parts;
use sanctum_http::{Caller, LOOPBACK, Op, Routes};
use sanctum_kernel::service::Shared;
use sanctum_kernel::{OnError, Right};

/// A note may be large; nothing else of the protocol is.
const LARGEST: usize = 4 * 1024 * 1024;
/// A session that nobody has used for this long is over; its client is told so and begins another.
const IDLE: Duration = Duration::from_mins(15);

/// Serves `handler` at a path of `routes`: whoever has `right` there comes in, and [`caller`] says who it is. `at` is where the
/// service listens. Every stream ends when the service is asked to stop.
#[must_use]
pub fn mount<S, H>(
    routes: Routes<S>,
    path: &'static str,
    right: Right,
    shared: &Shared,
    at: SocketAddr,
    handler: H,
) -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    H: ServerHandler + Clone,
{
    let config = config(at);
    let over = config.cancellation_token.clone();
    shared.tasks.spawn("mcp-end", OnError::Log, |stop| async move {
        stop.requested().await;
        over.cancel();
        Ok(())
    });
    let mut sessions = LocalSessionManager::default();
    sessions.session_config = session();
    let service = StreamableHttpService::new(move || Ok(handler.clone()), Arc::new(sessions), config);
    let op = Op::post(path, "The Model Context Protocol, revisions 2026-07-28 and 2025-11-25")
        .right(right)
        .stream();
    routes.mount(op, service)
}

/// Hosts and origins as the house's own door has them: on loopback only its names, beyond it any host that brings a token,
/// but no page of another origin than the address itself.
fn config(at: SocketAddr) -> StreamableHttpServerConfig {
    let mut origins: Vec<String> = LOOPBACK.iter().map(|name| format!("http://{name}:*")).collect();
    let config = StreamableHttpServerConfig::default().with_max_request_body_bytes(LARGEST);
    if at.ip().is_loopback() {
        return config.with_allowed_hosts(LOOPBACK).with_allowed_origins(origins);
    }
    origins.push(format!("http://{at}"));
    config.disable_allowed_hosts().with_allowed_origins(origins)
}

fn session() -> SessionConfig {
    let mut session = SessionConfig::default();
    session.keep_alive = Some(IDLE);
    session
}

/// Whether the request stands for itself, as from revision 2026-07-28 on, and does not belong to a session.
pub fn modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// Who sent this request, as the door found out; absent only where the door is open.
pub fn caller(context: &RequestContext<RoleServer>) -> Option<&Caller> {
    context.extensions.get::<Parts>()?.extensions.get::<Caller>()
}
