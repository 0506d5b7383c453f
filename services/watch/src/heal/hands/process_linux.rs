//! Linux: proc(5).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Process;

fn numbers() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Every process that can be seen.
pub(crate) fn all() -> Vec<Process> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    numbers().into_iter().filter_map(|pid| one(pid, boot.trim())).collect()
}

fn one(pid: u32, boot: &str) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also parentheses and spaces.
    let (head, rest) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let state = fields.first()?.chars().next()?;
    let small = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok());
    let started: u64 = fields.get(19)?.parse().ok()?;
    let uid = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    let (mut unit, mut home) = (None, None);
    if let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) {
        for variable in environment.split(|byte| *byte == 0) {
            let text = String::from_utf8_lossy(variable);
            match text.split_once('=') {
                Some(("SANCTUM_UNIT", value)) => unit = Some(value.to_owned()),
                Some(("SANCTUM_HOME", value)) => home = Some(value.to_owned()),
                _ => {}
            }
        }
    }
    let born = format!("{boot}+{started}");
    Some(Process { pid, born, state, parent: small(1)?, group: small(2)?, uid, name, unit, home })
}

/// Processes that have `NAME=VALUE` in their environment.
pub(crate) fn marked(variable: &str) -> Vec<u32> {
    let has = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|found| found == variable.as_bytes())
    };
    numbers().into_iter().filter(has).collect()
}

/// Processes that listen on this TCP port, with those that cannot be looked into left out.
pub(crate) fn listeners(port: u16) -> Vec<u32> {
    let mut sockets = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let local = fields.get(1).and_then(|local| local.rsplit_once(':'));
            let here = local.is_some_and(|(_, end)| u16::from_str_radix(end, 16) == Ok(port));
            // 0A is TCP_LISTEN.
            if here && fields.get(3) == Some(&"0A") {
                sockets.extend(fields.get(9).map(|inode| format!("socket:[{inode}]")));
            }
        }
    }
    if sockets.is_empty() {
        return Vec::new();
    }
    let holds = |pid: &u32| links(*pid).any(|link| link.to_str().is_some_and(|link| sockets.contains(link)));
    numbers().into_iter().filter(holds).collect()
}

fn links(pid: u32) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok();
    entries.into_iter().flatten().flatten().filter_map(|entry| fs::read_link(entry.path()).ok())
}

/// Processes that have this file open.
pub(crate) fn has_open(path: &Path) -> Vec<u32> {
    let Ok(wanted) = fs::metadata(path) else { return Vec::new() };
    let same = |entry: fs::DirEntry| {
        let found = fs::metadata(entry.path()).ok();
        found.is_some_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
    };
    let holds =
        |pid: &u32| fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|entries| entries.flatten().any(same));
    numbers().into_iter().filter(holds).collect()
}

/// Files it has open, and how many it may.
pub(crate) fn handles(pid: u32) -> Option<(u64, u64)> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    let soft = line.split_ascii_whitespace().nth(3)?.parse().ok()?;
    Some((u64::try_from(open).ok()?, soft))
}

/// The program it runs, if the file of that name is another one by now.
pub(crate) fn image_replaced(pid: u32) -> Option<String> {
    let link = format!("/proc/{pid}/exe");
    let path = fs::read_link(&link).ok()?.to_string_lossy().into_owned();
    let running = fs::metadata(&link).ok()?;
    let plain = path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned();
    // One that was removed altogether has no successor to start.
    let there = fs::metadata(&plain).ok().filter(fs::Metadata::is_file)?;
    ((there.dev(), there.ino()) != (running.dev(), running.ino())).then_some(plain)
}
