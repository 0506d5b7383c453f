//! Linux: proc(5), prctl(2).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The fields of `/proc/PID/stat` that matter here.
struct Stat {
    dead: bool,
    group: u32,
    session: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also parentheses and spaces.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let small = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok());
    Some(Stat { dead: matches!(*fields.first()?, "Z" | "X"), group: small(2)?, session: small(3)? })
}

/// Orphaned grandchildren become children of this process, so that they can be found, ended and reaped.
pub(crate) fn adopt_orphans() {
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(%error, "orphans of services cannot be adopted");
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
