//! Sums of the log as of some lengths of its files, so that a start reads only what came since.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sanctum_kernel::files::{self, FileError};
use serde::{Deserialize, Serialize};

use super::cells::{Cell, Cells};
use super::files::{Name, list};

const FILE: &str = "checkpoint.json";
/// Another shape has another number, and is counted anew.
const VERSION: u32 = 1;
/// Bytes before the end of a file that must still be the same.
const TAIL: u64 = 4096;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    files: Vec<Seen>,
    cells: Vec<Cell>,
}

/// A file as it was when it was last counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    name: String,
    len: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// FNV-1a over its last bytes.
    tail: u64,
}

fn seen(dir: &Path, name: Name, len: u64) -> io::Result<Seen> {
    let mut file = File::open(dir.join(name.to_string()))?;
    let found = file.metadata()?;
    let start = len.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(len - start).read_to_end(&mut bytes)?;
    let tail = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    Ok(Seen { name: name.to_string(), len, modified: (found.mtime(), found.mtime_nsec()), tail })
}

/// Writes down that `cells` are the sums of everything that is in the files now.
pub(crate) fn save(dir: &Path, cells: &Cells) -> Result<(), FileError> {
    let look =
        |name: Name| -> io::Result<Seen> { seen(dir, name, fs::metadata(dir.join(name.to_string()))?.len()) };
    let seen = list(dir).and_then(|names| names.into_iter().map(look).collect::<io::Result<Vec<_>>>());
    let Ok(files) = seen else {
        // A file went away between two looks; the next time will do.
        return Ok(());
    };
    let kept = Kept { version: VERSION, files, cells: cells.list(None) };
    files::replace(&dir.join(FILE), &serde_json::to_vec(&kept).unwrap_or_default(), 0o600)
}

/// The sums, and how far into each file they reach; `None` when there are none or they do not fit the files any more.
pub(crate) fn load(dir: &Path) -> Option<(Cells, BTreeMap<Name, u64>)> {
    let text = files::read(&dir.join(FILE)).ok()?;
    let kept: Kept = serde_json::from_str(&text).ok().filter(|kept: &Kept| kept.version == VERSION)?;
    let mut reached = BTreeMap::new();
    for was in kept.files {
        let name: Name = was.name.parse().ok()?;
        if !fits(dir, name, &was) {
            tracing::info!(
                file = was.name,
                "a file of the usage log is not as it was: the log is counted anew"
            );
            return None;
        }
        reached.insert(name, was.len);
    }
    let mut cells = Cells::default();
    kept.cells.iter().for_each(|cell| cells.put(cell.day, &cell.agent, &cell.model, &cell.sums));
    Some((cells, reached))
}

/// Untouched, or only longer.
fn fits(dir: &Path, name: Name, was: &Seen) -> bool {
    let Ok(found) = fs::metadata(dir.join(&was.name)) else { return false };
    let Ok(now) = seen(dir, name, was.len) else { return false };
    let same = now.tail == was.tail;
    if found.len() == was.len { same && now.modified == was.modified } else { same && found.len() > was.len }
}
