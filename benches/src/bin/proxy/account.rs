//! What a process and its children cost, from /proc.

use std::collections::BTreeMap;

/// Microseconds of processor time of a process tree.
pub(crate) fn cpu_us(pid: u32) -> u64 {
    let ticks: u64 = tree(pid).iter().filter_map(|pid| stat(*pid)).map(|(_, ticks)| ticks).sum();
    // Linux counts 100 a second on every machine it runs on here (USER_HZ).
    ticks * 10_000
}

/// Proportional set size of a process tree, in megabytes.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn pss_mb(pid: u32) -> f64 {
    let of = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    tree(pid).into_iter().filter_map(of).sum::<u64>() as f64 / 1024.0
}

/// Parent, and ticks of user and system time: fields 4, 14 and 15 of proc(5)'s stat.
fn stat(pid: u32) -> Option<(u32, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((fields.get(1)?.parse().ok()?, ticks(11)? + ticks(12)?))
}

fn tree(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some((parent, _)) = stat(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = vec![root];
    let mut at = 0;
    while let Some(pid) = all.get(at) {
        all.extend(children.get(pid).into_iter().flatten().copied().collect::<Vec<_>>());
        at += 1;
    }
    all
}
