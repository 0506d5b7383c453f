//! The folder of Markdown files that is the truth.

pub(crate) mod edit;
pub(crate) mod file;
pub(crate) mod id;
pub(crate) mod link;
pub(crate) mod matter;
pub(crate) mod note;
mod passage;
pub(crate) mod rel;
pub(crate) mod walk;
pub(crate) mod watch;

use std::io;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

pub(crate) use note::Parsed;
pub(crate) use rel::Rel;

use note::Content;

/// How notes are read. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    pub(crate) root: PathBuf,
    /// Times without a zone in front matter are wall time here.
    pub(crate) zone: TimeZone,
    /// The most bytes of a note that are read.
    pub(crate) most: u64,
}

/// A file and its whole text.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    pub(crate) parsed: Parsed,
    pub(crate) text: String,
}

impl Vault {
    /// Reads and understands a file; `None` if there is none.
    pub(crate) fn parse(&self, rel: &Rel) -> Option<Parsed> {
        self.open(rel).ok().map(|opened| opened.parsed)
    }

    /// As [`Vault::parse`], with the text; `NotFound` if there is no such file. One that cannot be read is there all the same.
    pub(crate) fn open(&self, rel: &Rel) -> io::Result<Opened> {
        let path = self.path(rel);
        let outcome = file::guarded(&self.root, rel).and_then(|()| file::read(&path, self.most));
        match outcome {
            Ok(seen) => {
                let content =
                    if seen.cut { Content::Beginning(&seen.bytes) } else { Content::Whole(&seen.bytes) };
                let parsed = note::understand(rel, content, seen.stat, &self.zone);
                Ok(Opened { parsed, text: String::from_utf8_lossy(&seen.bytes).into_owned() })
            }
            Err(error) => match file::stat(&path) {
                Some(stat) if error.kind() != io::ErrorKind::NotFound => {
                    let reason = error.to_string();
                    let parsed = note::understand(rel, Content::Nothing(&reason), stat, &self.zone);
                    Ok(Opened { parsed, text: String::new() })
                }
                _ => Err(io::Error::from(io::ErrorKind::NotFound)),
            },
        }
    }

    pub(crate) fn path(&self, rel: &Rel) -> PathBuf {
        self.root.join(rel.as_str())
    }

    /// Reads many files on every processor; what is gone is left out.
    pub(crate) fn parse_all(&self, rels: &[Rel]) -> Vec<Parsed> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let share = rels.len().div_ceil(threads).max(16);
        std::thread::scope(|scope| {
            let parts: Vec<_> = rels
                .chunks(share)
                .map(|part| {
                    scope.spawn(move || part.iter().filter_map(|rel| self.parse(rel)).collect::<Vec<_>>())
                })
                .collect();
            parts.into_iter().filter_map(|part| part.join().ok()).flatten().collect()
        })
    }

    /// Makes the vault's folder, with the folders people look for in a new one.
    pub(crate) fn prepare(&self) -> Result<(), sanctum_kernel::files::FileError> {
        if self.root.is_dir() {
            return Ok(());
        }
        for folder in ["", "inbox", "knowledge", "events", "procedures", "archive", "meta"] {
            sanctum_kernel::files::private_dir(&self.root.join(folder))?;
        }
        Ok(())
    }

    /// Whether something can be written there now.
    pub(crate) fn takes_writes(&self) -> io::Result<()> {
        let probe = tempfile::Builder::new().prefix(file::UNFINISHED).tempfile_in(&self.root)?;
        io::Write::write_all(&mut probe.as_file(), &[0; 512])?;
        probe.as_file().sync_all()
    }
}

/// Whether `path` lies below something hidden in the vault: nobody's note.
pub(crate) fn is_hidden(root: &Path, path: &Path) -> bool {
    let rest = path.strip_prefix(root).unwrap_or(path);
    rest.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
}
