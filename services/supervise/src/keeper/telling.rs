//! Who tells people of a lock: the watch, whose notice of the incident says more, or, where it does not, the supervisor. What is not
//! told yet is in the file of the locks, so that neither one's death loses it or has it told twice.

use std::time::Duration;

use jiff::Timestamp;
use sanctum_api::Moment;
use sanctum_api::notify::Notice;
use sanctum_api::supervise::{Locked, Phase, Teller};
use sanctum_kernel::{Chain, Trace};
use tokio::time::Instant;

use super::{Keeper, Message};
use crate::tell;

/// The hub tells of what the watch finds: of these two's own end neither can.
const MESSENGERS: [&str; 2] = ["watch", "notify"];
/// Until a notice that could not even be spooled is tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// A notice that must be told once, whoever dies meanwhile.
pub(super) struct Once {
    pub(super) key: String,
    /// What the keeper hears when it has been tried.
    pub(super) then: Box<dyn FnOnce(bool) -> Message + Send>,
}

impl Keeper {
    pub(super) fn lock(&mut self, unit: usize, reason: String) {
        self.touch(unit);
        let waits = self.watch_tells(unit) && !self.config.breaker.tell_after.0.is_zero();
        let (Some(plan), Some(face)) = (self.plans.get(unit).cloned(), self.faces.get_mut(unit)) else {
            return;
        };
        tracing::error!(service = plan.name, reason, "a service is locked");
        let told = (!waits).then_some(Teller::Supervise);
        let locked = Locked { at: self.shared.clock.now(), reason, last_lines: face.last_lines(), told };
        let written = self.locks.lock(&plan.name, locked);
        let locked = self.locks.get(&plan.name);
        let told = locked.as_ref().and_then(|locked| locked.told);
        face.locked = locked;
        face.tell_at = told.is_none().then(|| Instant::now() + self.config.breaker.tell_after.0);
        self.written(written);
        if told == Some(Teller::Supervise) {
            self.send_lock(unit);
        }
    }

    pub(super) fn unlock(&mut self, unit: usize) {
        self.touch(unit);
        let (Some(plan), Some(face)) = (self.plans.get(unit), self.faces.get_mut(unit)) else { return };
        tracing::info!(service = plan.name, "a service is unlocked");
        (face.locked, face.tell_at) = (None, None);
        let gone = self.engine.unit(unit).is_none_or(|unit| unit.gone);
        let written = self.locks.unlock(&plan.name);
        if let Err(error) = &written {
            tracing::error!(error = %Chain(error), "that a service is unlocked could not be written down");
        }
        self.written(written);
        if gone {
            self.tell_back(unit);
        }
    }

    /// Of those that were locked before this supervisor began: who was not told is told now, or soon.
    pub(super) fn tell_of_old(&mut self) {
        let soon = Instant::now() + self.config.breaker.tell_after.0;
        for unit in 0..self.plans.len() {
            let (Some(plan), Some(face)) = (self.plans.get(unit), self.faces.get_mut(unit)) else { continue };
            if face.locked.as_ref().is_some_and(|locked| locked.told.is_none()) {
                face.tell_at = Some(soon);
            } else if self.locks.is_unsent(&plan.name) {
                self.send_lock(unit);
            }
        }
    }

    /// When somebody is to be told of a lock, if nobody tells of it before.
    pub(super) fn tell_at(&self) -> Option<Instant> {
        self.faces.iter().filter_map(|face| face.tell_at).min()
    }

    /// Tells of every lock that nobody else tells of: the time for it is over, or there is nobody.
    pub(super) fn tell_of_locks(&mut self) {
        // A house that goes down tells when it is up again.
        if self.leaving || self.tell_at().is_none() {
            return;
        }
        let now = Instant::now();
        for unit in 0..self.plans.len() {
            let at = self.faces.get(unit).and_then(|face| face.tell_at);
            let told = |locked: &Locked| locked.told.is_some();
            let ours = self.faces.get(unit).and_then(|face| face.locked.as_ref()).is_some_and(told);
            if at.is_some_and(|at| at <= now || !ours && !self.watch_tells(unit)) {
                self.mine(unit, Teller::Supervise);
                self.send_lock(unit);
            }
        }
    }

    /// The watch has a notice of it that is kept. Whoever was first tells of it.
    pub(super) fn claim(&mut self, unit: usize) {
        let open = |locked: &Locked| locked.told.is_none();
        if self.faces.get(unit).and_then(|face| face.locked.as_ref()).is_some_and(open) {
            self.mine(unit, Teller::Watch);
            self.show();
        }
    }

    /// From now on it is the matter of this one.
    fn mine(&mut self, unit: usize, teller: Teller) {
        self.touch(unit);
        let (Some(plan), Some(face)) = (self.plans.get(unit), self.faces.get_mut(unit)) else { return };
        face.tell_at = None;
        if let Some(locked) = &mut face.locked {
            locked.told = Some(teller);
        }
        let written = self.locks.tells(&plan.name, teller);
        self.written(written);
    }

    /// Whether the watch may still come to tell of the lock of this one.
    fn watch_tells(&self, unit: usize) -> bool {
        let of = |name: &str| self.plans.iter().position(|plan| plan.name == name);
        let messenger = self.plans.get(unit).is_some_and(|plan| MESSENGERS.contains(&plan.name.as_str()));
        let watch = of("watch").and_then(|at| self.engine.unit(at));
        !messenger
            && watch
                .is_some_and(|watch| !watch.gone && !matches!(watch.phase, Phase::Stopped | Phase::Locked))
    }

    fn send_lock(&mut self, unit: usize) {
        let (Some(plan), Some(locked)) =
            (self.plans.get(unit).cloned(), self.faces.get(unit).and_then(|face| face.locked.clone()))
        else {
            return;
        };
        let at = locked.at;
        let once = Once {
            key: key("locked", &plan.name, at),
            then: Box::new(move |kept| Message::Told { unit, at, kept }),
        };
        self.tell(&plan.name, "locked", tell::locked(&plan.name, &plan.house_name, &locked), Some(once));
    }

    /// The notice of a lock was handed over, or could not be.
    pub(super) fn told(&mut self, unit: usize, at: Timestamp, kept: bool) {
        let (Some(plan), Some(face)) = (self.plans.get(unit), self.faces.get_mut(unit)) else { return };
        if kept {
            let written = self.locks.sent(&plan.name, at);
            self.written(written);
        } else if face.locked.as_ref().is_some_and(|locked| locked.at == at) {
            face.tell_at = Some(Instant::now() + AGAIN);
        }
    }

    /// It is ready, or will never be: who was told that it is locked is told that it is no more.
    pub(super) fn tell_back(&mut self, unit: usize) {
        let Some(plan) = self.plans.get(unit).cloned() else { return };
        let Some(at) = self.locks.is_over(&plan.name) else { return };
        let once = Once {
            key: key("back", &plan.name, at),
            then: Box::new(move |kept| Message::ToldBack { unit, at, kept }),
        };
        let gone = self.engine.unit(unit).is_none_or(|unit| unit.gone);
        self.tell(&plan.name, "back", tell::back(&plan.name, &plan.house_name, gone), Some(once));
    }

    pub(super) fn told_back(&mut self, unit: usize, at: Timestamp, kept: bool) {
        if let Some(plan) = self.plans.get(unit).filter(|_| kept) {
            let written = self.locks.forget(&plan.name, at);
            self.written(written);
        }
    }

    pub(super) fn tell(&mut self, name: &str, what: &str, notice: Notice, once: Option<Once>) {
        let trace = Trace::start();
        let detail = format!("{name}: {}", notice.title);
        let (at, service) = (self.shared.clock.now(), "supervise".to_owned());
        self.board.remember(Moment { at, service, what: what.to_owned(), detail, trace_id: trace.id() });
        let hub = self.plans.iter().position(|plan| plan.name == "notify");
        // A hub that nobody supervises here may still be there.
        let hub_is_up =
            hub.is_none_or(|hub| self.engine.unit(hub).is_some_and(|hub| hub.phase == Phase::Ready));
        let (shared, messages) = (self.shared.clone(), self.cradle.messages.clone());
        self.notices.spawn(trace.scope(async move {
            match once {
                None => sanctum_http::tell(&shared, notice, hub_is_up).await,
                Some(Once { key, then }) => {
                    let kept = sanctum_http::tell_once(&shared, notice, key, hub_is_up).await;
                    messages.send(then(kept)).ok();
                }
            }
        }));
    }
}

/// The same lock has the same key, also for the next supervisor.
fn key(what: &str, name: &str, at: Timestamp) -> String {
    format!("supervise-{what}-{name}-{}", at.as_microsecond())
}
