//! What changes while the house stays up: the rules it is kept by, and how fresh its state is.

use std::sync::Arc;
use std::time::Duration;

use sanctum_api::supervise::Phase;
use sanctum_kernel::House;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::{Keeper, Message};
use crate::engine::Rules;
use crate::probe::Seen;
use crate::{Config, probe};

/// Services are not asked again this soon: `up` looks fifty times a second.
const FRESH: Duration = Duration::from_millis(200);
/// Whoever asks waits no longer than this for a service that hangs.
const AT_MOST: Duration = Duration::from_secs(1);

/// When every service is asked how it is.
pub(super) fn rounds(config: &Config) -> Interval {
    let mut rounds = tokio::time::interval(config.health_every.0);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rounds
}

impl Keeper {
    /// Keeps the house by other rules from now on, and makes it what is declared now. What is not declared otherwise does not
    /// notice; the environment is for the next start of each.
    pub(super) async fn revise(&mut self, config: &Config, house: Arc<House>) -> Interval {
        self.engine.revise(Rules::from(config));
        self.cradle.logs.revise(&config.log);
        self.cradle.revise(&config.environment);
        self.config = config.clone();
        self.house = house;
        self.reshape().await;
        rounds(config)
    }

    /// What is done every so often: everybody is asked how it is, and every program is compared with its file.
    pub(super) fn round(&mut self) {
        self.compare();
        (0..self.plans.len()).for_each(|unit| self.ask(unit));
        // Failures grow old and are forgotten while nothing happens.
        self.touch_all();
        self.show();
    }

    /// Asks every service that is ready at once, so that what is shown is true now.
    pub(super) fn look(&mut self, done: oneshot::Sender<()>) {
        // Never from memory: an upgrade may be younger than the last look, and a reload acts on this.
        self.compare();
        self.touch_all();
        self.show();
        if self.looked.is_some_and(|looked| looked.elapsed() < FRESH) {
            done.send(()).ok();
            return;
        }
        self.looked = Some(Instant::now());
        let mut questions = JoinSet::new();
        for (unit, plan) in self.plans.iter().enumerate() {
            let Some(state) = self.engine.unit(unit).filter(|state| state.phase == Phase::Ready) else {
                continue;
            };
            if probe::at_once(&plan.health).is_some() {
                continue;
            }
            let (run, plan, messages) = (state.run, Arc::clone(plan), self.cradle.messages.clone());
            let prober = self.prober.clone();
            questions.spawn(async move {
                let asked =
                    tokio::time::timeout(AT_MOST, probe::look(&plan.health, &plan.name, &prober)).await;
                let seen = asked.unwrap_or_else(|_| Seen::silent("it did not answer within a second"));
                messages.send(Message::Seen { unit, run, seen }).ok();
            });
        }
        let messages = self.cradle.messages.clone();
        self.work.spawn(async move {
            while questions.join_next().await.is_some() {}
            // Behind everything that was seen.
            messages.send(Message::Looked { done }).ok();
        });
    }
}
