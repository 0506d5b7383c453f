//! A question as the file declares it.

use std::time::Duration;

use sanctum_kernel::Status;
use sanctum_kernel::inventory::check;
use sanctum_kernel::service::Shared;
use tokio::net::TcpStream;

use super::{COSTLY, EAGER, Seen, TIMEOUT, get};
use crate::Check;

/// How often it may be put at most.
pub(super) fn least(check: &Check) -> Duration {
    match check {
        Check::Declared(check) if !is_cheap(check) => COSTLY,
        _ => EAGER,
    }
}

/// Whether a connection answers it.
fn is_cheap(check: &check::Check) -> bool {
    check.tcp.is_some() || check.http.is_some() || check.health.is_some()
}

pub(super) async fn look(check: &check::Check, name: &str, _: &Shared) -> Seen {
    let patience = check.timeout.map_or(TIMEOUT, |timeout| timeout.0);
    let asked = tokio::time::timeout(patience, ask(check, name)).await;
    asked.unwrap_or_else(|_| Seen::silent("it did not answer in time"))
}

async fn ask(check: &check::Check, name: &str) -> Seen {
    let yes = || Seen { live: true, ready: true, well: Some(Status::Well), detail: None };
    if let Some(tcp) = &check.tcp {
        return match TcpStream::connect(&tcp.address).await {
            Ok(_) => yes(),
            Err(error) => Seen::silent(format!("it does not answer at {}: {error}", tcp.address)),
        };
    }
    if let Some(http) = &check.http {
        return asked(http).await.map_or_else(Seen::silent, |()| yes());
    }
    Seen::silent(format!("how `{name}` says that it is ready cannot be asked"))
}

/// `GET` over plain HTTP.
async fn asked(http: &check::Http) -> Result<(), String> {
    let rest = http.url.strip_prefix("http://").ok_or("only `http://` can be asked")?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let silent = |error: std::io::Error| format!("it does not answer at {host}: {error}");
    let addr = tokio::net::lookup_host(&host).await.map_err(silent)?.next().ok_or("it has no address")?;
    let (status, body) = get(addr, path).await.map_err(silent)?;
    let right =
        if http.status.is_empty() { (200..300).contains(&status) } else { http.status.contains(&status) };
    if !right {
        return Err(format!("it answered {status}"));
    }
    match &http.body {
        Some(expected) if !body.contains(expected.as_str()) => {
            Err(format!("its answer does not contain `{expected}`"))
        }
        _ => Ok(()),
    }
}
