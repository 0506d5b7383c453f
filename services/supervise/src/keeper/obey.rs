//! What the engine's commands mean.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sanctum_api::supervise::Phase;
use sanctum_kernel::{Chain, Status};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Keeper, Message, WRITE_AFTER};
use crate::child::{Life, Order};
use crate::engine::{Command, Event, Exit};
use crate::failures::{self, Failures};
use crate::pids::Identity;
use crate::plan::Check;
use crate::probe::Seen;
use crate::{kept, probe};

/// What the breakers have counted is written down when the successor of the one that failed has begun: a disk that is made to
/// write at that moment takes the time from it.
const SAVE_AFTER: Duration = Duration::from_millis(20);

impl Keeper {
    /// What an event means for the faces, before the engine decides; returns who ended, and how.
    pub(super) fn note(&mut self, event: &Event) -> Option<(usize, Exit)> {
        let now = self.shared.clock.now();
        match event {
            Event::Ready { unit, run } if self.is_current(*unit, *run) => {
                let starting = self.engine.unit(*unit).is_some_and(|unit| unit.phase == Phase::Starting);
                let face = self.faces.get_mut(*unit).filter(|_| starting)?;
                face.ready_ms =
                    face.born.map(|born| u64::try_from(born.elapsed().as_millis()).unwrap_or(u64::MAX));
                face.seen = Seen { live: true, ready: true, ..face.seen.clone() };
                face.stop_probing();
                if let Some(identity) = face.identity.as_mut().filter(|identity| !identity.ready) {
                    identity.ready = true;
                    self.write_soon(*unit);
                }
                self.tell_back(*unit);
                None
            }
            Event::Exited { unit, run, exit } if self.is_current(*unit, *run) => {
                self.faces.get_mut(*unit)?.gone(now);
                Some((*unit, exit.clone()))
            }
            _ => None,
        }
    }

    /// Does what the engine wants. Processes are started first: what is written, said and shown of it keeps nobody waiting.
    pub(super) async fn obey(&mut self, commands: Vec<Command>, ended: Option<(usize, Exit)>) {
        let is_spawn = |command: &Command| matches!(command, Command::Spawn { .. });
        let (spawns, rest): (Vec<_>, Vec<_>) = commands.into_iter().partition(is_spawn);
        let count = spawns.len();
        for command in spawns {
            if let Command::Spawn { unit, run } = command {
                self.spawn(unit, run, count == 1);
            }
        }
        if count > 0 {
            tokio::task::yield_now().await;
        }
        if let Some((unit, exit)) = ended {
            self.ended(unit, &exit);
        }
        for command in rest {
            self.one(command);
        }
        self.tell_of_locks();
        self.show_soon();
    }

    /// Its process is gone. What is kept of one that is not started again at once is put away.
    fn ended(&mut self, unit: usize, exit: &Exit) {
        self.touch(unit);
        let Some(plan) = self.plans.get(unit) else { return };
        if !self.leaving {
            tracing::info!(service = plan.name, %exit, "a service ended");
        }
        if self.engine.unit(unit).is_none_or(|unit| !unit.alive) {
            self.cradle.put_away(&plan.name);
        }
    }

    fn one(&mut self, command: Command) {
        match command {
            Command::Spawn { unit, run } => self.spawn(unit, run, true),
            Command::Terminate { unit, .. } => self.order(unit, Order::Terminate),
            Command::Kill { unit, .. } => {
                if let Some(plan) = self.plans.get(unit) {
                    tracing::warn!(service = plan.name, "a service did not end in its time: it is killed");
                }
                self.order(unit, Order::Kill);
            }
            Command::After { unit, run, timer, delay } => {
                self.agenda.add(delay, Event::Timer { unit, run, timer });
            }
            Command::Lock { unit, reason } => self.lock(unit, reason),
            Command::Unlocked { unit } => self.unlock(unit),
            Command::Finished { unit, well } => self.finished(unit, well),
            Command::Counted { unit } => {
                self.touch(unit);
                self.counted = true;
                self.save_at.get_or_insert_with(|| Instant::now() + SAVE_AFTER);
            }
            Command::Changed { unit } => {
                self.touch(unit);
                let now = self.shared.clock.now();
                if let Some(face) = self.faces.get_mut(unit) {
                    face.since = now;
                }
                // Whoever has just become ready is asked at once how it is.
                self.ask(unit);
            }
        }
    }

    fn order(&self, unit: usize, order: Order) {
        if let Some(orders) = self.faces.get(unit).and_then(|face| face.orders.as_ref()) {
            orders.send(order).ok();
        }
    }

    fn spawn(&mut self, unit: usize, run: u64, alone: bool) {
        self.touch(unit);
        let now = self.shared.clock.now();
        let (Some(plan), Some(face)) = (self.plans.get(unit), self.faces.get_mut(unit)) else { return };
        let (orders, taken) = mpsc::unbounded_channel();
        let tail = Arc::default();
        face.begin(orders, Arc::clone(&tail), now);
        let found = self.found.iter().position(|found| found.name == plan.name);
        let found = found.map(|at| self.found.swap_remove(at));
        let life = Life { plan: Arc::clone(plan), unit, run, tail, orders: taken, found, alone };
        self.work.spawn(life.live(Arc::clone(&self.cradle)));
    }

    /// The process is there: from now on it may be ready.
    pub(super) fn born(&mut self, unit: usize, run: u64, identity: Identity) {
        if !self.is_current(unit, run) {
            return;
        }
        let (Some(plan), Some(face)) = (self.plans.get(unit).cloned(), self.faces.get_mut(unit)) else {
            return;
        };
        let told = identity.ready && plan.ready == Check::Told;
        face.identity = Some(identity);
        face.stale = false;
        let messages = self.cradle.messages.clone();
        let prober = self.prober.clone();
        let probing = self.work.spawn(async move {
            if !told {
                probe::until_ready(&plan, &prober).await;
            }
            messages.send(Message::Event(Event::Ready { unit, run })).ok();
        });
        face.probing = Some(probing);
        self.touch(unit);
        self.show_soon();
        self.write_soon(unit);
    }

    /// What is known of its process is written down in a moment.
    fn write_soon(&mut self, unit: usize) {
        self.unwritten.insert(unit);
        self.write_at.get_or_insert_with(|| Instant::now() + WRITE_AFTER);
    }

    /// Writes down who the processes are, for the next supervisor.
    pub(super) fn write_down(&mut self) {
        self.write_at = None;
        for unit in std::mem::take(&mut self.unwritten) {
            if let Some(identity) = self.faces.get(unit).and_then(|face| face.identity.as_ref()) {
                identity.remember(&self.shared.paths);
            }
        }
    }

    /// It was looked at; whether that is news.
    pub(super) fn seen(&mut self, unit: usize, seen: Seen) -> bool {
        let Some(face) = self.faces.get_mut(unit).filter(|face| face.seen != seen) else { return false };
        face.seen = seen;
        self.touch(unit);
        true
    }

    /// Asks one service for its health.
    pub(super) fn ask(&mut self, unit: usize) {
        let Some(state) = self.engine.unit(unit).filter(|state| state.phase == Phase::Ready) else { return };
        let (run, Some(plan)) = (state.run, self.plans.get(unit).cloned()) else { return };
        if let Some(seen) = probe::at_once(&plan.health) {
            self.seen(unit, seen);
            return;
        }
        let (messages, prober) = (self.cradle.messages.clone(), self.prober.clone());
        self.work.spawn(async move {
            let seen = probe::look(&plan.health, &plan.name, &prober).await;
            messages.send(Message::Seen { unit, run, seen }).ok();
        });
    }

    /// Writes down what the breakers have counted, beside everything else: nobody waits for the disk.
    pub(super) fn save(&mut self) {
        self.save_at = None;
        if self.saving || !std::mem::take(&mut self.counted) {
            return;
        }
        self.saving = true;
        let (path, failures) = self.failures();
        let messages = self.cradle.messages.clone();
        self.work.spawn_blocking(move || {
            let trouble = kept::save(&path, &failures).err().map(|error| Chain(&error).to_string());
            messages.send(Message::Saved { trouble }).ok();
        });
    }

    /// The same before this ends.
    pub(super) fn save_now(&mut self) {
        let (path, failures) = self.failures();
        if std::mem::take(&mut self.counted)
            && let Err(error) = kept::save(&path, &failures)
        {
            tracing::error!(error = %Chain(&error), "what the breakers have counted could not be written");
        }
    }

    /// What the breakers have counted, and where it is kept.
    fn failures(&self) -> (PathBuf, Failures) {
        let now = self.now();
        let pasts = self
            .plans
            .iter()
            .enumerate()
            .filter(|(at, _)| self.engine.unit(*at).is_some_and(|unit| !unit.gone));
        let failures = Failures::of(pasts.map(|(at, plan)| (plan.name.as_str(), self.engine.past(at, now))));
        (failures::path(&self.shared.paths.state()), failures)
    }

    pub(super) fn saved(&mut self, trouble: Option<String>) {
        self.saving = false;
        match trouble {
            None => self.shared.well.clear("failures"),
            Some(trouble) => {
                let detail = format!("what the breakers have counted could not be written: {trouble}");
                self.shared.well.set_hint("failures", Status::Degraded, detail, "make room on the disk");
            }
        }
        self.save();
    }
}
