//! One supervisor, from its start to its end: boot, order, kills, memory and time while nothing happens.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Stdio};
use std::thread::park_timeout as sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sanctum_kernel::Failure;
use serde_json::{Value, json};

use crate::book::{Book, now};
use crate::kinds::{Graph, Kind, Places};

/// Nothing takes longer that is still worth a figure.
const LONGEST: Duration = Duration::from_mins(1);
/// Between two kills: each child has run for seconds when its turn comes again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long nothing happens while memory and time are read.
const IDLE: Duration = Duration::from_secs(20);

/// A supervisor that runs; ended with its children whatever happens.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) book: Book,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) started: u64,
}

impl Running {
    pub(crate) fn start(kind: Kind, places: &Places, graph: &Graph, more: &str) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new().prefix("supervise-bench").tempdir()?;
        let book = Book::open(dir.path())?;
        let mut command = kind.prepare(places, dir.path(), graph, more)?;
        let log = fs::File::create(dir.path().join("out.log"))?;
        command.env("BENCH_SOCK", &book.path).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = now();
        let child = command.spawn()?;
        Ok(Self { child, book, dir, started })
    }

    /// The processes of the supervisor itself: its tree without the children it keeps.
    pub(crate) fn processes(&self) -> BTreeSet<u32> {
        let children: BTreeSet<u32> = self.book.processes().into_iter().collect();
        let parents = parents();
        let mut tree = BTreeSet::from([self.child.id()]);
        loop {
            let more = parents.iter().filter(|(pid, parent)| tree.contains(parent) && !tree.contains(pid));
            let more: Vec<u32> = more.map(|(pid, _)| *pid).filter(|pid| !children.contains(pid)).collect();
            if more.is_empty() {
                return tree;
            }
            tree.extend(more);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let all = self.processes();
        kill(self.child.id(), Signal::TERM);
        for _ in 0..300 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            sleep(Duration::from_millis(20));
        }
        for pid in all.into_iter().chain(self.book.processes()) {
            // A number that somebody else has by now is not killed.
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            if name.trim().starts_with("supervise_child")
                || pid == self.child.id()
                || parents().iter().any(|(own, parent)| *own == pid && *parent == 1) && is_peer(name.trim())
            {
                kill(pid, Signal::KILL);
            }
        }
        self.child.wait().ok();
    }
}

fn is_peer(name: &str) -> bool {
    ["s6-", "runsv", "monit", "circusd", "supervisord", "node", "pm2"]
        .iter()
        .any(|peer| name.starts_with(peer))
}

pub(crate) fn kill(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        rustix::process::kill_process(pid, signal).ok();
    }
}

/// Every process and its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, text.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?))
    };
    pids.filter_map(parent).collect()
}

/// Sums of smaps_rollup(5) in MB: all of it, and what is not a page of a file.
pub(crate) fn memory(processes: &BTreeSet<u32>) -> (f64, f64) {
    let mut all = (0.0, 0.0);
    for pid in processes {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let of = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok())
                .unwrap_or(0.0)
                / 1024.0
        };
        all.0 += of("Pss:");
        all.1 += of("Pss_Anon:") + of("Pss_Shmem:");
    }
    all
}

/// Time on a processor in nanoseconds: as the scheduler counts it, or in hundredths of a second where it does not.
pub(crate) fn busy(processes: &BTreeSet<u32>) -> u64 {
    let threads = processes
        .iter()
        .flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    let of = |task: fs::DirEntry| {
        let exact = fs::read_to_string(task.path().join("schedstat")).ok();
        let exact = exact.and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or(0);
        let stat = fs::read_to_string(task.path().join("stat")).ok()?;
        let ticks = stat
            .rsplit_once(") ")?
            .1
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok());
        Some(exact.max(ticks.sum::<u64>() * 10_000_000))
    };
    threads.filter_map(of).sum()
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of some seconds")]
pub(crate) fn ms(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index from a share of a length"
)]
fn percentile(values: &[f64], p: f64) -> f64 {
    let at = ((values.len() as f64 * p / 100.0) as usize).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Everything about one supervisor; what cannot be had is absent.
#[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
pub(crate) fn measure(kind: Kind, places: &Places, kills: usize) -> Result<Value, Failure> {
    let graph = Graph::new(40, 5, 100);
    let running = Running::start(kind, places, &graph, "")?;
    let Some(ready) = running.book.wait(&graph.names, 'R', 0, LONGEST) else {
        let log = fs::read_to_string(running.dir.path().join("out.log")).unwrap_or_default();
        let end: String = log.lines().rev().take(4).collect::<Vec<_>>().join(" | ");
        return Err(format!("{} did not bring up its children: {end}", kind.name()).into());
    };
    let boot = ready.iter().map(|said| said.at).max().unwrap_or(0);
    let first =
        graph.names.iter().filter_map(|name| Some(running.book.first(name, 'S', 0)?.at)).min().unwrap_or(0);
    let violations: usize =
        graph.names.iter().enumerate().map(|(at, name)| late(&running.book, &graph, at, name)).sum();
    let edges: usize = (0..graph.names.len()).map(|at| graph.needs(at).len()).sum();
    sleep(Duration::from_secs(3));
    let processes = running.processes();
    let before = busy(&processes);
    sleep(IDLE);
    let idle = busy(&processes).saturating_sub(before) as f64 / IDLE.as_nanos() as f64 * 100.0;
    let (pss, own) = memory(&processes);
    let times = kill_many(&running.book, &graph, if kind.is_slow() { kills.min(10) } else { kills });
    Ok(json!({
        "name": kind.name(),
        "boot_ms": ms(boot.saturating_sub(running.started)),
        "boot_from_first_ms": ms(boot.saturating_sub(first)),
        "violations": violations, "edges": edges,
        "kills": times.len(), "median_ms": percentile(&times, 50.0), "p99_ms": percentile(&times, 99.0), "max_ms": times.last(),
        "processes": processes.len(), "pss_mb": pss, "own_mb": own, "idle_cpu": idle,
    }))
}

/// Needs of one child that were not ready when it started.
fn late(book: &Book, graph: &Graph, at: usize, name: &str) -> usize {
    let Some(started) = book.first(name, 'S', 0) else { return 0 };
    let ready = |need: &&str| book.first(need, 'R', 0).is_none_or(|ready| ready.at > started.at);
    graph.needs(at).iter().filter(|need| ready(need)).count()
}

/// From each SIGKILL to the first instruction of the successor, in milliseconds, sorted.
fn kill_many(book: &Book, graph: &Graph, kills: usize) -> Vec<f64> {
    let mut times = Vec::new();
    for name in graph.names.iter().cycle().take(kills) {
        let Some(pid) = book.process(name) else { continue };
        let killed = now();
        kill(pid, Signal::KILL);
        if let Some(said) =
            book.wait(std::slice::from_ref(name), 'S', killed, Duration::from_secs(20)).as_deref()
            && let Some(said) = said.first()
        {
            times.push(ms(said.at - killed));
        }
        sleep(PAUSE);
    }
    times.sort_by(f64::total_cmp);
    times
}
