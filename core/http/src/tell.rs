//! Telling people through the hub, or, while that is down, through its spool.

use sanctum_api::CallError;
use sanctum_api::notify::{Client, Notice};
use sanctum_kernel::service::Shared;
use sanctum_kernel::trace::{hex, random};
use sanctum_kernel::{Chain, Trace, files};

/// Hands the notice to the hub; where that is not possible or not worth a try, to its spool.
pub async fn tell(shared: &Shared, notice: Notice, hub_is_up: bool) {
    let key = format!("{}-{}", notice.source, hex(&random::<12>()));
    let at = shared.clock.now();
    if hub_is_up {
        let sent = match crate::connect(&shared.peers, "notify") {
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
