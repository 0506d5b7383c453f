//! Pid files, and what they are for: a house left behind by a supervisor that was killed is found again, so that what
//! still runs as it should is kept, what does not is ended, and nothing ever runs twice.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use sanctum_kernel::process::born;
use sanctum_kernel::{Paths, files};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Plan, process};

/// A process by more than its number: a recycled pid has another birth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub name: String,
    pub pid: u32,
    pub born: String,
    /// The plan it was started for, as [`Plan::signature`] has it.
    #[serde(default)]
    pub plan: String,
    /// The file it was started from, as it was then.
    #[serde(default)]
    pub file: Option<String>,
    /// It has been ready.
    #[serde(default)]
    pub ready: bool,
}

impl Identity {
    /// A process that has just been started for a plan.
    pub(crate) fn of(plan: &Plan, pid: u32, file: Option<String>) -> Self {
        let born = born(pid).unwrap_or_default();
        Self { name: plan.name.clone(), pid, born, plan: plan.signature(), file, ready: false }
    }

    /// Writes it down. A failure costs only the search after a crash, so it is not one of the service.
    pub(crate) fn remember(&self, paths: &Paths) {
        // One that has ended already is nobody to be found again.
        if self.born.is_empty() {
            return;
        }
        if let Err(error) = write(&file(paths, &self.name), self) {
            tracing::warn!(service = self.name, %error, "a pid file could not be written");
        }
    }

    /// Whether it, or what it left in its group, still runs.
    pub fn lives(&self) -> bool {
        match born(self.pid) {
            Some(born) => born == self.born,
            // While a group has members its number is not given out again, so this is the old group.
            None => process::group_lives(self.pid),
        }
    }
}

fn file(paths: &Paths, name: &str) -> PathBuf {
    paths.run().join(format!("{name}.pid"))
}

/// Whole or absent, but not synced: after a power cut there is no process to find.
fn write(path: &Path, identity: &Identity) -> std::io::Result<()> {
    let new = path.with_extension("pid.new");
    let mut file = fs::File::create(&new)?;
    file.write_all(&serde_json::to_vec(identity)?)?;
    fs::rename(new, path)
}

pub(crate) fn forget(paths: &Paths, name: &str) {
    if let Err(error) = files::remove(&file(paths, name)) {
        tracing::warn!(service = name, %error, "a pid file could not be removed");
    }
}

/// Every process of the house that still runs: those that have a pid file, and, where the system tells, those whose file is
/// gone or makes no sense.
pub fn survivors(paths: &Paths) -> Vec<Identity> {
    let mut known = with_files(paths);
    for (name, pid) in process::left_behind(paths.home()) {
        if !known.iter().any(|known| known.pid == pid)
            && let Some(born) = born(pid)
        {
            known.push(Identity { name, pid, born, ..Identity::default() });
        }
    }
    known
}

/// Those that an earlier supervisor has written down, and that the next one keeps if they run as planned.
pub fn remembered(paths: &Paths) -> Vec<Identity> {
    with_files(paths)
}

fn with_files(paths: &Paths) -> Vec<Identity> {
    let Ok(entries) = fs::read_dir(paths.run()) else { return Vec::new() };
    let pids = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "pid"));
    let read = |path: PathBuf| serde_json::from_slice::<Identity>(&fs::read(path).ok()?).ok();
    pids.filter_map(read).filter(Identity::lives).collect()
}

/// Ends what an earlier supervisor left: SIGTERM to the groups, after `grace` SIGKILL. Returns what was found and,
/// of that, what cannot be ended.
pub async fn end_survivors(paths: &Paths, grace: Duration) -> (Vec<Identity>, Vec<Identity>) {
    let found = survivors(paths);
    let left = end(paths, found.clone(), grace).await;
    (found, left)
}

/// Ends these; returns what cannot be ended.
pub(crate) async fn end(paths: &Paths, found: Vec<Identity>, grace: Duration) -> Vec<Identity> {
    for survivor in &found {
        tracing::warn!(
            service = survivor.name,
            pid = survivor.pid,
            "a process of an earlier house still runs: it is ended"
        );
        process::signal_group(survivor.pid, Signal::TERM);
    }
    let started = Instant::now();
    let mut killed = false;
    let mut left = found.clone();
    while !left.is_empty() && started.elapsed() < grace + Duration::from_secs(5) {
        if !killed && started.elapsed() >= grace {
            killed = true;
            for survivor in &left {
                process::signal_group(survivor.pid, Signal::KILL);
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        left.retain(Identity::lives);
    }
    for ended in found.iter().filter(|ended| !left.contains(ended)) {
        forget(paths, &ended.name);
    }
    left
}
