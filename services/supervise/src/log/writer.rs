//! The thread that writes logs, and puts files aside when they are large enough.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use sanctum_kernel::files;
use tokio::sync::{mpsc, oneshot};

use super::{Settings, Trouble};

/// Work for the writer.
#[derive(Debug)]
pub(super) enum Chunk {
    Lines {
        name: Arc<str>,
        text: Vec<u8>,
        lines: u64,
    },
    /// Answer when everything before this is written.
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
pub(super) struct Writer {
    dir: PathBuf,
    settings: Settings,
    trouble: Trouble,
    open: BTreeMap<Arc<str>, Open>,
}

#[derive(Debug, Default)]
struct Open {
    file: Option<File>,
    size: u64,
    /// Lines that could not be written since the last one that could.
    lost: u64,
    /// The last write stopped in the middle of a line.
    torn: bool,
}

impl Writer {
    pub(super) fn new(dir: PathBuf, settings: Settings, trouble: Trouble) -> Self {
        Self { dir, settings, trouble, open: BTreeMap::new() }
    }

    pub(super) fn run(mut self, mut chunks: mpsc::Receiver<Chunk>) {
        while let Some(chunk) = chunks.blocking_recv() {
            match chunk {
                Chunk::Lines { name, text, lines } => self.write(&name, &text, lines),
                Chunk::Flush(done) => done.send(()).unwrap_or_default(),
            }
        }
    }

    fn write(&mut self, name: &Arc<str>, text: &[u8], lines: u64) {
        let path = self.dir.join(format!("{name}.log"));
        let (size, keep) = {
            let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
            (settings.size.0, settings.keep)
        };
        let open = self.open.entry(Arc::clone(name)).or_default();
        match open.append(&path, text, size, keep) {
            Ok(()) => self.trouble.set(None),
            Err(error) => {
                open.file = None;
                open.lost += lines;
                self.trouble.lose(lines);
                self.trouble.set(Some(format!("`{}` cannot be written: {error}", path.display())));
            }
        }
    }
}

impl Open {
    fn append(&mut self, path: &Path, text: &[u8], limit: u64, keep: u32) -> io::Result<()> {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        // A file that was moved away or deleted by hand is not written to for ever.
        if self.file.is_some() && !path.exists() {
            self.file = None;
        }
        if self.file.is_none() {
            let file = files::append(path).map_err(|error| io::Error::new(error.kind(), error))?;
            self.size = file.metadata()?.len();
            self.file = Some(file);
        }
        if self.size > 0 && self.size.saturating_add(length) > limit {
            self.file = None;
            put_aside(path, keep)?;
            self.file = Some(files::append(path).map_err(|error| io::Error::new(error.kind(), error))?);
            self.size = 0;
        }
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        if self.torn || self.lost > 0 {
            let note = format!(
                "{}--- {} lines were lost: the disk did not take them\n",
                if self.torn { "\n" } else { "" },
                self.lost
            );
            file.write_all(note.as_bytes())?;
            (self.torn, self.lost) = (false, 0);
        }
        self.torn = true;
        file.write_all(text)?;
        self.torn = false;
        self.size += length;
        Ok(())
    }
}

/// `x.log` becomes `x.log.1`, that becomes `x.log.2`, and the oldest goes.
fn put_aside(path: &Path, keep: u32) -> io::Result<()> {
    let aside = |number: u32| PathBuf::from(format!("{}.{number}", path.display()));
    if keep == 0 {
        return fs::remove_file(path);
    }
    for number in (1..keep).rev() {
        match fs::rename(aside(number), aside(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, aside(1))
}
