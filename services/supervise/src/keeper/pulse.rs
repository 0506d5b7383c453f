//! The supervisor's heartbeat, at the pace of its one loop.

use std::time::Duration;

use sanctum_api::supervise::Phase;
use sanctum_kernel::heart::Heart;
use sanctum_kernel::{Catalogue, Chain, Paths};
use tokio::time::{Interval, MissedTickBehavior};

use super::Keeper;

/// Well below any patience a watcher may have.
const EVERY: Duration = Duration::from_secs(2);
/// What a busy machine may make of that.
const WITHIN: Duration = Duration::from_secs(20);

/// Beats until the house has ended.
#[derive(Debug)]
pub(super) struct Pulse {
    /// `None` when it could not be written: then nobody watches, which is better than to be killed for a full disk.
    heart: Option<Heart>,
    every: Interval,
}

impl Pulse {
    pub(super) fn begin(paths: &Paths) -> Self {
        let heart = Heart::begin(paths, "supervise", WITHIN);
        if let Err(error) = &heart {
            tracing::warn!(error = %Chain(error), "there is no heartbeat: the dead-man's switch cannot watch");
        }
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { heart: heart.ok(), every }
    }

    /// Until the next beat. Dropping the future loses nothing.
    pub(super) async fn due(&mut self) {
        self.every.tick().await;
    }

    /// `keeps` are the hearts that must beat as well.
    pub(super) fn beat(&mut self, keeps: Vec<String>) {
        // For the platform's own supervisor, if that is who watches: `WatchdogSec=` of systemd.service(5).
        sanctum_kernel::announce("WATCHDOG=1");
        if let Some(heart) = &mut self.heart {
            heart.keep(keeps);
            heart.beat();
        }
    }

    /// The house ended in good order.
    pub(super) fn end(&mut self) {
        if let Some(heart) = self.heart.take() {
            heart.end();
        }
    }
}

impl Keeper {
    /// Of those it keeps, the ones that have hearts must beat as long as its own does.
    pub(crate) fn answer_for(&mut self, catalogue: &Catalogue) {
        self.beating = catalogue
            .iter()
            .map(|entry| entry.spec)
            .filter(|spec| spec.beats)
            .map(|spec| spec.name)
            .collect();
    }

    /// Those of them that nobody has stopped.
    pub(super) fn answers_for(&self) -> Vec<String> {
        let runs = |at: usize| self.engine.unit(at).is_some_and(|unit| unit.phase != Phase::Stopped);
        let plans =
            self.plans.iter().enumerate().filter(|(at, _)| runs(*at)).map(|(_, plan)| plan.name.as_str());
        plans.filter(|name| self.beating.contains(name)).map(str::to_owned).collect()
    }
}
