//! The file acts are appended to: each whole or not at all, also on a full disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::LedgerError;
use super::record::Record;

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// How far whole lines reach.
    good: u64,
    /// A failed write may have left a piece behind `good`.
    torn: bool,
    /// Acts that have happened and could not be written yet; they go before the next.
    owed: String,
    /// What was written while a compaction is under way.
    copy: Option<String>,
    line: String,
}

/// A half-made replacement of a journal.
#[derive(Debug)]
pub(crate) struct Replacement {
    path: PathBuf,
    file: File,
    len: u64,
}

impl Journal {
    /// Opens the file for appending behind its first `good` bytes; the rest is cut off.
    pub(crate) fn open(path: &Path, good: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        if file.metadata()?.len() != good {
            file.set_len(good)?;
        }
        let path = path.to_owned();
        Ok(Self { path, file, good, torn: false, owed: String::new(), copy: None, line: String::new() })
    }

    /// Writes an act down before returning. When that fails nothing of it is in the file.
    pub(crate) fn write(&mut self, record: &Record) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        record.write(&mut line);
        let outcome = self.put(&line);
        if outcome.is_ok()
            && let Some(copy) = &mut self.copy
        {
            copy.push_str(&line);
        }
        self.line = line;
        outcome
    }

    /// Writes an act down, or owes it: it has happened, whether or not there is room for it.
    pub(crate) fn note(&mut self, record: &Record) -> io::Result<()> {
        let outcome = self.write(record);
        if outcome.is_err() {
            let from = self.owed.len();
            record.write(&mut self.owed);
            if let Some(copy) = &mut self.copy {
                copy.push_str(self.owed.get(from..).unwrap_or_default());
            }
        }
        outcome
    }

    /// Writes what is owed.
    pub(crate) fn settle_debts(&mut self) -> io::Result<()> {
        if self.owed.is_empty() && !self.torn {
            return Ok(());
        }
        self.mend()?;
        let owed = std::mem::take(&mut self.owed);
        let outcome = self.append(owed.as_bytes());
        if outcome.is_err() {
            self.owed = owed;
        }
        outcome
    }

    pub(crate) const fn len(&self) -> u64 {
        self.good
    }

    fn put(&mut self, line: &str) -> io::Result<()> {
        self.settle_debts()?;
        self.append(line.as_bytes())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.file.write_all(bytes) {
            Ok(()) => {
                self.good = self.good.saturating_add(bytes.len() as u64);
                Ok(())
            }
            Err(error) => {
                self.torn = true;
                // If this fails too, the next write tries again before anything else.
                if let Err(error) = self.mend() {
                    tracing::debug!(%error, "a piece of a line stays in the journal for now");
                }
                Err(error)
            }
        }
    }

    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.good)?;
            self.torn = false;
        }
        Ok(())
    }

    /// From now on whatever is written is copied, for a replacement that begins with a snapshot of this moment.
    /// `false` when a compaction is already under way.
    pub(crate) fn begin_copy(&mut self) -> bool {
        if self.copy.is_some() {
            return false;
        }
        self.copy = Some(String::new());
        true
    }

    pub(crate) fn abandon_copy(&mut self) {
        self.copy = None;
    }

    /// Puts the replacement in the place of the file. What is owed is in it already.
    pub(crate) fn replace(&mut self, replacement: Replacement) -> io::Result<()> {
        let Replacement { path, mut file, mut len } = replacement;
        let since = self.copy.take().unwrap_or_default();
        let done = file.write_all(since.as_bytes()).and_then(|()| std::fs::rename(&path, &self.path));
        if let Err(error) = done {
            discard(&path);
            return Err(error);
        }
        len = len.saturating_add(since.len() as u64);
        self.file = file;
        self.good = len;
        self.torn = false;
        self.owed.clear();
        Ok(())
    }

    /// Whether the path still leads to this file.
    pub(crate) fn is_there(&self) -> bool {
        let (Ok(own), Ok(found)) = (self.file.metadata(), std::fs::metadata(&self.path)) else {
            return false;
        };
        (own.dev(), own.ino()) == (found.dev(), found.ino())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Replacement {
    /// Writes a snapshot beside the journal, durably.
    pub(crate) fn write(beside: &Path, snapshot: &str) -> Result<Self, LedgerError> {
        let path = beside.with_extension("new");
        sanctum_kernel::files::remove(&path)
            .map_err(|error| LedgerError::on("remove", &path)(error.kind().into()))?;
        let made = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path);
        let mut file = made.map_err(LedgerError::on("write", &path))?;
        if let Err(error) = file.write_all(snapshot.as_bytes()).and_then(|()| file.sync_all()) {
            discard(&path);
            return Err(LedgerError::on("write", &path)(error));
        }
        Ok(Self { path, file, len: snapshot.len() as u64 })
    }
}

fn discard(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!(%error, "a half-made replacement of the journal stays behind");
    }
}
