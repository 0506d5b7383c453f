//! The one thread that writes the log, and looks after its files and the ledger's.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use sanctum_kernel::{Chain, Clock, Status};

use super::cells::Brief;
use super::checkpoint;
use super::files::{Out, list};
use super::log::Shared;
use super::queue::Waiting;
use crate::budget::{Day, Ledger};

/// How often files, days and the ledger are looked after.
const TEND: Duration = Duration::from_secs(1);
/// Before a failed write is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// A checkpoint is written after this many lines, or after this long when there were any.
const CHECKPOINT: (u64, Duration) = (20_000, Duration::from_secs(30));
/// Files that are kept open: requests that began yesterday still end today.
const FILES: usize = 2;

#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) dir: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) ledger: Ledger,
    pub(crate) shared: Arc<Shared>,
    outs: BTreeMap<Date, Out>,
    day: Option<Day>,
    tended: Instant,
    saved: Instant,
    unsaved: u64,
    failing: bool,
}

/// What goes into the file of one day.
#[derive(Debug, Default)]
struct Group {
    bytes: Vec<u8>,
    lines: Vec<Waiting>,
}

impl Writer {
    pub(crate) fn new(dir: PathBuf, clock: Clock, ledger: Ledger, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        let outs = BTreeMap::new();
        Self {
            dir,
            clock,
            ledger,
            shared,
            outs,
            day: None,
            tended: now,
            saved: now,
            unsaved: 0,
            failing: false,
        }
    }

    /// Writes until it is asked to stop and nothing is left.
    pub(crate) fn run(mut self) {
        self.tend();
        loop {
            let batch = self.shared.queue.take();
            let (ended, count) = (batch.stopping && batch.lines.is_empty(), batch.lines.len());
            self.write(batch.lines);
            self.shared.queue.wrote(count);
            if self.tended.elapsed() >= TEND {
                self.tend();
            }
            if ended {
                break;
            }
        }
        self.ledger.tend();
        self.save();
        self.shared.queue.ended();
    }

    fn write(&mut self, lines: Vec<Waiting>) {
        let mut groups: BTreeMap<Date, Group> = BTreeMap::new();
        for (mut line, room) in lines {
            if line.day == Date::default() {
                line.day = self.date_of(line.time);
            }
            let group = groups.entry(line.day).or_default();
            let from = group.bytes.len();
            match serde_json::to_writer(&mut group.bytes, &line) {
                Ok(()) => group.bytes.push(b'\n'),
                Err(error) => {
                    tracing::error!(%error, trace = %line.trace, "a line of the usage log cannot be written");
                    group.bytes.truncate(from);
                }
            }
            group.lines.push((line, room));
        }
        for (date, group) in groups {
            self.write_group(date, group);
        }
    }

    fn write_group(&mut self, date: Date, group: Group) {
        while let Err(error) = self.append(date, &group.bytes) {
            self.complain(&error);
            self.ledger.tend();
            if self.shared.queue.pause(RETRY) {
                // Those with a reservation get their line at the next start: the ledger does not know them as written.
                tracing::error!(
                    lines = group.lines.len(),
                    "lines of the usage log could not be written before the end"
                );
                return;
            }
        }
        self.shared.count(|cells| group.lines.iter().for_each(|(line, _)| cells.add(&Brief::from(line))));
        self.unsaved += group.lines.len() as u64;
        let ids: Vec<u64> = group.lines.iter().filter_map(|(line, _)| line.reservation).collect();
        self.ledger.logged(ids);
        if self.failing {
            self.failing = false;
            tracing::info!("the usage log can be written again");
            self.say_well();
        }
    }

    fn append(&mut self, date: Date, bytes: &[u8]) -> io::Result<()> {
        let most = self.shared.live().config.file_size.0;
        self.miss();
        let mut out = match self.outs.remove(&date) {
            Some(out) if out.is_long(most) => out.next(&self.dir)?,
            Some(out) => out,
            None => Out::open(&self.dir, date, most)?,
        };
        let written = out.append(bytes);
        while self.outs.len() >= FILES {
            self.outs.pop_first();
        }
        self.outs.insert(date, out);
        written
    }

    /// Notices files that were taken away: what is written into them would be gone.
    fn miss(&mut self) {
        let before = self.outs.len();
        self.outs.retain(|_, out| out.is_there());
        if self.outs.len() < before {
            tracing::warn!(dir = %self.dir.display(), "a file of the usage log was taken away; the log is counted anew");
            self.shared.count_anew(&self.dir);
        }
    }

    fn date_of(&mut self, time: Timestamp) -> Date {
        let second = time.as_second();
        match &self.day {
            Some(day) if day.holds(second) => day.date,
            _ => {
                let day = Day::of(time, &self.shared.live().zone);
                self.day = Some(day);
                day.date
            }
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if !self.failing {
            tracing::error!(%error, dir = %self.dir.display(), "the usage log cannot be written; lines wait");
        }
        self.failing = true;
        self.shared.live().well.set_hint(
            "usage",
            Status::Unwell,
            format!(
                "the usage log cannot be written: {error}; lines wait in memory, and requests behind them"
            ),
            "free some space on that disk, or give the user who runs the house the right to write there",
        );
    }

    fn say_well(&self) {
        let live = self.shared.live();
        live.well.set("usage", Status::Well, "every request has its line");
        match self.ledger.trouble() {
            None => live.well.set("budget", Status::Well, "every reservation is written down"),
            Some(trouble) => live.well.set_hint(
                "budget",
                Status::Unwell,
                format!("spend cannot be written down, so nothing that costs money is sent: {trouble}"),
                "free some space on that disk, or give the user who runs the house the right to write there",
            ),
        }
    }

    /// What time asks for.
    fn tend(&mut self) {
        self.tended = Instant::now();
        self.day = None;
        self.ledger.tend();
        if !self.failing {
            self.say_well();
        }
        self.miss();
        self.expire();
        if self.unsaved >= CHECKPOINT.0 || (self.unsaved > 0 && self.saved.elapsed() >= CHECKPOINT.1) {
            self.save();
        }
    }

    /// Removes files that are older than they are to be kept.
    fn expire(&mut self) {
        let live = self.shared.live();
        let keep = live.config.keep_days;
        let today = Day::of(self.clock.now(), &live.zone).date;
        drop(live);
        let Ok(first) = today.checked_sub(Span::new().days(i64::from(keep.saturating_sub(1)))) else {
            return;
        };
        if keep == 0 || self.shared.expired_before(first) {
            return;
        }
        for name in list(&self.dir).unwrap_or_default().into_iter().filter(|name| name.date < first) {
            self.outs.remove(&name.date);
            match std::fs::remove_file(self.dir.join(name.to_string())) {
                Ok(()) => tracing::info!(file = %name, "a file of the usage log was as old as it may get"),
                Err(error) => tracing::warn!(%error, file = %name, "an old file of the usage log stays"),
            }
            self.unsaved += 1;
        }
        self.shared.count(|cells| cells.forget_before(first));
    }

    fn save(&mut self) {
        self.saved = Instant::now();
        // A checkpoint says that nothing before it need be looked at again, so the ledger must know all of it.
        if self.ledger.trouble().is_some() {
            return;
        }
        if let Some(cells) = self.shared.counted() {
            match checkpoint::save(&self.dir, &cells) {
                Ok(()) => self.unsaved = 0,
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "the next start will count more of the usage log");
                }
            }
        }
    }
}
