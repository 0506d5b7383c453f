//! A lock or pid file that a dead process has left behind.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sanctum_api::supervise::Phase;

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::hands::{files, process};
use crate::heal::recipe::StaleFile;
use crate::heal::step::Step;

/// A lock or pid file is short.
const LARGEST: u64 = 4096;
/// Lines of its log that are read, when it is not locked yet.
const LINES: usize = 40;
/// Seconds by which a slewed clock may be wrong about what was first.
#[cfg(target_os = "linux")]
const SLACK: i64 = 5;

pub(super) async fn look(case: &Case<'_>, parameters: &StaleFile) -> Looked {
    let item = case.supervised()?;
    let state = case.state(&item.name).await?;
    if !matches!(state.phase, Phase::Locked | Phase::BackingOff | Phase::Starting) {
        return Err(Found::nothing(format!(
            "`{}` is {}: it does not end by itself",
            item.name,
            state.phase.word()
        )));
    }
    let mut lines = state.locked.map(|locked| locked.last_lines).unwrap_or_default();
    lines.extend(last_lines(&case.hands.shared.paths.logs().join(format!("{}.log", item.name))));
    let mut why = "it names no lock or pid file in its last words".to_owned();
    for path in named(&lines) {
        match is_stale(case, parameters, &path) {
            Ok(()) => {
                let aside = case.aside(&path);
                return Ok(Found::Plan(vec![
                    Step::PutAside { path, aside },
                    Step::Renew { service: item.name.clone() },
                ]));
            }
            Err(not) => why = not,
        }
    }
    Err(Found::Nothing(why))
}

fn last_lines(log: &Path) -> Vec<String> {
    let mut text = Vec::new();
    let Ok(file) = files::open(log) else { return Vec::new() };
    let from = file.metadata().map_or(0, |metadata| metadata.len().saturating_sub(64 * 1024));
    let mut bite = vec![0; 64 * 1024];
    let taken = std::os::unix::fs::FileExt::read_at(&file, &mut bite, from).unwrap_or_default();
    text.extend_from_slice(bite.get(..taken).unwrap_or_default());
    let text = String::from_utf8_lossy(&text);
    text.lines().rev().take(LINES).map(str::to_owned).collect()
}

/// Absolute paths in these lines that look like those of locks, newest first, each once.
fn named(lines: &[String]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for line in lines.iter().rev() {
        let cut = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '(' | ')' | ',' | ';' | '=');
        for word in line.split(cut) {
            let word = word.trim_end_matches(['.', ':', '!', '?']);
            let name = word.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
            let locks = name.contains("lock") || name.contains("pid") || name.contains(".lck");
            if word.starts_with('/') && locks && !found.iter().any(|path| path == Path::new(word)) {
                found.push(PathBuf::from(word));
            }
        }
    }
    found
}

/// Whether nobody needs it: it lies where such files lie, is ours, names a process that is dead, and nobody holds it.
fn is_stale(case: &Case<'_>, parameters: &StaleFile, path: &Path) -> Result<(), String> {
    let shown = path.display();
    let real = path.canonicalize().map_err(|error| format!("`{shown}`: {error}"))?;
    let metadata = fs::symlink_metadata(path).map_err(|error| format!("`{shown}`: {error}"))?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(format!("`{shown}` is no short file"));
    }
    // The folders may be links themselves, as `/var/run` is.
    let places = parameters.places.iter().map(PathBuf::as_path).chain([case.home()]);
    let mut places = places.filter_map(|place| place.canonicalize().ok());
    if !places.any(|place| real.starts_with(place)) {
        return Err(format!("`{shown}` is not where lock files may be put aside"));
    }
    // The supervisor's own files tell it what runs.
    if real.parent() == case.hands.shared.paths.run().canonicalize().ok().as_deref() {
        return Err(format!("`{shown}` is the house's own"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!("`{shown}` belongs to somebody else"));
    }
    let holders = process::has_open(path);
    if !holders.is_empty() {
        return Err(format!("`{shown}` is held by {holders:?}"));
    }
    let mut text = String::new();
    let read = files::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text));
    read.map_err(|error| format!("`{shown}`: {error}"))?;
    let pid = text.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty());
    let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else {
        return Err(format!("`{shown}` names no process: whether somebody needs it cannot be told"));
    };
    match process::find(pid) {
        Some(holder) if holder.state != 'Z' && !born_later(&holder, &metadata) => {
            Err(format!("`{shown}` is that of {}, which lives", holder.shown()))
        }
        _ => Ok(()),
    }
}

/// A process that was born after the file was written has only inherited the number.
#[cfg(target_os = "linux")]
fn born_later(holder: &process::Process, file: &fs::Metadata) -> bool {
    // proc(5): ticks of a hundredth of a second since the boot, whose wall time is `btime`.
    let ticks = holder.born.rsplit_once('+').and_then(|(_, ticks)| ticks.parse::<i64>().ok());
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<i64>().ok());
    boot.zip(ticks).is_some_and(|(boot, ticks)| boot + ticks / 100 > file.mtime() + SLACK)
}

#[cfg(not(target_os = "linux"))]
const fn born_later(_: &process::Process, _: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_locks_are_found() {
        let lines = [
            "2026-11-22T05:00:00Z starting with /etc/app.conf".to_owned(),
            "could not start: lock file '/run/app/app.lock' exists (pid 4711).".to_owned(),
            "Is another copy running? remove \"/tmp/app.pid\": ../app.pid lock".to_owned(),
            "lock file '/run/app/app.lock' exists".to_owned(),
        ];
        assert_eq!(named(&lines), [Path::new("/run/app/app.lock"), Path::new("/tmp/app.pid")]);
    }
}
