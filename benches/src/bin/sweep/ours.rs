//! The sweep and the prober as the watch runs them, in this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sanctum_kernel::inventory::check::{Check, Http, Tcp};
use sanctum_kernel::{Catalogue, Clock, Failure, Paths, Peers, Period, Stop, stop};
use sanctum_probe::Prober;
use sanctum_watch::sweep::{Answered, Entry, Handle, Progress, Sweep, room};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

static NOBODY: Catalogue = Catalogue::new(&[]);

/// A sweep that runs.
pub(crate) struct Ours {
    handle: Handle,
    pub(crate) heard: mpsc::Receiver<Answered>,
    _home: tempfile::TempDir,
    _running: JoinSet<()>,
    _stopper: stop::Stopper,
}

impl Ours {
    pub(crate) fn start(entries: Vec<Entry>) -> Result<Self, Failure> {
        let home = tempfile::tempdir()?;
        let paths = Paths::new(home.path());
        let peers = Peers::load("watch", &NOBODY, &paths, BTreeMap::new())?;
        let prober = Prober::with(paths, Clock::system(), peers);
        let (out, heard) = mpsc::channel(1024);
        let (sweep, handle) = Sweep::new(prober, room(), out);
        let (stopper, stop): (_, Stop) = stop::channel();
        let mut running = JoinSet::new();
        running.spawn(sweep.run(stop));
        handle.set(1, entries, Duration::from_mins(10));
        Ok(Self { handle, heard, _home: home, _running: running, _stopper: stopper })
    }

    pub(crate) fn progress(&self) -> Progress {
        self.handle.progress()
    }

    /// Takes what is answered for this long.
    pub(crate) async fn listen(&mut self, length: Duration, mut each: impl FnMut(&Answered)) {
        let end = tokio::time::Instant::now() + length;
        while let Ok(Some(answered)) = tokio::time::timeout_at(end, self.heard.recv()).await {
            each(&answered);
        }
    }
}

/// `GET http://127.0.0.1:PORT/health`, whose status and word are looked at.
pub(crate) fn http(node: usize, address: &str, timeout: Duration, every: Duration) -> Entry {
    let http =
        Http { url: format!("http://{address}/health"), body: Some("ok".to_owned()), ..Http::default() };
    entry(node, Check { http: Some(http), timeout: Some(Period(timeout)), ..Check::default() }, every)
}

pub(crate) fn tcp(node: usize, address: &str, timeout: Duration, every: Duration) -> Entry {
    let tcp = Tcp { address: address.to_owned(), banner: None };
    entry(node, Check { tcp: Some(tcp), timeout: Some(Period(timeout)), ..Check::default() }, every)
}

fn entry(node: usize, check: Check, every: Duration) -> Entry {
    Entry { node, index: 0, check: Arc::new(check), every }
}
