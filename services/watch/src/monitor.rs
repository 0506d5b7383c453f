//! Whether the watch itself does its work: said on the board by a part that does nothing else.

use std::time::Duration;

use sanctum_kernel::{Failure, Status, Stop};
use tokio::time::Instant;

use crate::heal::switch;
use crate::hub::Hub;
use crate::shell::Hands;

const EVERY: Duration = Duration::from_secs(1);
/// The shell shows every second that it is alive.
const STUCK: Duration = Duration::from_secs(15);
/// An answer may be late by its time-out and a little.
const SLACK: Duration = Duration::from_secs(30);

/// Looks until stopped.
pub(crate) async fn run(hub: Hub, hands: Hands, stop: Stop) -> Result<(), Failure> {
    while stop.or(tokio::time::sleep(EVERY)).await.is_some() {
        look(&hub);
        heals(&hub, &hands);
    }
    Ok(())
}

fn look(hub: &Hub) {
    let (alive, answered) = hub.signs();
    let well = &hub.shared.well;
    let (silent, quiet) = (alive.elapsed(), answered.elapsed());
    if silent > STUCK {
        well.set_hint(
            "sweep",
            Status::Unwell,
            format!("nothing moved for {} s", silent.as_secs()),
            "restart the watch",
        );
        return;
    }
    let config = hub.config();
    let (checks, shortest, unknown) = {
        let brain = hub.brain();
        let every = brain
            .inventory
            .0
            .iter()
            .flat_map(|item| item.check.values().map(|check| config.every(item.tier, check)));
        let nodes = (0..brain.inventory.0.len()).filter_map(|at| brain.engine.node(at));
        let unknown =
            nodes.filter(|node| node.state == sanctum_api::watch::State::Unknown && !node.checks.is_empty());
        (every.clone().count(), every.min().unwrap_or_default(), unknown.count())
    };
    // A process that was stopped, or a machine that slept, has not been asked meanwhile.
    let late = shortest * 3 + SLACK;
    if checks > 0 && quiet > late && Instant::now().saturating_duration_since(alive) < STUCK {
        let detail = format!("nothing was answered for {} s", quiet.as_secs());
        well.set_hint("sweep", Status::Unwell, detail, "restart the watch");
    } else if unknown > 0 {
        well.set(
            "sweep",
            Status::Well,
            format!("{checks} checks are asked; of {unknown} services nothing is known yet"),
        );
    } else {
        well.set("sweep", Status::Well, format!("{checks} checks are asked"));
    }
}

/// Whether it may heal, and whether the owner's recipes can be read.
fn heals(hub: &Hub, hands: &Hands) {
    let well = &hub.shared.well;
    let complaints = hands.0.complaints();
    match (switch::words(&hub.shared.paths), complaints.first()) {
        (Some(why), _) => {
            let detail = format!("healing is switched off: {why}");
            // Somebody wanted it so.
            well.set_hint("heal", Status::Well, detail, "`sanctum heal on` switches it on again");
        }
        (None, Some(first)) => {
            let detail = format!("{} things are wrong with recipes; the first: {first}", complaints.len());
            well.set_hint(
                "heal",
                Status::Degraded,
                detail,
                "mend the file: the recipe is not used meanwhile",
            );
        }
        (None, None) => well.set("heal", Status::Well, "it may heal"),
    }
}
