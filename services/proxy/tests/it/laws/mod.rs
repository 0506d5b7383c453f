//! The promises of the house's one door, each tried from outside with configurations, requests and faults nobody chose.

mod cap;
mod client;
mod dice;
mod fidelity;
mod pinned;
mod privacy;
mod truth;
mod words;

use sanctum_testkit::{House, eventually};

use crate::door::house::PATIENCE;

/// Gives the house another configuration and waits until it lists the model or alias `mark` of it.
async fn rule(house: &mut House, config: &str, mark: &str) {
    house.reconfigure(config).await;
    eventually(&format!("to be in force:\n{config}"), PATIENCE, async || {
        let (_, models) = house.get("proxy", "/models").await;
        models.to_string().contains(&format!("\"{mark}\"")).then_some(())
    })
    .await;
}
