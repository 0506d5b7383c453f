//! One supervisor, from its start to its end: boot, order, kills, memory and time while nothing happens.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Stdio};
use std::thread::park_timeout as sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sanctum_kernel::Failure;
use serde_json::{Value, json};

use crate::book::{Book, Said, now};
use crate::kinds::{Graph, Kind, Places};

/// Nothing takes longer that is still worth a figure.
const LONGEST: Duration = Duration::from_mins(1);
/// Between two kills.
const PAUSE: Duration = Duration::from_millis(100);
/// No child is killed that has run for less: s6 and runit wait a second before they start such a one again, and what is
/// measured here is the first restart, which nobody delays.
const RAN: Duration = Duration::from_secs(2);
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
    let running = start(kind, places, &graph)?;
    let of = |name, what| running.book.first(name, what, 0).map(|said| said.at);
    let boot = graph.names.iter().filter_map(|name| of(name, 'R')).max().unwrap_or(0);
    let first = graph.names.iter().filter_map(|name| of(name, 'S')).min().unwrap_or(0);
    let violations: usize =
        graph.names.iter().enumerate().map(|(at, name)| late(&running.book, &graph, at, name)).sum();
    let edges: usize = (0..graph.names.len()).map(|at| graph.needs(at).len()).sum();
    sleep(Duration::from_secs(3));
    let processes = running.processes();
    let before = busy(&processes);
    sleep(IDLE);
    let idle = busy(&processes).saturating_sub(before) as f64 / IDLE.as_nanos() as f64 * 100.0;
    let (pss, own) = memory(&processes);
    let started = running.started;
    drop(running);
    // Where one requires another its end takes the other with it, which only some can do: killed are children that stand alone.
    let alone = Graph::new(40, 1, 100);
    let (running, floor) = (start(kind, places, &alone)?, start(Kind::Floor, places, &alone)?);
    let kills = if kind.is_slow() { kills.min(10) } else { kills };
    let (times, floor) = kill_many(&running.book, &floor.book, &alone, kills);
    Ok(json!({
        "name": kind.name(),
        "boot_ms": ms(boot.saturating_sub(started)),
        "boot_from_first_ms": ms(boot.saturating_sub(first)),
        "violations": violations, "edges": edges,
        "kills": times.len(), "median_ms": percentile(&times, 50.0), "p99_ms": percentile(&times, 99.0), "max_ms": times.last(),
        "floor_ms": percentile(&floor, 50.0), "floor_p99_ms": percentile(&floor, 99.0),
        "processes": processes.len(), "pss_mb": pss, "own_mb": own, "idle_cpu": idle,
    }))
}

/// A supervisor whose children are all ready.
fn start(kind: Kind, places: &Places, graph: &Graph) -> Result<Running, Failure> {
    let running = Running::start(kind, places, graph, "")?;
    if running.book.wait(&graph.names, 'R', 0, LONGEST).is_some() {
        return Ok(running);
    }
    let log = fs::read_to_string(running.dir.path().join("out.log")).unwrap_or_default();
    let end: String = log.lines().rev().take(4).collect::<Vec<_>>().join(" | ");
    Err(format!("{} did not bring up its children: {end}", kind.name()).into())
}

/// Needs of one child that were not ready when it started.
fn late(book: &Book, graph: &Graph, at: usize, name: &str) -> usize {
    let Some(started) = book.first(name, 'S', 0) else { return 0 };
    let ready = |need: &&str| book.first(need, 'R', 0).is_none_or(|ready| ready.at > started.at);
    graph.needs(at).iter().filter(|need| ready(need)).count()
}

/// Kills in turn a child of the one and a child of the floor, so that whatever else the machine does falls on both; from each
/// SIGKILL to the first instruction of the successor, in milliseconds, sorted.
fn kill_many(book: &Book, floor: &Book, graph: &Graph, kills: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut times, mut floors) = (Vec::new(), Vec::new());
    for name in graph.names.iter().cycle().take(kills) {
        times.extend(kill_one(book, name));
        sleep(PAUSE / 2);
        floors.extend(kill_one(floor, name));
        sleep(PAUSE / 2);
    }
    times.sort_by(f64::total_cmp);
    floors.sort_by(f64::total_cmp);
    (times, floors)
}

fn kill_one(book: &Book, name: &String) -> Option<f64> {
    let Said { pid, at, .. } = book.latest(name)?;
    let ran = Duration::from_nanos(now().saturating_sub(at));
    sleep(RAN.saturating_sub(ran));
    let killed = now();
    kill(pid, Signal::KILL);
    let said = book.wait(std::slice::from_ref(name), 'S', killed, Duration::from_secs(20))?;
    Some(ms(said.first()?.at - killed))
}
