//! Delivers the outbox to the hub, in order; while the hub is down, to its spool.

use std::path::PathBuf;
use std::time::Duration;

use sanctum_api::CallError;
use sanctum_api::notify::{Client, Spooled};
use sanctum_api::supervise::Teller;
use sanctum_api::watch::State;
use sanctum_http::connect;
use sanctum_kernel::{Chain, Failure, Status, Stop, Trace, files};

use crate::claims;
use crate::hub::Hub;
use crate::store::Letter;

const AGAIN: Duration = Duration::from_secs(5);
const BATCH: u32 = 50;
/// The part of the board that speaks of it.
const PART: &str = "messages";

/// Runs until stopped.
pub(crate) async fn tell(hub: Hub, stop: Stop) -> Result<(), Failure> {
    while !stop.is_requested() {
        match stop.or(round(&hub)).await {
            None => break,
            Some(Ok(spooled)) => {
                if spooled {
                    // Nothing is lost: that the hub is down is an incident of the hub, and not another one of the watch.
                    hub.shared.well.set(
                        PART,
                        Status::Well,
                        "the hub is down: what it should tell waits in its spool",
                    );
                } else {
                    hub.shared.well.set(PART, Status::Well, "the hub takes them");
                }
                // The hub empties its spool when it is back: that is looked for as well.
                let nudged = hub.teller.nudged();
                if spooled {
                    stop.or(tokio::time::timeout(AGAIN, nudged)).await;
                } else {
                    stop.or(nudged).await;
                }
            }
            Some(Err(error)) => {
                let detail = format!("they wait: {}", Chain(&*error));
                hub.shared.well.set(PART, Status::Degraded, detail);
                stop.or(tokio::time::sleep(AGAIN)).await;
            }
        }
    }
    Ok(())
}

/// Delivers everything that waits; whether some of it lies in the spool then.
async fn round(hub: &Hub) -> Result<bool, Failure> {
    loop {
        let waiting = hub.store.waiting(BATCH).await?;
        if waiting.is_empty() {
            return Ok(waits(hub));
        }
        for (id, letter) in waiting {
            deliver(hub, id, letter).await?;
        }
    }
}

/// Hands one letter to the hub, or to its spool.
async fn deliver(hub: &Hub, id: i64, mut letter: Letter) -> Result<(), Failure> {
    // It is on the disk: nobody else needs to tell of it. Where nobody answers it goes out: rather twice than never.
    if let Some(name) = &letter.claims
        && claims::claim(hub, name).await == Some(Teller::Supervise)
    {
        letter.notice.force_channels = vec!["dashboard".to_owned()];
    }
    let (key, path) = place(hub, id);
    // What waits in the spool was said before: the end of something must not overtake its beginning.
    if is_up(hub) && !waits(hub) {
        let client = Client::new(connect(&hub.shared.peers, "notify")?);
        let call = client.notify(&letter.notice, Some(key.clone()));
        match Trace::within(letter.trace).scope(call).await {
            Ok(_) => {
                hub.store.sent(id, hub.now(), None).await?;
                return Ok(());
            }
            Err(error) if is_final(&error) => {
                let why = Chain(&error).to_string();
                tracing::error!(
                    error = why,
                    title = letter.notice.title,
                    "the hub refuses a message for good"
                );
                hub.store.sent(id, hub.now(), Some(why)).await?;
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the hub did not take a message: it goes to the spool");
            }
        }
    }
    let Letter { notice, at, trace, .. } = letter;
    let spooled =
        Spooled { notice, at, trace_id: Some(trace), key: Some(key), caller: Some("watch".to_owned()) };
    files::replace(&path, serde_json::to_string(&spooled)?.as_bytes(), 0o600)?;
    hub.store.sent(id, hub.now(), None).await?;
    Ok(())
}

/// The spool is read in the order of names: the numbers of letters keep theirs.
fn place(hub: &Hub, id: i64) -> (String, PathBuf) {
    let key = format!("watch-{id:012}");
    let path = hub.shared.paths.spool().join(format!("{key}.json"));
    (key, path)
}

/// Whether a letter of ours still lies in the spool.
fn waits(hub: &Hub) -> bool {
    let Ok(entries) = std::fs::read_dir(hub.shared.paths.spool()) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("watch-") && name.ends_with(".json")
    })
}

/// Not believed to be down: then it is not worth a try.
fn is_up(hub: &Hub) -> bool {
    let brain = hub.brain();
    let state = brain.find("notify").and_then(|at| brain.engine.node(at)).map(|node| node.state);
    !matches!(state, Some(State::Failed | State::Blocked))
}

/// Whether sending the same again can never help.
fn is_final(error: &CallError) -> bool {
    error.problem().is_some_and(|problem| matches!(problem.status, 400 | 409 | 413 | 422))
}
