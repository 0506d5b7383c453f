//! The supervisor's heartbeat: a file whose time moves while its one loop turns. Whoever watches it needs nothing else of
//! the house.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use sanctum_kernel::{Chain, Paths};
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior};

/// Well below any patience a watcher may have.
const EVERY: Duration = Duration::from_secs(2);

/// Beats from [`Beat::begin`] until it is dropped.
#[derive(Debug)]
pub(crate) struct Beat {
    /// `None` when it could not be written: then nobody watches, which is better than to be killed for a full disk.
    file: Option<File>,
    every: Interval,
}

impl Beat {
    /// Says which process beats. Later beats only move the file's time, which needs no room on the disk.
    pub(crate) fn begin(paths: &Paths) -> Self {
        let opened = open(paths);
        if let Err(error) = &opened {
            tracing::warn!(error = %Chain(error), "there is no heartbeat: the dead-man's switch cannot watch");
        }
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { file: opened.ok(), every }
    }

    /// Until the next beat. Dropping the future loses nothing.
    pub(crate) async fn due(&mut self) {
        self.every.tick().await;
    }

    pub(crate) fn beat(&self) {
        // For the platform's own supervisor, if that is who watches: `WatchdogSec=` of systemd.service(5).
        sanctum_kernel::announce("WATCHDOG=1");
        if let Some(file) = &self.file {
            let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
            let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
            rustix::fs::futimens(file, &times).ok();
        }
    }
}

fn open(paths: &Paths) -> std::io::Result<File> {
    let (path, new) = (paths.run().join("supervise.beat"), paths.run().join("supervise.beat.new"));
    let pid = std::process::id();
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    let me = json!({ "pid": pid, "born": sanctum_kernel::process::born(pid) });
    file.write_all(me.to_string().as_bytes())?;
    std::fs::rename(new, path)?;
    Ok(file)
}
