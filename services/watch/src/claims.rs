//! Tells the supervisor that people hear of a lock from here, so that it does not tell them as well.

use sanctum_api::supervise::{Client, Teller};
use sanctum_http::connect;
use sanctum_kernel::Chain;

use crate::hub::Hub;

/// Says that a notice of the lock is kept. Returns who tells people of it: whoever was first; `None` where the supervisor cannot be
/// asked, or the service is not locked any more.
pub(crate) async fn claim(hub: &Hub, name: &str) -> Option<Teller> {
    let client = match connect(&hub.shared.peers, "supervise") {
        Ok(to) => Client::new(to),
        Err(error) => {
            tracing::debug!(error = %Chain(&error), "there is no supervisor here");
            return None;
        }
    };
    match client.told(name).await {
        Ok(state) => state.locked.and_then(|locked| locked.told),
        Err(error) => {
            tracing::info!(service = name, error = %Chain(&error), "a lock could not be claimed");
            None
        }
    }
}
