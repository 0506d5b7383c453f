//! The end of a file that grows and is put aside while it is read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::line::Line;

/// How much of the end of a file is looked at for its last lines.
const END: u64 = 1024 * 1024;

/// One followed file.
#[derive(Debug)]
pub(super) struct Tail {
    service: String,
    path: PathBuf,
    open: Option<Open>,
    partial: String,
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
}

impl Tail {
    pub(super) fn new(service: &str, path: PathBuf) -> Self {
        Self { service: service.to_owned(), path, open: None, partial: String::new() }
    }

    /// The last lines; the file before is looked at where this one is too young.
    pub(super) fn last(&mut self, count: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Ok(file) = File::open(&self.path) {
            let inode = file.metadata().map_or(0, |metadata| metadata.ino());
            let mut open = Open { file, inode };
            lines = open.end();
            self.open = Some(open);
        }
        if lines.len() < count
            && let Ok(file) = File::open(format!("{}.1", self.path.display()))
        {
            let mut older = Open { file, inode: 0 }.end();
            older.append(&mut lines);
            lines = older;
        }
        let first = lines.len().saturating_sub(count);
        lines.iter().skip(first).map(|line| Line::read(&self.service, line)).collect()
    }

    /// What came since the last look.
    pub(super) fn new_lines(&mut self) -> Vec<Line> {
        let mut lines = self.rest();
        let now = std::fs::metadata(&self.path).map(|metadata| (metadata.ino(), metadata.len())).ok();
        let same = |open: &Open| now.is_some_and(|(inode, _)| inode == open.inode);
        if !self.open.as_ref().is_some_and(same) && now.is_some() {
            // It was put aside, or has only now come to be: the new one is read from its beginning.
            self.open = File::open(&self.path).ok().map(|file| Open { file, inode: now.map_or(0, |(inode, _)| inode) });
            lines.extend(self.rest());
        }
        lines
    }

    fn rest(&mut self) -> Vec<Line> {
        let Some(open) = self.open.as_mut() else { return Vec::new() };
        let mut bytes = Vec::new();
        if open.file.read_to_end(&mut bytes).is_err() {
            return Vec::new();
        }
        self.partial.push_str(&String::from_utf8_lossy(&bytes));
        let Some(end) = self.partial.rfind('\n') else { return Vec::new() };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        whole.lines().map(|line| Line::read(&self.service, line)).collect()
    }
}

impl Open {
    fn end(&mut self) -> Vec<String> {
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        let skipped = length.saturating_sub(END);
        let mut bytes = Vec::new();
        if self.file.seek(SeekFrom::Start(skipped)).is_err() || self.file.read_to_end(&mut bytes).is_err() {
            return Vec::new();
        }
        let text = String::from_utf8_lossy(&bytes);
        // Where the beginning was skipped, the first line is only a part of one.
        text.lines().skip(usize::from(skipped > 0)).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_followed_through_its_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let write = |text: &str| File::options().create(true).append(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
        let texts = |lines: Vec<Line>| lines.into_iter().map(|line| line.text).collect::<Vec<_>>();
        let mut tail = Tail::new("x", path.clone());
        assert!(tail.last(5).is_empty() && tail.new_lines().is_empty());
        write("one\ntwo\nthr");
        assert_eq!(texts(tail.new_lines()), ["one", "two"]);
        write("ee\n");
        assert_eq!(texts(tail.new_lines()), ["three"]);
        write("four\n");
        std::fs::rename(&path, dir.path().join("x.log.1")).unwrap();
        write("five\n");
        assert_eq!(texts(tail.new_lines()), ["four", "five"]);
        assert_eq!(texts(Tail::new("x", path.clone()).last(2)), ["four", "five"]);
        assert_eq!(texts(Tail::new("x", path).last(1)), ["five"]);
    }
}
