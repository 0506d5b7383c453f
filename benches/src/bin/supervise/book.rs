//! What the children say: who started when as which process, and when it was ready.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sanctum_kernel::Failure;

/// One thing a child said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// `S` started, `R` ready, `F` the flood is over.
    pub(crate) what: char,
    pub(crate) pid: u32,
    /// Nanoseconds of CLOCK_MONOTONIC, by the child's own look.
    pub(crate) at: u64,
    pub(crate) more: String,
}

#[derive(Debug, Default)]
struct Inner {
    said: Mutex<BTreeMap<String, Vec<Said>>>,
    news: Condvar,
}

/// Everything that was said.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    inner: Arc<Inner>,
    pub(crate) path: PathBuf,
}

impl Book {
    /// Listens from now on at a socket in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join("b.sock");
        let socket = UnixDatagram::bind(&path)?;
        let inner = Arc::<Inner>::default();
        let book = Self { inner: Arc::clone(&inner), path };
        std::thread::spawn(move || {
            let mut text = [0; 512];
            while let Ok(taken) = socket.recv(&mut text) {
                let Ok(text) = std::str::from_utf8(text.get(..taken).unwrap_or_default()) else { continue };
                let mut words = text.splitn(5, ' ');
                let (Some(what), Some(name), Some(pid), Some(at)) =
                    (words.next(), words.next(), words.next(), words.next())
                else {
                    continue;
                };
                let (Some(what), Ok(pid), Ok(at)) = (what.chars().next(), pid.parse(), at.parse()) else {
                    continue;
                };
                let said = Said { what, pid, at, more: words.next().unwrap_or_default().trim().to_owned() };
                let mut all = inner.said.lock().unwrap_or_else(PoisonError::into_inner);
                all.entry(name.to_owned()).or_default().push(said);
                inner.news.notify_all();
            }
        });
        Ok(book)
    }

    /// What `name` said first of this kind, at or after `since`.
    pub(crate) fn first(&self, name: &str, what: char, since: u64) -> Option<Said> {
        let all = self.inner.said.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(name)?.iter().find(|said| said.what == what && said.at >= since).cloned()
    }

    /// The last start of `name`.
    pub(crate) fn latest(&self, name: &str) -> Option<Said> {
        let all = self.inner.said.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(name)?.iter().rev().find(|said| said.what == 'S').cloned()
    }

    /// Every process that ever started.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let all = self.inner.said.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().flatten().map(|said| said.pid).collect()
    }

    /// Waits until every one of `names` has said this since then; those times by name, or `None` if it takes too long.
    pub(crate) fn wait(
        &self,
        names: &[String],
        what: char,
        since: u64,
        longest: Duration,
    ) -> Option<Vec<Said>> {
        let until = Instant::now() + longest;
        loop {
            let all: Option<Vec<Said>> = names.iter().map(|name| self.first(name, what, since)).collect();
            if all.is_some() {
                return all;
            }
            let left = until.checked_duration_since(Instant::now())?;
            let said = self.inner.said.lock().unwrap_or_else(PoisonError::into_inner);
            // A word between the look and this wait costs one slice of it.
            drop(self.inner.news.wait_timeout(said, left.min(Duration::from_millis(20))));
        }
    }
}

/// CLOCK_MONOTONIC in nanoseconds, as the children read it.
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec.
    #[expect(unsafe_code, reason = "the standard library's clock has no number")]
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
    }
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
