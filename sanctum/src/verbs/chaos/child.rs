//! One service of the body: works if what it requires works, and misbehaves as a file beside it says.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sanctum_http::axum::Router;
use sanctum_http::axum::extract::State;
use sanctum_http::axum::http::StatusCode;
use sanctum_http::axum::routing::get;
use sanctum_http::{Outbound, Outgoing};
use sanctum_kernel::{exit, files};

use crate::cli::Outcome;

/// How long it asks what it requires.
const ASK: Duration = Duration::from_millis(400);
/// What slow means: longer than anybody waits.
const SLOW: Duration = Duration::from_secs(20);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    port: u16,
    /// Its directory: `state`, `mode`
    #[arg(long)]
    dir: PathBuf,
    /// Ports of what it requires
    #[arg(long, value_delimiter = ',')]
    requires: Vec<u16>,
}

#[derive(Debug)]
struct Child {
    dir: PathBuf,
    requires: Vec<u16>,
    outbound: Outbound,
}

/// What `state` must say.
pub(super) const SOUND: &str = "sound\n";

pub(super) fn run(args: &Args) -> Outcome {
    if fs::read_to_string(args.dir.join("state")).is_ok_and(|state| state != SOUND) {
        eprintln_line("the state is corrupt: it does not say that it is sound");
        return Ok(exit::SOFTWARE);
    }
    // What a restart mends is mended by one.
    if fs::read_to_string(args.dir.join("mode")).is_ok_and(|mode| mode.starts_with("until-restart ")) {
        fs::remove_file(args.dir.join("mode"))?;
    }
    let child = Arc::new(Child { dir: args.dir.clone(), requires: args.requires.clone(), outbound: Outbound::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let app = Router::new().route("/alive", get(async || "here")).route("/health", get(health)).with_state(child);
        let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await?;
        sanctum_http::axum::serve(listener, app).await
    })?;
    Ok(exit::OK)
}

#[expect(clippy::print_stderr, reason = "a program whose output its supervisor keeps")]
fn eprintln_line(text: &str) {
    eprintln!("{text}");
}

async fn health(State(child): State<Arc<Child>>) -> (StatusCode, String) {
    let mode = fs::read_to_string(child.dir.join("mode")).unwrap_or_default();
    let skew = if mode.contains("skew") { 3600 } else { 0 };
    let says = |ok: bool, why: &str| format!("{{\"ok\":{ok},\"skew\":{skew},\"why\":\"{why}\"}}");
    if mode.contains("slow") {
        tokio::time::sleep(SLOW).await;
    }
    if mode.contains("lie") {
        return (StatusCode::OK, says(false, "it does not work"));
    }
    if mode.contains("fail") {
        return (StatusCode::INTERNAL_SERVER_ERROR, says(false, "it broke"));
    }
    if let Err(error) = note(&child.dir) {
        return (StatusCode::INSUFFICIENT_STORAGE, says(false, &error.to_string()));
    }
    for port in &child.requires {
        if mode.contains("partition") || !works(&child.outbound, *port).await {
            return (StatusCode::SERVICE_UNAVAILABLE, says(false, &format!("{port} does not answer")));
        }
    }
    (StatusCode::OK, says(true, ""))
}

/// Real work leaves a trace.
fn note(dir: &std::path::Path) -> Result<(), sanctum_kernel::Failure> {
    files::append(&dir.join("journal"))?.write_all(b"asked\n")?;
    Ok(())
}

async fn works(outbound: &Outbound, port: u16) -> bool {
    let url = format!("http://127.0.0.1:{port}/health");
    let ask = Outgoing { method: "GET", url, headers: Vec::new(), body: Vec::new(), timeout: ASK };
    outbound.send(ask).await.is_ok_and(|answer| answer.status == 200 && answer.body.starts_with(b"{\"ok\":true"))
}
