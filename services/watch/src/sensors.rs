//! What is looked at beside the checks: sentinels, what processes take, and what listens without being declared.

use std::time::Duration;

use sanctum_api::supervise::{Client, ServiceState};
use sanctum_http::connect;
use sanctum_kernel::{Failure, Stop};
use tokio::sync::mpsc;

use crate::anomaly::Readings;
use crate::drift;
use crate::hub::{Hub, Message};
use crate::sentinel::Sentinels;

/// How often processes are measured, and listeners compared with declarations.
const EVERY: Duration = Duration::from_secs(30);
/// After a start the house is still coming up: what does not listen yet is not missing.
const FIRST: Duration = Duration::from_secs(20);

/// The sentinels, with the configuration of the moment, until stopped.
pub(crate) async fn sentinels(hub: Hub, stop: Stop) -> Result<(), Failure> {
    while !stop.is_requested() {
        let (config, inventory, before) = {
            let brain = hub.brain();
            (hub.config(), brain.inventory.clone(), brain.verdicts.values().cloned().collect())
        };
        let sentinels = Sentinels::new(&config.sentinel, &hub.shared, inventory, before);
        let (tell, mut told) = mpsc::channel(64);
        let relay = async {
            while let Some(verdicts) = told.recv().await {
                hub.mail.send(Message::Verdicts(verdicts)).await.ok();
            }
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(sentinels.run(stop.clone(), tell), relay) } => return Ok(()),
            // Another list or another section: they begin anew with what they said last.
            () = hub.revised.nudged() => {}
        }
    }
    Ok(())
}

/// Processes and listeners, until stopped.
pub(crate) async fn measures(hub: Hub, stop: Stop) -> Result<(), Failure> {
    let mut readings = Readings::default();
    let mut pause = FIRST;
    while stop.or(tokio::time::sleep(pause)).await.is_some() {
        pause = EVERY;
        let services = stop.or(services(&hub)).await.flatten();
        if let Some(services) = &services {
            let news = {
                let now = hub.now();
                readings.round(&mut hub.detector(), services, &hub.shared.paths, now)
            };
            if !news.is_empty() {
                hub.mail.send(Message::Anomalies(news)).await.ok();
            }
        }
        let inventory = hub.brain().inventory.clone();
        let seen = tokio::task::spawn_blocking(move || drift::look(&inventory, services.as_deref())).await;
        if let Ok(Some(drift)) = seen {
            hub.mail.send(Message::Drift(drift)).await.ok();
        }
    }
    Ok(())
}

async fn services(hub: &Hub) -> Option<Vec<ServiceState>> {
    Client::new(connect(&hub.shared.peers, "supervise").ok()?).services().await.ok()
}
