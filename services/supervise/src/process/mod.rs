//! What the system knows of processes: groups, orphans.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

use std::collections::BTreeSet;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(target_os = "linux")]
pub(crate) use linux::{adopt_orphans, escaped, left_behind, orphans, usage};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{adopt_orphans, escaped, left_behind, orphans, usage};
use rustix::process::{Pid, Signal, WaitOptions};

/// The processes that were started here and not yet waited for: nobody else may reap them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leaders(Arc<Mutex<BTreeSet<u32>>>);

impl Leaders {
    pub(crate) fn add(&self, pid: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
    }

    pub(crate) fn remove(&self, pid: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
    }

    pub(crate) fn all(&self) -> BTreeSet<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reaps grandchildren that lost their parent and have ended.
    pub(crate) fn reap_orphans(&self) {
        for orphan in orphans(&self.all()) {
            let Some(pid) = pid(orphan) else { continue };
            rustix::process::waitpid(Some(pid), WaitOptions::NOHANG).ok();
        }
    }
}

/// How a child of this process ended, if it is one and has.
pub(crate) fn reap(raw: u32) -> Option<ExitStatus> {
    let (_, status) = rustix::process::waitpid(Some(pid(raw)?), WaitOptions::NOHANG).ok()??;
    Some(std::os::unix::process::ExitStatusExt::from_raw(status.as_raw()))
}

pub(crate) fn pid(raw: u32) -> Option<Pid> {
    i32::try_from(raw).ok().and_then(Pid::from_raw)
}

/// Sends a signal to a whole process group; that it is gone already is fine.
pub(crate) fn signal_group(group: u32, signal: Signal) {
    if let Some(group) = pid(group) {
        rustix::process::kill_process_group(group, signal).ok();
    }
}

pub(crate) fn signal_all(processes: &[u32], signal: Signal) {
    for process in processes.iter().copied().filter_map(pid) {
        rustix::process::kill_process(process, signal).ok();
    }
}

/// Whether a group has members, dead ones that nobody waited for included.
pub(crate) fn group_lives(group: u32) -> bool {
    pid(group).is_some_and(|group| rustix::process::test_kill_process_group(group).is_ok())
}

/// Reaps what was adopted from a group whose leader has been waited for.
pub(crate) fn reap_group(group: u32) {
    let Some(group) = pid(group) else { return };
    while matches!(rustix::process::waitpgid(group, WaitOptions::NOHANG), Ok(Some(_))) {}
}
