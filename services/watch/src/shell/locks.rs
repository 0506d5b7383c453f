//! Services that the supervisor has locked: one notice for each, and the supervisor knows whose it is.

use sanctum_api::supervise::{Locked, Phase, ServiceState};
use sanctum_kernel::OnError;

use super::Shell;
use crate::claims;
use crate::engine::{Command, Turn};
use crate::notices::Lock;

/// What the supervisor said last of a service.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) pid: Option<u32>,
    pub(super) locked: bool,
    pub(super) lock: Option<Locked>,
    failures: u32,
}

impl Word {
    pub(super) fn of(state: &ServiceState) -> Self {
        Self {
            pid: state.pid,
            locked: state.phase == Phase::Locked,
            lock: state.locked.clone(),
            failures: state.restarts,
        }
    }
}

impl Shell {
    /// What there is to say of its lock, if it is locked.
    pub(super) fn lock(&self, name: &str) -> Option<Lock> {
        let word = self.kept.get(name).filter(|word| word.locked)?;
        Some(Lock { locked: word.lock.clone()?, failures: word.failures })
    }

    /// Something about its lock is new: its incident, if there is one already, is told anew.
    pub(super) async fn look_at_lock(&mut self, name: &str) {
        if let Some((id, _)) = self.open_about(name)
            && let Ok(incident) = u64::try_from(id)
        {
            self.obey(vec![Command::Incident { incident, what: Turn::Changed }]).await;
        }
        self.claim_locks().await;
    }

    /// The open incident of a root, and whether people have heard in it that it is locked.
    fn open_about(&self, name: &str) -> Option<(i64, bool)> {
        let brain = self.hub.brain();
        let mut open = brain.book.values().filter(|record| record.wire.resolved.is_none());
        let record = open.find(|record| record.wire.root == name)?;
        Some((record.wire.id, record.told.as_ref().is_some_and(|told| told.locked)))
    }

    /// Claims every lock that people have heard of from here and that the supervisor would tell them of: it, or this watch, was not
    /// there when that was said.
    pub(super) async fn claim_locks(&mut self) {
        let open = self.kept.iter().filter(|(_, word)| word.locked);
        let open = open.filter(|(_, word)| word.lock.as_ref().is_some_and(|lock| lock.told.is_none()));
        let told = |name: &String| self.open_about(name).is_some_and(|(_, told)| told);
        let mine: Vec<String> = open.map(|(name, _)| name).filter(|name| told(name)).cloned().collect();
        // What is not on the disk may be lost: then the supervisor has to say it.
        if mine.is_empty() || !self.hub.store.retry().await {
            return;
        }
        let hub = self.hub();
        self.hub.shared.tasks.spawn("claim", OnError::Log, |stop| async move {
            for name in mine {
                stop.or(claims::claim(&hub, &name)).await;
            }
            Ok(())
        });
    }
}
