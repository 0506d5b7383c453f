//! What services print: taken line by line, stamped, kept in rotated files. A service never waits for the disk
//! longer than it is told to, and a full disk stops nobody.

mod writer;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sanctum_kernel::{Clock, Paths};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use crate::config;
use writer::{Chunk, Writer};

/// Chunks on their way to the disk, for all services together.
const QUEUE: usize = 64;
/// How much is taken from a pipe at once.
const BITE: usize = 16 * 1024;
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
    /// Starts the thread that writes; it ends when the last clone of this is gone.
    pub(crate) fn open(paths: &Paths, config: &config::Log, clock: &Clock) -> io::Result<Self> {
        let (queue, chunks) = mpsc::channel(QUEUE);
        let trouble = Trouble::default();
        let settings: Settings = Arc::new(Mutex::new(config.clone()));
        let writer = Writer::new(paths.logs(), Arc::clone(&settings), trouble.clone());
        std::thread::Builder::new().name("logs".to_owned()).spawn(move || writer.run(chunks))?;
        Ok(Self { queue, settings, clock: clock.clone(), trouble })
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
        let (done, written) = tokio::sync::oneshot::channel();
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
    /// Takes what comes out of `pipe` until nobody can write into it any more.
    pub(crate) async fn capture(mut self, mut pipe: pipe::Receiver, tail: Tail) {
        self.tail = tail;
        let mut partial = Vec::new();
        let mut bite = vec![0; BITE];
        loop {
            let taken = match pipe.read(&mut bite).await {
                Ok(0) | Err(_) => break,
                Ok(taken) => bite.get(..taken).unwrap_or_default(),
            };
            partial.extend_from_slice(taken);
            let end = partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let end = if end == 0 && partial.len() >= LONGEST_LINE { partial.len() } else { end };
            let whole: Vec<u8> = partial.drain(..end).collect();
            self.take(&whole).await;
        }
        self.take(&partial).await;
    }

    /// A line of the supervisor's own.
    pub(crate) async fn note(&mut self, text: &str) {
        let stamp = self.stamp();
        self.give(format!("{stamp} --- {text}\n").into_bytes(), 1).await;
    }

    fn stamp(&self) -> String {
        format!("{:.3}", self.logs.clock.now())
    }

    async fn take(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        let stamp = self.stamp();
        let mut stamped = Vec::with_capacity(text.len() + 64);
        let mut count = 0;
        let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n');
        for line in lines.flat_map(pieces) {
            stamped.extend_from_slice(stamp.as_bytes());
            stamped.push(b' ');
            stamped.extend_from_slice(line);
            stamped.push(b'\n');
            count += 1;
            self.remember(line);
        }
        self.give(stamped, count).await;
    }

    fn remember(&self, line: &[u8]) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() >= TAIL {
            tail.pop_front();
        }
        tail.push_back(String::from_utf8_lossy(line).into_owned());
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
