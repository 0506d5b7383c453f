//! The files of the log: their names, and appending whole lines to them.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::Date;

/// `2026-11-22.jsonl`, and for a long day `2026-11-22.1.jsonl` and so on; ordered by day, then by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) date: Date,
    pub(crate) part: u32,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            0 => write!(f, "{}.jsonl", self.date),
            part => write!(f, "{}.{part}.jsonl", self.date),
        }
    }
}

impl FromStr for Name {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let stem = name.strip_suffix(".jsonl").ok_or(())?;
        let (date, part) = stem.split_once('.').map_or((stem, Ok(0)), |(date, part)| (date, part.parse()));
        let name = Self { date: date.parse().map_err(|_| ())?, part: part.map_err(|_| ())? };
        Ok(name)
    }
}

/// Every file of the log, oldest first.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        // What has another name is somebody else's.
        names.extend(entry?.file_name().to_str().and_then(|name| name.parse::<Name>().ok()));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Cuts off a last line that a dying process left half: it is no line, and the request gets a whole one.
pub(crate) fn mend(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let len = file.metadata()?.len();
    let mut end = len;
    let mut piece = [0_u8; 4096];
    while end > 0 {
        let start = end.saturating_sub(piece.len() as u64);
        let size = usize::try_from(end - start).unwrap_or(piece.len());
        let piece = piece.get_mut(..size).unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < len {
        tracing::warn!(file = %path.display(), bytes = len - end, "a half-written line at the end of the usage log is cut off");
        file.set_len(end)?;
    }
    Ok(())
}

/// A file that is being appended to.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) name: Name,
    path: PathBuf,
    file: File,
    /// How far whole lines reach.
    len: u64,
    /// A failed write may have left a piece behind `len`.
    torn: bool,
}

impl Out {
    /// The last file of a day, or a new one when that is larger than `most`.
    pub(crate) fn open(dir: &Path, date: Date, most: u64) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let part = list(dir)?.into_iter().filter(|name| name.date == date).map(|name| name.part).max();
        let out = Self::append_to(dir, Name { date, part: part.unwrap_or(0) })?;
        if out.is_long(most) { out.next(dir) } else { Ok(out) }
    }

    fn append_to(dir: &Path, name: Name) -> io::Result<Self> {
        let path = dir.join(name.to_string());
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        let len = file.metadata()?.len();
        Ok(Self { name, path, file, len, torn: false })
    }

    pub(crate) fn is_long(&self, most: u64) -> bool {
        self.len > 0 && self.len >= most
    }

    /// The next file of the same day.
    pub(crate) fn next(&self, dir: &Path) -> io::Result<Self> {
        Self::append_to(dir, Name { part: self.name.part.saturating_add(1), ..self.name })
    }

    /// Appends whole lines, or nothing.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.len)?;
            self.torn = false;
        }
        match self.file.write_all(lines) {
            Ok(()) => {
                self.len += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // If this fails too, the next write begins with it.
                self.torn = self.file.set_len(self.len).is_err();
                Err(error)
            }
        }
    }

    /// Whether its path still leads to it.
    pub(crate) fn is_there(&self) -> bool {
        let (Ok(own), Ok(found)) = (self.file.metadata(), fs::metadata(&self.path)) else { return false };
        (own.dev(), own.ino()) == (found.dev(), found.ino())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_sort_by_time() {
        let names = ["2026-11-21.jsonl", "2026-11-22.jsonl", "2026-11-22.2.jsonl", "2026-11-22.10.jsonl"];
        let read: Vec<Name> = names.iter().map(|name| name.parse().unwrap()).collect();
        assert!(read.is_sorted());
        assert_eq!(read.iter().map(Name::to_string).collect::<Vec<_>>(), names);
        for other in
            ["", "x.jsonl", "2026-11-22", "2026-11-22.jsonl.gz", "2026-13-22.jsonl", "2026-11-22.a.jsonl"]
        {
            assert!(other.parse::<Name>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_half_line_is_cut_off_and_whole_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("2026-11-22.jsonl");
        let long = "y".repeat(10_000);
        for (before, after) in [
            (String::new(), ""),
            ("half".to_owned(), ""),
            ("one\n".to_owned(), "one\n"),
            ("one\ntwo\nhal".to_owned(), "one\ntwo\n"),
            (format!("one\n{long}"), "one\n"),
            (long.clone(), ""),
        ] {
            sanctum_kernel::files::replace(&path, before.as_bytes(), 0o600).unwrap();
            mend(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
    }
}
