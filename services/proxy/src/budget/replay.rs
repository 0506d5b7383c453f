//! Reading the journal of the process before, with every other process kept out.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use sanctum_kernel::files;

use super::LedgerError;
use super::book::Book;
use super::record::Record;

/// How long a ledger of this directory that is just being closed may take.
const CLOSING: (u32, Duration) = (100, Duration::from_millis(10));

/// Keeps other processes out for as long as the file is open.
pub(super) fn lock(path: &Path) -> Result<File, LedgerError> {
    let file = files::append(path).map_err(|error| LedgerError::on("open", path)(error.kind().into()))?;
    for _ in 0..CLOSING.0 {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::park_timeout(CLOSING.1),
            Err(error) => return Err(LedgerError::on("lock", path)(error.into())),
        }
    }
    Err(LedgerError::InUse(path.to_owned()))
}

/// Replays the file into `book`: how far whole lines reach, and whether something may be missing.
pub(super) fn replay(path: &Path, mut book: Book) -> Result<(Book, u64, bool), LedgerError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((book, 0, true)),
        other => other.map_err(LedgerError::on("read", path))?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let (mut good, mut known, mut damaged) = (0_usize, 0_usize, 0_usize);
    for line in text.split_inclusive('\n') {
        let whole = line.strip_suffix('\n');
        if known == 0 && whole.is_some_and(Record::is_of_another_version) {
            return Err(LedgerError::Newer(path.to_owned()));
        }
        match whole.and_then(Record::read) {
            Some(record) => {
                known += 1;
                book.replay(record);
            }
            // The last line was being written when the process died; nobody was told that it is kept.
            None if whole.is_none() => continue,
            None => damaged += 1,
        }
        good += line.len();
    }
    if damaged > 0 {
        tracing::error!(lines = damaged, "the journal of spend is damaged; the usage log is asked as well");
    }
    // A scratched byte may have changed the length of the text; then the whole file is kept and a line begun anew.
    let good = if text.len() == bytes.len() { good } else { bytes.len() };
    Ok((book, good as u64, known == 0 || damaged > 0))
}
