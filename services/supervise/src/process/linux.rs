//! Linux: proc(5), prctl(2).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

/// The fields of `/proc/PID/stat` that matter here.
struct Stat {
    dead: bool,
    group: u32,
    session: u32,
    /// Ticks since boot.
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also parentheses and spaces.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let small = |at: usize| number(at).and_then(|number| u32::try_from(number).ok());
    Some(Stat {
        dead: matches!(*fields.first()?, "Z" | "X"),
        group: small(2)?,
        session: small(3)?,
        started: number(19)?,
    })
}

/// When a process was born: the boot and the ticks since. A recycled pid has another one.
pub(crate) fn born(pid: u32) -> Option<String> {
    let stat = stat(pid).filter(|stat| !stat.dead)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{}+{}", boot.trim(), stat.started))
}

/// Orphaned grandchildren become children of this process, so that they can be found, ended and reaped.
pub(crate) fn adopt_orphans() {
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(%error, "orphans of services cannot be adopted");
    }
}

/// The child gets SIGTERM when the thread that forks it ends.
pub(crate) fn die_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    let before_exec = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        // The parent may have ended before the line above.
        if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
    };
    // SAFETY: between fork and exec this makes two system calls that are async-signal-safe, and allocates nothing.
    #[expect(unsafe_code, reason = "no safe interface sets a parent-death signal for a child")]
    unsafe {
        command.pre_exec(before_exec);
    }
}

/// Direct children of this process.
fn children() -> Vec<u32> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
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
pub(crate) fn escaped(unit: &str, home: &Path) -> Vec<u32> {
    children().into_iter().filter(|&pid| belongs(pid, unit, home)).collect()
}

fn belongs(pid: u32, unit: &str, home: &Path) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let has = |wanted: &[u8]| environment.split(|byte| *byte == 0).any(|variable| variable == wanted);
    has(format!("SANCTUM_UNIT={unit}").as_bytes())
        && has(format!("SANCTUM_HOME={}", home.display()).as_bytes())
}
