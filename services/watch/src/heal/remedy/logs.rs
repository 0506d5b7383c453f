//! A full disk of logs: the oldest that were put aside may go; those that are written to never do.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::hands::files;
use crate::heal::recipe::FreeLogs;
use crate::heal::step::Step;

pub(super) fn look(case: &Case<'_>, parameters: &FreeLogs) -> Looked {
    let logs = case.hands.shared.paths.logs();
    let wanted = Case::wanted_room(&logs, parameters.room.map(|size| size.0))?;
    let Some(room) = wanted else {
        let (free, _) = files::room(&logs).map_err(Found::Nothing)?;
        let free = files::bytes(free);
        return Err(Found::Nothing(format!("there is room for logs: {free} free in `{}`", logs.display())));
    };
    let oldest_first = may_go(case, parameters.keep)?;
    if oldest_first.is_empty() {
        return Err(Found::advice(format!(
            "`{}` is full, and not of old logs of the house: a person must make room",
            logs.display()
        )));
    }
    Ok(Found::Plan(vec![Step::Remove { oldest_first, room }]))
}

/// One that was put aside: `NAME.log.7`.
struct Old {
    service: String,
    number: u32,
    written: i64,
    path: PathBuf,
    size: u64,
}

/// `x.log.7` or `x.log.7.gz`, where `x` is a name of a service; nothing else is a log of ours that was put aside.
fn parse(name: &str) -> Option<(&str, u32)> {
    let (service, number) = name.strip_suffix(".gz").unwrap_or(name).rsplit_once(".log.")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let named = !service.is_empty() && service.bytes().all(plain);
    if digits && named { Some((service, number.parse().ok()?)) } else { None }
}

/// What may be removed, oldest first; of each service the `keep` newest stay.
fn may_go(case: &Case<'_>, keep: usize) -> Result<Vec<(PathBuf, u64)>, Found> {
    let logs = case.hands.shared.paths.logs();
    let entries = fs::read_dir(&logs)
        .map_err(|error| Found::Nothing(format!("`{}` cannot be read: {error}", logs.display())))?;
    let mut old = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((service, number)) = name.to_str().and_then(parse) else { continue };
        // Of the entry itself: what a link leads to is not ours.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && metadata.nlink() == 1 {
            let (written, size) = (metadata.mtime(), metadata.blocks() * 512);
            old.push(Old { service: service.to_owned(), number, written, path: entry.path(), size });
        }
    }
    old.sort_by(|a, b| (&a.service, a.number).cmp(&(&b.service, b.number)));
    let mut seen: (String, usize) = (String::new(), 0);
    old.retain(|file| {
        if seen.0 == file.service {
            seen.1 += 1;
        } else {
            seen = (file.service.clone(), 0);
        }
        seen.1 >= keep
    });
    // Of one service the number says it; between services the time of the last line.
    old.sort_by_key(|file| (file.written, std::cmp::Reverse(file.number)));
    Ok(old.into_iter().map(|file| (file.path, file.size)).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_logs_that_were_put_aside_are_recognised() {
        assert_eq!(super::parse("proxy.log.7"), Some(("proxy", 7)));
        assert_eq!(super::parse("home-assistant.log.12.gz"), Some(("home-assistant", 12)));
        for live in
            ["proxy.log", "proxy.log.", "proxy.log.old", ".log.1", "../x.log.1", "a.log.1.2", "notes.1"]
        {
            assert_eq!(super::parse(live), None, "{live}");
        }
    }
}
