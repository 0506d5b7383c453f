//! macOS and others: orphans go to init, which reaps them.

use std::collections::BTreeSet;
use std::path::Path;

use sanctum_api::supervise::Usage;

pub(crate) const fn adopt_orphans() {}

pub(crate) const fn orphans(_: &BTreeSet<u32>) -> Vec<u32> {
    Vec::new()
}

pub(crate) const fn escaped(_: &str, _: &Path, _: &BTreeSet<u32>) -> Vec<u32> {
    Vec::new()
}

pub(crate) const fn left_behind(_: &Path) -> Vec<(String, u32)> {
    Vec::new()
}

/// As ps(1) says it: memory in KiB, time as `[[days-]hours:]minutes:seconds.hundredths`. Open files are not counted.
pub(crate) fn usage(running: &[(String, u32)]) -> Vec<Usage> {
    let output = std::process::Command::new("/bin/ps").args(["-axo", "pgid=,pid=,rss=,time="]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let own = std::process::id();
    let one = |(name, leader): &(String, u32)| {
        let mut usage = Usage {
            name: name.clone(),
            pid: *leader,
            processes: 0,
            threads: 0,
            cpu_ms: 0,
            memory_bytes: 0,
            files: None,
        };
        for line in text.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let &[group, pid, memory, time] = words.as_slice() else { continue };
            let key = if *leader == own { pid } else { group };
            if key.parse() == Ok(*leader) {
                usage.processes += 1;
                usage.memory_bytes += memory.parse::<u64>().unwrap_or(0).saturating_mul(1024);
                usage.cpu_ms += milliseconds(time);
            }
        }
        usage
    };
    running.iter().map(one).collect()
}

fn milliseconds(time: &str) -> u64 {
    let (days, rest) = time.split_once('-').unwrap_or(("0", time));
    let (rest, hundredths) = rest.split_once('.').unwrap_or((rest, "0"));
    let seconds = rest.split(':').fold(0, |sum: u64, part| sum * 60 + part.parse::<u64>().unwrap_or(0));
    (days.parse::<u64>().unwrap_or(0) * 86_400 + seconds) * 1000 + hundredths.parse::<u64>().unwrap_or(0) * 10
}
