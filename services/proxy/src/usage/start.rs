//! Opening the log: what a dead process left half is made whole, exactly once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use jiff::civil::Date;

use super::cells::{Brief, Cells};
use super::checkpoint;
use super::count::{self, Piece};
use super::files::{Name, list, mend};
use super::line::Line;
use crate::budget::{Ledger, Stranded};
use crate::kinds::Nano;

/// What is known of the log before its writer starts.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) cells: Cells,
    /// What is to be counted yet, beside those who already ask.
    pub(crate) uncounted: Vec<Piece>,
    /// Lines of requests that never ended.
    pub(crate) lost: Vec<Line>,
}

/// Files that a dying process may have been writing to: those of the last two days with lines.
const RECENT: usize = 4;

/// Looks at the log and the ledger together.
pub(crate) fn start(dir: &Path, ledger: &Ledger) -> io::Result<Started> {
    let names = list(dir)?;
    names.iter().rev().take(RECENT).try_for_each(|name| mend(&dir.join(name.to_string())))?;
    let stranded = ledger.stranded();
    let wanted: HashSet<u64> = stranded.iter().map(|stranded| stranded.id).collect();
    let mut found = HashMap::new();
    let never = AtomicBool::new(false);
    let (cells, uncounted) = if let Some((mut cells, reached)) = checkpoint::load(dir) {
        let since = pieces(dir, &names, &reached)?;
        count::sum(dir, &since, &mut cells, &never, |brief| note(brief, &wanted, &mut found))?;
        (cells, Vec::new())
    } else {
        let all = pieces(dir, &names, &BTreeMap::new())?;
        search(dir, &all, &stranded, &mut found)?;
        (Cells::default(), all)
    };
    if ledger.has_gaps() {
        ask_the_log(dir, &names, ledger)?;
    }
    let mut lost = Vec::new();
    let mut known = Vec::new();
    for stranded in stranded {
        match found.get(&stranded.id) {
            Some(cost) => {
                if *cost != stranded.cost {
                    ledger.correct(stranded.id, *cost);
                }
                known.push(stranded.id);
            }
            None => lost.push(Line::lost(stranded)),
        }
    }
    if !lost.is_empty() {
        tracing::warn!(
            requests = lost.len(),
            "requests were under way when the last process died; they count at their reservation"
        );
    }
    ledger.logged(known);
    Ok(Started { cells, uncounted, lost })
}

fn note(brief: &Brief<'_>, wanted: &HashSet<u64>, found: &mut HashMap<u64, Nano>) {
    if let Some(id) = brief.reservation.filter(|id| wanted.contains(id)) {
        found.insert(id, brief.cost_usd);
    }
}

/// What there is beyond the lengths in `reached`.
pub(crate) fn pieces(dir: &Path, names: &[Name], reached: &BTreeMap<Name, u64>) -> io::Result<Vec<Piece>> {
    let piece = |name: &Name| {
        let to = std::fs::metadata(dir.join(name.to_string()))?.len();
        Ok(Piece { name: *name, from: reached.get(name).copied().unwrap_or(0), to })
    };
    names
        .iter()
        .map(piece)
        .filter(|piece| piece.as_ref().map_or(true, |piece| piece.from < piece.to))
        .collect()
}

/// Looks for the lines of stranded requests without reading more of each line than its beginning. A line is in the file
/// of the day of its reservation, or beside it when the zone has changed.
fn search(
    dir: &Path,
    all: &[Piece],
    stranded: &[Stranded],
    found: &mut HashMap<u64, Nano>,
) -> io::Result<()> {
    let wanted: HashSet<u64> = stranded.iter().map(|stranded| stranded.id).collect();
    let Some(first) = stranded.iter().map(|stranded| day_before(stranded.day)).min() else { return Ok(()) };
    let never = AtomicBool::new(false);
    for piece in all.iter().filter(|piece| piece.name.date >= first) {
        count::lines(dir, *piece, &never, |line| {
            let Some(id) = count::reservation(line).filter(|id| wanted.contains(id)) else { return };
            if let Ok(brief) = serde_json::from_slice::<Brief<'_>>(line) {
                found.insert(id, brief.cost_usd);
            }
        })?;
    }
    Ok(())
}

fn day_before(day: Date) -> Date {
    day.yesterday().unwrap_or(day)
}

/// The ledger does not know everything: what the files of today and yesterday say was spent, it counts at least.
fn ask_the_log(dir: &Path, names: &[Name], ledger: &Ledger) -> io::Result<()> {
    let first = day_before(ledger.day().0);
    let recent: Vec<Name> = names.iter().copied().filter(|name| name.date >= first).collect();
    let mut spent: BTreeMap<(String, i64), u128> = BTreeMap::new();
    let never = AtomicBool::new(false);
    let slot = ledger.slots();
    count::sum(dir, &pieces(dir, &recent, &BTreeMap::new())?, &mut Cells::default(), &never, |brief| {
        if let Some(time) = brief.time.filter(|_| brief.cost_usd > Nano(0)) {
            *spent.entry((brief.agent.to_string(), slot(time))).or_default() += u128::from(brief.cost_usd.0);
        }
    })?;
    ledger.at_least(&spent);
    Ok(())
}
