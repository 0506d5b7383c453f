//! Counting the log anew: fast enough that a million lines are no matter.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::cells::{Brief, Cells};
use super::files::Name;

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// A part of a file of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) name: Name,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// Every whole line of a piece, without its line feed.
pub(crate) fn lines(
    dir: &Path,
    piece: Piece,
    stop: &AtomicBool,
    mut with: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut file = File::open(dir.join(piece.name.to_string()))?;
    file.seek(SeekFrom::Start(piece.from))?;
    let mut reader = BufReader::with_capacity(CHUNK, file.take(piece.to.saturating_sub(piece.from)));
    let mut line = Vec::with_capacity(2048);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        if let Some(line) = line.strip_suffix(b"\n") {
            with(line);
        }
    }
}

/// Adds the lines of `pieces` to `cells`, and shows each to `look`.
pub(crate) fn sum(
    dir: &Path,
    pieces: &[Piece],
    cells: &mut Cells,
    stop: &AtomicBool,
    mut look: impl FnMut(&Brief<'_>),
) -> io::Result<()> {
    for piece in pieces {
        let mut strange = 0_u64;
        lines(dir, *piece, stop, |line| match serde_json::from_slice::<Brief<'_>>(line) {
            Ok(brief) => {
                cells.add(&brief);
                look(&brief);
            }
            Err(_) => strange += 1,
        })?;
        if strange > 0 {
            tracing::warn!(file = %piece.name, lines = strange, "the usage log has lines that cannot be read; they are not counted");
        }
    }
    Ok(())
}

/// The number of the reservation a line begins with, without reading the rest.
pub(crate) fn reservation(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"reservation\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}
