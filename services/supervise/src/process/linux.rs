//! Linux: proc(5), prctl(2).

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use sanctum_api::supervise::Usage;

/// The fields of `/proc/PID/stat` that matter here.
struct Stat {
    dead: bool,
    parent: u32,
    group: u32,
    session: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    // What is wanted is at the beginning, and the kernel writes it in one go.
    let mut text = [0; 1024];
    let length = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut text).ok()?;
    let text = String::from_utf8_lossy(text.get(..length)?);
    // The name in parentheses may hold anything, also parentheses and spaces.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let small = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok());
    Some(Stat {
        dead: matches!(*fields.first()?, "Z" | "X"),
        parent: small(1)?,
        group: small(2)?,
        session: small(3)?,
    })
}

/// Orphaned grandchildren become children of this process, so that they can be found, ended and reaped.
pub(crate) fn adopt_orphans() {
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(%error, "orphans of services cannot be adopted");
    }
}

/// Children of this process that it may have been given by others: an orphan becomes a child of its new parent's first thread
/// (`find_new_reaper` in the kernel's exit.c), and so do the children of a thread that ends.
fn children() -> Vec<u32> {
    let pid = std::process::id();
    // Asked for little at a time the kernel walks the list anew each time.
    let mut list = Vec::with_capacity(4096);
    let opened = fs::File::open(format!("/proc/{pid}/task/{pid}/children"));
    if opened.and_then(|mut file| file.read_to_end(&mut list)).is_err() {
        return Vec::new();
    }
    let list = String::from_utf8_lossy(&list);
    list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Dead children that were adopted: of the group of one of `leaders`, or of a session of their own. Whatever else
/// this process forked is somebody else's to wait for.
pub(crate) fn orphans(leaders: &BTreeSet<u32>) -> Vec<u32> {
    let ours = stat(std::process::id()).map(|stat| stat.session);
    let adopted = |&pid: &u32| {
        let Some(stat) = stat(pid).filter(|stat| stat.dead) else { return false };
        !leaders.contains(&pid) && (leaders.contains(&stat.group) || Some(stat.session) != ours)
    };
    children().into_iter().filter(adopted).collect()
}

/// Adopted processes of a unit that left its group, known by what every child of that unit has in its environment.
pub(crate) fn escaped(unit: &str, home: &Path, leaders: &BTreeSet<u32>) -> Vec<u32> {
    children().into_iter().filter(|pid| !leaders.contains(pid) && belongs(*pid, unit, home)).collect()
}

/// Leaders of process groups that were started for a unit of this house, whoever's children they are: what is found where
/// no pid file tells.
pub(crate) fn left_behind(home: &Path) -> Vec<(String, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let ours = ancestors();
    // Most lead no group: asking the kernel for that costs less than reading a file of each.
    let leads = |pid: &u32| {
        group_of(*pid) == Some(*pid) && !ours.contains(pid) && stat(*pid).is_some_and(|stat| !stat.dead)
    };
    pids.filter(leads).filter_map(|pid| Some((unit_of(pid, home)?, pid))).collect()
}

/// The process group of a process; 0 for threads of the kernel, which is more than some wrappers of this call expect.
fn group_of(pid: u32) -> Option<u32> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    // SAFETY: it takes a number and touches no memory.
    #[expect(unsafe_code, reason = "the safe call panics on threads of the kernel")]
    let group = unsafe { libc::getpgid(pid) };
    u32::try_from(group).ok()
}

/// This process and those it comes from.
fn ancestors() -> BTreeSet<u32> {
    let mut line = BTreeSet::new();
    let mut next = Some(std::process::id());
    while let Some(pid) = next.filter(|pid| *pid > 1 && line.insert(*pid)) {
        next = stat(pid).map(|stat| stat.parent);
    }
    line
}

/// The unit of this house that a process was started for.
fn unit_of(pid: u32, home: &Path) -> Option<String> {
    let environment = environment(pid)?;
    let home = format!("SANCTUM_HOME={}", home.display());
    let mut variables = environment.split(|byte| *byte == 0);
    variables.clone().find(|variable| *variable == home.as_bytes())?;
    let unit = variables.find_map(|variable| variable.strip_prefix(b"SANCTUM_UNIT="))?;
    Some(String::from_utf8_lossy(unit).into_owned())
}

/// With room for a usual one from the beginning: a file whose length nobody says is read by the little otherwise.
fn environment(pid: u32) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(16 * 1024);
    fs::File::open(format!("/proc/{pid}/environ")).ok()?.read_to_end(&mut text).ok()?;
    Some(text)
}

fn belongs(pid: u32, unit: &str, home: &Path) -> bool {
    let Some(environment) = environment(pid) else { return false };
    let has = |wanted: &[u8]| environment.split(|byte| *byte == 0).any(|variable| variable == wanted);
    has(format!("SANCTUM_UNIT={unit}").as_bytes())
        && has(format!("SANCTUM_HOME={}", home.display()).as_bytes())
}

/// What these take, each with everything in the group that it leads; a leader that leads none, such as the supervisor
/// itself, stands for itself.
pub(crate) fn usage(running: &[(String, u32)]) -> Vec<Usage> {
    let empty = |(name, pid): &(String, u32)| Usage {
        name: name.clone(),
        pid: *pid,
        processes: 0,
        threads: 0,
        cpu_ms: 0,
        memory_bytes: 0,
        files: Some(0),
    };
    let mut all: Vec<Usage> = running.iter().map(empty).collect();
    let Ok(entries) = fs::read_dir("/proc") else { return all };
    let own = std::process::id();
    for pid in entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let Some(taken) = taken(pid) else { continue };
        let belongs =
            |usage: &&mut Usage| if usage.pid == own { pid == own } else { taken.group == usage.pid };
        if let Some(usage) = all.iter_mut().find(belongs) {
            usage.processes += 1;
            usage.threads += taken.threads;
            usage.cpu_ms += taken.cpu_ms;
            usage.memory_bytes += taken.memory_bytes;
            let files = fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count);
            let files = files.and_then(|files| u32::try_from(files).ok());
            usage.files = usage.files.zip(files).map(|(sum, files)| sum + files);
        }
    }
    all
}

struct Taken {
    group: u32,
    threads: u32,
    cpu_ms: u64,
    memory_bytes: u64,
}

fn taken(pid: u32) -> Option<Taken> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    // Counted from the state, which is the third field of proc_pid_stat(5): group, utime, stime, threads.
    let (group, utime, stime, threads) = (field(2)?, field(11)?, field(12)?, field(17)?);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = resident.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Some(Taken {
        group: u32::try_from(group).ok()?,
        threads: u32::try_from(threads).ok()?,
        // Hundredths of a second on every Linux.
        cpu_ms: (utime + stime).saturating_mul(10),
        memory_bytes: kb.unwrap_or(0).saturating_mul(1024),
    })
}
