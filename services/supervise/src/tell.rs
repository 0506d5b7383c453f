//! Telling people that a service is locked: through the hub, or, while that is down, through its spool.

use sanctum_api::CallError;
use sanctum_api::notify::{Client, Notice, Severity};
use sanctum_api::supervise::Locked;
use sanctum_kernel::service::Shared;
use sanctum_kernel::trace::{hex, random};
use sanctum_kernel::{Chain, Trace, files};

/// The notice of a lock, and of its end: both carry one key.
pub(crate) fn locked(name: &str, house_name: &str, locked: &Locked) -> Notice {
    let mut message = format!("{}. It stays down until someone says: sanctum unlock {name}", locked.reason);
    if !locked.last_lines.is_empty() {
        message.push_str("\nIts last lines:\n");
        message.push_str(&locked.last_lines.join("\n"));
    }
    notice(name, Severity::Critical, format!("{house_name} is locked"), message)
}

pub(crate) fn back(name: &str, house_name: &str) -> Notice {
    let message = "It was unlocked and is ready again.".to_owned();
    Notice { resolved: true, ..notice(name, Severity::Info, format!("{house_name} is back"), message) }
}

fn notice(name: &str, severity: Severity, title: String, message: String) -> Notice {
    Notice {
        source: "supervise".to_owned(),
        severity,
        title,
        message,
        labels: [("service".to_owned(), name.to_owned())].into(),
        force_channels: Vec::new(),
        actions: Vec::new(),
        url: None,
        image: None,
        dedup_key: Some(format!("supervise.locked.{name}")),
        resolved: false,
    }
}

/// Hands the notice to the hub; where that is not possible, to its spool.
pub(crate) async fn tell(shared: &Shared, notice: Notice, hub_is_up: bool) {
    let key = format!("supervise-{}", hex(&random::<12>()));
    let at = shared.clock.now();
    if hub_is_up {
        let sent = match sanctum_http::connect(&shared.peers, "notify") {
            Ok(hub) => Client::new(hub).notify(&notice, Some(key.clone())).await.map(drop),
            Err(error) => Err(CallError::Silent { service: "notify".to_owned(), reason: error.to_string() }),
        };
        match sent {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the hub did not take a notice: it goes to the spool");
            }
        }
    }
    // The hub reads it as `api::notify::Spooled`. If only the answer of the hub was lost, its `dedup_key` keeps people from hearing of it twice.
    let path = shared.paths.spool().join(format!("{key}.json"));
    let spooled = serde_json::json!({ "notice": notice, "at": at, "trace_id": Trace::current().id() });
    if let Err(error) = files::replace(&path, spooled.to_string().as_bytes(), 0o600) {
        let (error, Notice { title, message, .. }) = (Chain(&error).to_string(), notice);
        tracing::error!(error, title, message, "a notice could not be kept");
    }
}
