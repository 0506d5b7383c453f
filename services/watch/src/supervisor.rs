//! Follows the supervisor: what it starts, what it locks, what somebody stopped.

use std::time::Duration;

use futures_util::StreamExt;
use sanctum_api::supervise::{Client, ServiceState};
use sanctum_http::connect;
use sanctum_kernel::{Chain, Failure, Status, Stop};

use crate::hub::{Hub, Message};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// The part of the board that speaks of it.
const PART: &str = "supervisor";

/// Runs until stopped.
pub(crate) async fn follow(hub: Hub, stop: Stop) -> Result<(), Failure> {
    let mut pause = FIRST_PAUSE;
    while !stop.is_requested() {
        match stop.or(connection(&hub)).await {
            None => break,
            Some(Ok(())) => pause = FIRST_PAUSE,
            Some(Err(error)) => {
                if hub.brain().find("supervise").is_some() {
                    // Where the supervisor is down that is its own incident, and not another one of the watch.
                    let detail = format!("its events cannot be followed: {}", Chain(&*error));
                    let unreachable = error.downcast_ref::<sanctum_api::CallError>().is_some();
                    let status = if unreachable { Status::Well } else { Status::Degraded };
                    hub.shared.well.set(PART, status, detail);
                } else {
                    hub.shared.well.set(PART, Status::Well, "this house has none of ours");
                }
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
        hub.mail.send(Message::Supervisor(None)).await.ok();
        stop.or(tokio::time::sleep(pause)).await;
    }
    Ok(())
}

/// One connection, until it ends. The events are opened before the whole is looked at, so that nothing falls in between.
async fn connection(hub: &Hub) -> Result<(), Failure> {
    let client = Client::new(connect(&hub.shared.peers, "supervise")?);
    let mut events = client.events(None).await?;
    whole(hub, &client).await?;
    hub.shared.well.set(PART, Status::Well, "its events are followed");
    while let Some(event) = events.next().await {
        let event = event?;
        if event.kind == "lost" {
            whole(hub, &client).await?;
        } else if let Ok(state) = serde_json::from_str::<ServiceState>(&event.data) {
            hub.mail.send(Message::Kept(Box::new(state))).await?;
        }
    }
    Ok(())
}

async fn whole(hub: &Hub, client: &Client) -> Result<(), Failure> {
    let states = client.services().await?;
    hub.mail.send(Message::Supervisor(Some(states))).await?;
    Ok(())
}
