//! The usage log as the rest of the proxy sees it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Clock, Failure, Well, exit, files};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Config;
use super::cells::{Cell, Cells};
use super::count::{self, Piece};
use super::line::Line;
use super::queue::Queue;
use super::start::{self, Started, pieces};
use super::writer::Writer;
use crate::budget::{Day, Ledger};

/// Requests that are under way or whose lines wait; more than this wait before they begin.
const ROOM: usize = 8192;
/// How long the last lines may take to be written when the log is closed.
const CLOSING: Duration = Duration::from_secs(5);

/// The logs of this process, by directory: while the house reloads, two services write the same files.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Handle>>> = Mutex::new(BTreeMap::new());

/// What a log is opened with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// A directory of its own.
    pub dir: PathBuf,
    pub clock: Clock,
    pub zone: TimeZone,
    /// Learns which requests have their line, and is asked for those that died without.
    pub ledger: Ledger,
    pub config: Config,
    /// Where the log says how it is, as `usage`, and the ledger, as `budget`.
    pub well: Well,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("could not open the usage log in `{}`", dir.display())]
pub struct LogError {
    dir: PathBuf,
    #[source]
    source: io::Error,
}

impl LogError {
    /// As an error that carries its own hint, for what is printed when the service cannot start.
    pub fn hinted(self) -> Failure {
        let hint =
            "free some space on that disk, or give the user who runs the house the right to write there";
        Box::new(Hinted::new(exit::CANNOT_CREATE, "could not keep the usage log", hint).because(self))
    }
}

/// The usage log. Clones share it; when the last is gone, what waited is written.
#[derive(Debug, Clone)]
pub struct Log(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    live: Mutex<Live>,
    sums: Mutex<Counting>,
    ready: Condvar,
    stop: AtomicBool,
}

/// What a reload may change.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) zone: TimeZone,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) well: Well,
}

#[derive(Debug, Default)]
struct Counting {
    cells: Cells,
    /// A count of the files is under way; a higher number replaces it.
    round: u64,
    under_way: bool,
    failed: bool,
    expired: Option<Date>,
}

/// The place of one request in the log: taken before it begins, so that its line never waits and is never dropped.
#[derive(Debug)]
pub struct Slot {
    log: Log,
    room: OwnedSemaphorePermit,
}

impl Slot {
    /// Writes the one line of this request: it is in the file within a few milliseconds.
    pub fn write(self, line: Line) {
        self.log.0.shared.queue.push((line, Some(self.room)));
    }
}

impl Log {
    /// Opens the log, cuts off a torn line, gives every request that a dead process left its line, and starts writing.
    /// Opened again in one process it is the same log, with this zone, configuration and board from now on.
    pub fn open(parts: Parts) -> Result<Self, LogError> {
        let Parts { dir, clock, zone, ledger, config, well } = parts;
        let failed = |source: io::Error| LogError { dir: dir.clone(), source };
        files::private_dir(&dir).map_err(|error| failed(error.kind().into()))?;
        let dir = dir.canonicalize().map_err(failed)?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, log| log.strong_count() > 0);
        let live = Live { zone, clock: clock.clone(), config, well };
        if let Some(log) = open.get(&dir).and_then(Weak::upgrade).map(Self) {
            drop(open);
            *log.0.shared.live() = live;
            return Ok(log);
        }
        let Started { cells, uncounted, lost } = start::start(&dir, &ledger).map_err(failed)?;
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            live: Mutex::new(live),
            sums: Mutex::new(Counting { cells, ..Counting::default() }),
            ready: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        for line in lost {
            shared.queue.push((line, None));
        }
        if !uncounted.is_empty() {
            shared.count_pieces(&dir, uncounted);
        }
        let writer = Writer::new(dir.clone(), clock, ledger, Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("usage".to_owned())
            .spawn(move || writer.run())
            .map_err(failed)?;
        let room = Arc::new(Semaphore::new(ROOM));
        let log = Self(Arc::new(Handle { shared, room, writer: Mutex::new(Some(thread)) }));
        open.insert(dir, Arc::downgrade(&log.0));
        Ok(log)
    }

    /// A place for the line of a request that is about to begin; waits while too many have no line yet.
    pub async fn slot(&self) -> Slot {
        loop {
            // The semaphore lives as long as this log and is never closed.
            if let Ok(room) = Arc::clone(&self.0.room).acquire_owned().await {
                return Slot { log: self.clone(), room };
            }
        }
    }

    /// The same without waiting; `None` when there is no room.
    pub fn try_slot(&self) -> Option<Slot> {
        let room = Arc::clone(&self.0.room).try_acquire_owned().ok()?;
        Some(Slot { log: self.clone(), room })
    }

    /// Writes a line that has no place of its own. Never waits and never drops it.
    pub fn write(&self, line: Line) {
        self.0.shared.queue.push((line, None));
    }

    /// Waits until every line so far is in its file; `false` when that takes longer. Blocks the thread.
    pub fn flush(&self, patience: Duration) -> bool {
        self.0.shared.queue.flushed(patience)
    }

    /// Today, where the house is.
    pub(crate) fn today(&self) -> Date {
        let live = self.0.shared.live();
        Day::of(live.clock.now(), &live.zone).date
    }

    /// The sums of a span of days; `None` when the log is still being counted after `patience`. Blocks the thread.
    pub(crate) fn sums(&self, span: (Date, Date), patience: Duration) -> Option<Vec<Cell>> {
        let shared = &self.0.shared;
        let sums = shared.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = shared.ready.wait_timeout_while(sums, patience, |sums| sums.under_way);
        let sums = waited.unwrap_or_else(PoisonError::into_inner).0;
        (!sums.under_way && !sums.failed).then(|| sums.cells.list(Some(span)))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.queue.flushed(CLOSING);
        self.shared.queue.stop();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the writer of the usage log had panicked");
        }
    }
}

impl Shared {
    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sums(&self) -> MutexGuard<'_, Counting> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the sums.
    pub(crate) fn count(&self, change: impl FnOnce(&mut Cells)) {
        change(&mut self.sums().cells);
    }

    /// The sums, once all of the log is in them.
    pub(crate) fn counted(&self) -> Option<Cells> {
        let sums = self.sums();
        (!sums.under_way && !sums.failed).then(|| sums.cells.clone())
    }

    /// Whether everything before `first` has been expired already; remembers that it is now.
    pub(crate) fn expired_before(&self, first: Date) -> bool {
        self.sums().expired.replace(first) == Some(first)
    }

    /// Forgets the sums and counts the files as they are now. For the writer, so that nothing is written in between.
    pub(crate) fn count_anew(self: &Arc<Self>, dir: &Path) {
        self.sums().cells = Cells::default();
        let all = super::files::list(dir).and_then(|names| pieces(dir, &names, &BTreeMap::new()));
        self.count_pieces(dir, all.unwrap_or_default());
    }

    /// Counts pieces of files beside everything else; lines that are written meanwhile are counted by their writer.
    fn count_pieces(self: &Arc<Self>, dir: &Path, pieces: Vec<Piece>) {
        let mut sums = self.sums();
        sums.round += 1;
        (sums.under_way, sums.failed) = (true, false);
        let round = sums.round;
        drop(sums);
        let (shared, dir) = (Arc::clone(self), dir.to_owned());
        let work = move || {
            let mut cells = Cells::default();
            let counted = count::sum(&dir, &pieces, &mut cells, &shared.stop, |_| {});
            let mut sums = shared.sums();
            if sums.round == round && !shared.stop.load(Ordering::Relaxed) {
                if let Err(error) = &counted {
                    tracing::error!(%error, "the usage log could not be counted");
                }
                sums.cells.merge(&cells);
                (sums.under_way, sums.failed) = (false, counted.is_err());
                drop(sums);
                shared.ready.notify_all();
            }
        };
        if let Err(error) = std::thread::Builder::new().name("usage-count".to_owned()).spawn(work) {
            tracing::error!(%error, "the usage log could not be counted");
            let mut sums = self.sums();
            (sums.under_way, sums.failed) = (false, true);
        }
    }
}
