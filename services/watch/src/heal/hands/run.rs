//! Running a program within bounds: time, output, memory, processes; nothing of it is left when this returns.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use sanctum_kernel::trace::{hex, random};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::process;

/// Between two looks at how many processes it has become.
const LOOK: Duration = Duration::from_millis(25);
/// How long its last words are awaited after it has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A fork bomb is fought for this long.
const FIGHT: Duration = Duration::from_secs(10);
const FILES: u64 = 256;
const FILE_SIZE: u64 = 64 << 20;

/// What it may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    /// Bytes of output that are kept; the rest is read and dropped.
    pub(crate) output: usize,
    /// Bytes of address space of each process.
    pub(crate) memory: u64,
    pub(crate) processes: u32,
}

impl Bounds {
    /// For programs of the system that do one small thing.
    pub(crate) const SMALL: Self =
        Self { time: Duration::from_secs(20), output: 16 * 1024, memory: 1 << 30, processes: 32 };
}

/// What became of it.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// Absent: a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed, both streams, cut where it was too long.
    pub(crate) output: String,
    pub(crate) cut: bool,
}

impl Ran {
    /// The end of what it printed, on one line.
    pub(crate) fn words(&self) -> String {
        let line = self.output.trim().lines().next_back().unwrap_or_default();
        let mut words: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
        if self.cut {
            words.push_str(" (and more than is kept)");
        }
        words
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("`{}` could not be started", .0.display())]
    NotStarted(PathBuf, #[source] std::io::Error),
    #[error("it took longer than {} s, and was ended", .0.as_secs_f32())]
    Slow(Duration),
    #[error("it became more than {0} processes, and was ended")]
    TooMany(u32),
    #[error("its end could not be awaited")]
    Lost(#[source] std::io::Error),
}

/// Runs it; no shell is asked. Whatever it starts is ended with it, also what leaves its group.
pub(crate) async fn run(
    program: &Path,
    arguments: &[OsString],
    home: &Path,
    bounds: Bounds,
) -> Result<Ran, RunError> {
    let mark = format!("SANCTUM_HEAL={}", hex(&random::<12>()));
    let mut child = spawn(program, arguments, home, bounds, &mark)
        .map_err(|error| RunError::NotStarted(program.to_owned(), error))?;
    let group = child.id().unwrap_or_default();
    let kept = Arc::new(Mutex::new((Vec::new(), false)));
    let mut reading = JoinSet::new();
    if let Some(out) = child.stdout.take() {
        reading.spawn(keep(out, Arc::clone(&kept), bounds.output));
    }
    if let Some(err) = child.stderr.take() {
        reading.spawn(keep(err, Arc::clone(&kept), bounds.output));
    }
    let outcome = wait(&mut child, &mark, bounds).await;
    sweep(group, &mark).await;
    if outcome.is_err() {
        child.wait().await.ok();
    }
    let drained = async { while reading.join_next().await.is_some() {} };
    tokio::time::timeout(LAST_WORDS, drained).await.ok();
    let (bytes, cut) = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    let output = String::from_utf8_lossy(&bytes).into_owned();
    outcome.map(|code| Ran { code, output, cut })
}

fn spawn(
    program: &Path,
    arguments: &[OsString],
    home: &Path,
    bounds: Bounds,
    mark: &str,
) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    let (name, value) = mark.split_once('=').unwrap_or_default();
    command
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .env("SANCTUM_HOME", home)
        .env(name, value)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let limits = limits(bounds);
    // SAFETY: between fork and exec only setrlimit(2) is called, which allocates nothing and takes no lock.
    #[expect(unsafe_code, reason = "limits must be set between fork and exec")]
    unsafe {
        command.pre_exec(move || {
            for (resource, most) in limits {
                let limit = Rlimit { current: Some(most), maximum: Some(most) };
                // A limit that is tighter already stays.
                if setrlimit(resource, limit).is_err() {}
            }
            Ok(())
        });
    }
    command.spawn()
}

/// The limit of processes counts all of the user's, and does not hold for root: how many it has become is looked at besides.
fn limits(bounds: Bounds) -> [(Resource, u64); 6] {
    let mine = rustix::process::geteuid().as_raw();
    let others = process::all().iter().filter(|process| process.uid == mine).count();
    let processes = u64::try_from(others).unwrap_or_default() + u64::from(bounds.processes);
    [
        (Resource::Core, 0),
        (Resource::Nofile, FILES),
        (Resource::Fsize, FILE_SIZE),
        (Resource::As, bounds.memory),
        (Resource::Cpu, bounds.time.as_secs().max(1)),
        (Resource::Nproc, processes),
    ]
}

async fn keep(mut from: impl AsyncRead + Unpin, kept: Arc<Mutex<(Vec<u8>, bool)>>, most: usize) {
    let mut bite = vec![0; 8192];
    while let Ok(taken @ 1..) = from.read(&mut bite).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = most.saturating_sub(kept.0.len());
        kept.0.extend_from_slice(bite.get(..taken.min(room)).unwrap_or_default());
        kept.1 |= taken > room;
    }
}

async fn wait(child: &mut Child, mark: &str, bounds: Bounds) -> Result<Option<i32>, RunError> {
    let until = Instant::now() + bounds.time;
    let many = usize::try_from(bounds.processes).unwrap_or(usize::MAX);
    loop {
        tokio::select! {
            ended = child.wait() => return ended.map(|status| status.code()).map_err(RunError::Lost),
            () = tokio::time::sleep_until(until) => return Err(RunError::Slow(bounds.time)),
            () = tokio::time::sleep(LOOK) => {
                if process::marked(mark).len() > many {
                    return Err(RunError::TooMany(bounds.processes));
                }
            }
        }
    }
}

/// Ends everything that bears the mark. Two looks in a row must find nobody: between reading the list and ending those on it
/// more may have been born.
async fn sweep(group: u32, mark: &str) {
    let started = Instant::now();
    let mut clean = 0;
    while clean < 2 && started.elapsed() < FIGHT {
        process::signal_group(group, Signal::KILL);
        let left = process::marked(mark);
        clean = if left.is_empty() { clean + 1 } else { 0 };
        for pid in left.into_iter().filter_map(|pid| i32::try_from(pid).ok()) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                rustix::process::kill_process(pid, Signal::KILL).ok();
            }
        }
        tokio::task::yield_now().await;
    }
    if clean < 2 {
        tracing::error!(group, "processes of a healing script cannot be ended");
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
