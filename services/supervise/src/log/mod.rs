//! What services print: taken line by line, stamped, kept in rotated files. A service never waits for the disk
//! longer than it is told to, and a full disk stops nobody.

mod capture;
mod writer;

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sanctum_kernel::{Clock, Paths};
use tokio::sync::{mpsc, oneshot};

use crate::config;
use capture::{Output, Outputs};
use writer::{Chunk, Writer};

/// Chunks on their way to the disk, for all services together.
const QUEUE: usize = 64;
/// A longer line is cut into several.
const LONGEST_LINE: usize = 8 * 1024;
/// Lines that are remembered for the one who has to find out why it failed.
const TAIL: usize = 20;

/// How large files become, how many are kept, and how long a service waits; it may change at any time.
pub(super) type Settings = Arc<Mutex<config::Log>>;

/// The way of all lines of a house to its disk.
#[derive(Debug, Clone)]
pub(crate) struct Logs {
    queue: mpsc::Sender<Chunk>,
    outputs: Outputs,
    settings: Settings,
    clock: Clock,
    trouble: Trouble,
}

/// What went wrong with the disk, and how many lines that cost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble(Arc<TroubleInner>);

#[derive(Debug, Default)]
struct TroubleInner {
    lost: AtomicU64,
    reason: Mutex<Option<String>>,
}

impl Trouble {
    fn lose(&self, lines: u64) {
        self.0.lost.fetch_add(lines, Ordering::Relaxed);
    }

    fn set(&self, reason: Option<String>) {
        *self.0.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Lines dropped since the start, and what is wrong now.
    pub(crate) fn look(&self) -> (u64, Option<String>) {
        let reason = self.0.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.0.lost.load(Ordering::Relaxed), reason)
    }
}

impl Logs {
    /// Starts the threads that take and write; they end when the last clone of this is gone.
    pub(crate) fn open(paths: &Paths, config: &config::Log, clock: &Clock) -> io::Result<Self> {
        let (queue, chunks) = mpsc::channel(QUEUE);
        let trouble = Trouble::default();
        let settings: Settings = Arc::new(Mutex::new(config.clone()));
        let writer = Writer::new(paths.logs(), Arc::clone(&settings), trouble.clone());
        std::thread::Builder::new().name("logs".to_owned()).spawn(move || writer.run(chunks))?;
        Ok(Self { queue, outputs: capture::start()?, settings, clock: clock.clone(), trouble })
    }

    /// Other settings, for every line from now on.
    pub(crate) fn revise(&self, config: &config::Log) {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone_from(config);
    }

    fn patience(&self) -> Duration {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).patience.0
    }

    pub(crate) fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }

    /// The log of one service.
    pub(crate) fn of(&self, name: &str) -> Log {
        Log { name: name.into(), logs: self.clone(), tail: Arc::default(), choked: false }
    }

    /// Waits until everything given so far has reached its file, or the disk has had long enough.
    pub(crate) async fn flush(&self, within: Duration) {
        let (done, written) = oneshot::channel();
        let ask = async {
            if self.queue.send(Chunk::Flush(done)).await.is_ok() {
                written.await.ok();
            }
        };
        tokio::time::timeout(within, ask).await.ok();
    }
}

/// The last lines a service printed.
pub(crate) type Tail = Arc<Mutex<VecDeque<String>>>;

/// A line of the supervisor's own that is not in its log yet.
pub(crate) struct Noted(String);

/// The log of one process.
#[derive(Debug)]
pub(crate) struct Log {
    name: Arc<str>,
    logs: Logs,
    tail: Tail,
    /// The disk was too slow: nothing waits for it until it has caught up.
    choked: bool,
}

impl Log {
    /// Takes what comes out of `pipe` until nobody can write into it any more, which is said to `over`, or nobody listens there.
    pub(crate) fn capture(self, pipe: OwnedFd, tail: Tail, over: oneshot::Sender<()>) {
        let outputs = self.logs.outputs.clone();
        outputs.send(Output { log: self, pipe, tail, over }).ok();
    }

    /// A line of the supervisor's own.
    pub(crate) async fn note(&mut self, text: &str) {
        self.put(self.noted(text)).await;
    }

    /// The same to be put there later: it says when it was noted.
    pub(crate) fn noted(&self, text: &str) -> Noted {
        Noted(format!("{} --- {text}\n", self.stamp()))
    }

    pub(crate) async fn put(&mut self, line: Noted) {
        self.give(line.0.into_bytes(), 1).await;
    }

    fn stamp(&self) -> String {
        format!("{:.3}", self.logs.clock.now())
    }

    /// The whole lines of what was taken, stamped, and how many those are; what is left of the last one stays in `partial`.
    fn whole(&self, partial: &mut Vec<u8>, taken: &[u8]) -> Option<(Vec<u8>, u64)> {
        let end = taken.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (whole, rest) = taken.split_at(end);
        if whole.is_empty() {
            partial.extend_from_slice(rest);
            let long = partial.len() >= LONGEST_LINE;
            return long.then(|| self.rest(&std::mem::take(partial))).flatten();
        }
        let stamped = if partial.is_empty() {
            self.stamped(whole)
        } else {
            partial.extend_from_slice(whole);
            self.stamped(&std::mem::take(partial))
        };
        partial.extend_from_slice(rest);
        Some(stamped)
    }

    /// What was printed last, without the end of its line.
    fn rest(&self, partial: &[u8]) -> Option<(Vec<u8>, u64)> {
        (!partial.is_empty()).then(|| self.stamped(partial))
    }

    fn stamped(&self, text: &[u8]) -> (Vec<u8>, u64) {
        let stamp = self.stamp();
        let lines = || {
            let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n');
            lines.flat_map(pieces)
        };
        let count = lines().count();
        let mut stamped = Vec::with_capacity(text.len() + (stamp.len() + 2) * count);
        for line in lines() {
            stamped.extend_from_slice(stamp.as_bytes());
            stamped.push(b' ');
            stamped.extend_from_slice(line);
            stamped.push(b'\n');
        }
        self.remember(lines().skip(count.saturating_sub(TAIL)));
        (stamped, u64::try_from(count).unwrap_or(u64::MAX))
    }

    fn remember<'l>(&self, lines: impl Iterator<Item = &'l [u8]>) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            if tail.len() >= TAIL {
                tail.pop_front();
            }
            tail.push_back(String::from_utf8_lossy(line).into_owned());
        }
    }

    async fn give(&mut self, text: Vec<u8>, lines: u64) {
        let patience = if self.choked { Duration::ZERO } else { self.logs.patience() };
        let chunk = Chunk::Lines { name: Arc::clone(&self.name), text, lines };
        let given = match self.logs.queue.try_send(chunk) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(chunk)) => {
                self.logs.queue.send_timeout(chunk, patience).await.map_err(|_| ())
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(()),
        };
        self.choked = given.is_err();
        if given.is_err() {
            self.logs.trouble.lose(lines);
        }
    }
}

/// A line as it is, or cut where it is too long.
fn pieces(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty = line.is_empty().then_some(line);
    empty.into_iter().chain(line.chunks(LONGEST_LINE))
}
