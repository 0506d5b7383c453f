//! Telling people through the hub, or, while that is down, through its spool.

use sanctum_api::CallError;
use sanctum_api::notify::{Client, Notice};
use sanctum_kernel::service::Shared;
use sanctum_kernel::trace::{hex, random};
use sanctum_kernel::{Chain, Trace, files};

/// Hands the notice to the hub; where that is not possible or not worth a try, to its spool.
pub async fn tell(shared: &Shared, notice: Notice, hub_is_up: bool) {
    let key = format!("{}-{}", notice.source, hex(&random::<12>()));
    tell_once(shared, notice, key, hub_is_up).await;
}

/// The same under a key of the caller's: whoever does not know whether it was told says it again, and people hear of it once. Says
/// whether it is kept. The key becomes a file's name.
pub async fn tell_once(shared: &Shared, notice: Notice, key: String, hub_is_up: bool) -> bool {
    let at = shared.clock.now();
    if hub_is_up {
        let sent = match crate::connect(&shared.peers, "notify") {
            Ok(hub) => Client::new(hub).notify(&notice, Some(key.clone())).await.map(drop),
            Err(error) => Err(CallError::Silent { service: "notify".to_owned(), reason: error.to_string() }),
        };
        match sent {
            Ok(()) => return true,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the hub did not take a notice: it goes to the spool");
            }
        }
    }
    // The hub reads it as `api::notify::Spooled`. If only the hub's answer was lost, the key keeps people from hearing of it twice.
    let path = shared.paths.spool().join(format!("{key}.json"));
    let (trace, caller) = (Trace::current().id(), &notice.source);
    let spooled =
        serde_json::json!({ "notice": notice, "at": at, "trace_id": trace, "key": key, "caller": caller });
    let kept = files::replace(&path, spooled.to_string().as_bytes(), 0o600);
    if let Err(error) = &kept {
        let (error, Notice { title, message, .. }) = (Chain(error).to_string(), notice);
        tracing::error!(error, title, message, "a notice could not be kept");
    }
    kept.is_ok()
}
