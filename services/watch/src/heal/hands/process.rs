//! Processes: whose they are, what they hold, and ending them for certain.

#[cfg(target_os = "linux")]
#[path = "process_linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "process_other.rs"]
mod system;

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sanctum_kernel::process::born;
use tokio::time::Instant;

pub(crate) use system::{all, handles, has_open, image_replaced, listeners, marked};

/// How long a process that was asked may take to end.
const GRACE: Duration = Duration::from_secs(5);
/// SIGKILL is not refused; who is still there hangs in the kernel.
const BEYOND_REACH: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);

/// One process, by more than its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// What tells it from whoever gets its number later.
    pub(crate) born: String,
    /// `R`, `S`, `D`, `T`, `Z`, as ps(1) has it.
    pub(crate) state: char,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) uid: u32,
    pub(crate) name: String,
    /// Under which name a house runs it, and which house.
    pub(crate) unit: Option<String>,
    pub(crate) home: Option<String>,
}

impl Process {
    /// Whether this house runs it, under whatever name.
    pub(crate) fn is_of(&self, home: &Path) -> bool {
        self.unit.is_some() && self.home.as_deref() == home.to_str()
    }

    pub(crate) fn lives(&self) -> bool {
        born(self.pid).is_some_and(|born| born == self.born)
    }

    pub(crate) fn shown(&self) -> String {
        format!("process {} (`{}`)", self.pid, self.name)
    }
}

/// By its number.
pub(crate) fn find(pid: u32) -> Option<Process> {
    all().into_iter().find(|process| process.pid == pid)
}

/// This process and those it descends from: nobody may end the branch he sits on.
pub(crate) fn ancestors(all: &[Process]) -> Vec<u32> {
    let mut line = vec![std::process::id()];
    while let Some(parent) = line
        .last()
        .and_then(|pid| all.iter().find(|process| process.pid == *pid))
        .map(|process| process.parent)
        .filter(|parent| *parent > 0 && !line.contains(parent))
    {
        line.push(parent);
    }
    line
}

fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw)
}

/// A signal to exactly this process: on Linux through a descriptor of it, so that no successor of its number is hit.
pub(crate) fn signal(process: &Process, signal: Signal) {
    let Some(pid) = number(process.pid) else { return };
    #[cfg(target_os = "linux")]
    if let Ok(fd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
        if process.lives() {
            rustix::process::pidfd_send_signal(&fd, signal).ok();
        }
        return;
    }
    if process.lives() {
        rustix::process::kill_process(pid, signal).ok();
    }
}

pub(crate) fn signal_group(group: u32, signal: Signal) {
    if let Some(group) = number(group) {
        rustix::process::kill_process_group(group, signal).ok();
    }
}

/// Asks these to end, then makes them; the error names who is still there.
pub(crate) async fn end(them: &[Process]) -> Result<(), String> {
    let started = Instant::now();
    let mut killed = false;
    for process in them {
        signal(process, Signal::TERM);
        // A stopped process hears nothing until it goes on.
        signal(process, Signal::CONT);
    }
    loop {
        let left: Vec<&Process> = them.iter().filter(|process| process.lives()).collect();
        if left.is_empty() {
            return Ok(());
        }
        if !killed && started.elapsed() >= GRACE {
            killed = true;
            for process in &left {
                signal(process, Signal::KILL);
            }
        }
        if started.elapsed() >= GRACE + BEYOND_REACH {
            let names: Vec<String> = left.iter().map(|process| process.shown()).collect();
            return Err(format!("{} cannot be ended", names.join(", ")));
        }
        tokio::time::sleep(LOOK).await;
    }
}
