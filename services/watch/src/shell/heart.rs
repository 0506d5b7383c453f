//! The watch's heartbeat: earned by a sweep that goes on, not by a process that merely runs.

use std::time::Duration;

use sanctum_kernel::heart::Heart;

use crate::hub::Hub;
use crate::sweep::Progress;

/// A time-out of a check, and a busy machine.
const SLACK: Duration = Duration::from_secs(30);

/// Beats whenever a round of questions has been answered.
#[derive(Debug)]
pub(super) struct Beating {
    heart: Heart,
    rounds: u64,
    /// There is nothing to ask.
    idle: bool,
}

impl Beating {
    pub(super) fn begin(hub: &Hub) -> Option<Self> {
        let (config, brain) = (hub.config(), hub.brain());
        let every = brain.inventory.0.iter().flat_map(|item| {
            item.check.values().map(|check| config.every(item.tier, check)).collect::<Vec<_>>()
        });
        let longest = every.clone().min();
        // A round takes two windows as long as the shortest cadence, and a time-out; a posture may stretch it.
        let within = longest.unwrap_or_default() * 4 + SLACK;
        match Heart::begin(&hub.shared.paths, "watch", within) {
            Ok(heart) => Some(Self { heart, rounds: 0, idle: longest.is_none() }),
            Err(error) => {
                tracing::warn!(%error, "the watch has no heartbeat");
                None
            }
        }
    }

    pub(super) fn turn(&mut self, progress: &Progress) {
        if self.idle || progress.rounds != self.rounds {
            self.rounds = progress.rounds;
            self.heart.beat();
        }
    }

    pub(super) fn end(self) {
        self.heart.end();
    }
}
