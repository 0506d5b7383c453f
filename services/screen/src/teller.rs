//! Delivers the outbox to notify, in order, for as long as it takes.

use std::time::Duration;

use sanctum_api::CallError;
use sanctum_kernel::well::Status;
use sanctum_kernel::{Chain, Failure, Stop, Trace};

use crate::hub::Hub;
use crate::records::Outgoing;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(15);
const BATCH: u32 = 50;

/// Runs until stopped.
pub(crate) async fn tell(hub: Hub, stop: Stop) -> Result<(), Failure> {
    let mut pause = FIRST_PAUSE;
    while !stop.is_requested() {
        match stop.or(round(&hub)).await {
            None => break,
            Some(Ok(())) => {
                pause = FIRST_PAUSE;
                hub.shared.well.set("messages", Status::Well, "notify takes them");
                stop.or(hub.teller.nudged()).await;
            }
            Some(Err(error)) => {
                hub.shared.well.set(
                    "messages",
                    Status::Degraded,
                    format!("they wait in the outbox: {}", Chain(&*error)),
                );
                // Not woken by new letters: they wait behind this one anyway.
                stop.or(tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
    Ok(())
}

/// Sends everything that waits, or fails at the first that notify does not take.
async fn round(hub: &Hub) -> Result<(), Failure> {
    loop {
        let waiting = hub.records.waiting(BATCH).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        for outgoing in waiting {
            deliver(hub, outgoing).await?;
        }
    }
}

async fn deliver(hub: &Hub, Outgoing { id, letter }: Outgoing) -> Result<(), Failure> {
    let call = hub.notify.notify(&letter.notice, Some(letter.key.clone()));
    match Trace::within(letter.trace).scope(call).await {
        Ok(accepted) => {
            hub.records.told(id, accepted.id, hub.shared.clock.now()).await?;
            hub.feed.publish("changed", &sanctum_api::screen::ScreenEvent::Changed);
            Ok(())
        }
        Err(error) if is_final(&error) => {
            let why = Chain(&error).to_string();
            tracing::error!(error = why, key = letter.key, "notify refuses a message for good");
            hub.records.refused(id, why).await?;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether sending the same again can never help.
fn is_final(error: &CallError) -> bool {
    error.problem().is_some_and(|problem| matches!(problem.status, 400 | 409 | 413 | 422))
}
