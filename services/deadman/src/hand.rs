//! Bringing the supervisor back: what hangs is killed, another one is started, and only its heartbeat proves it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use sanctum_kernel::heart::{self, Beat, Sight};
use sanctum_kernel::{Paths, files};
use tokio::time::Instant;

use crate::watch::Look;

/// Between two looks while something is expected within seconds.
const LOOK: Duration = Duration::from_millis(50);
/// What SIGKILL does not end within this hangs in the kernel.
const BEYOND_REACH: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
    #[error("the old one, process {0}, hangs in the kernel and cannot be ended")]
    Stuck(u32),
    #[error("a new one could not be started")]
    Start(#[source] std::io::Error),
    #[error("the new one ended at once: {0}")]
    Ended(std::process::ExitStatus),
    #[error("the new one gave no sign of life within {} s", .0.as_secs())]
    Silent(Duration),
}

/// What was found, and what runs now.
#[derive(Debug)]
pub(crate) struct Revived {
    /// `hung` or `was gone`.
    pub(crate) was: &'static str,
    pub(crate) pid: u32,
}

/// The supervisor, seen from outside: a file, a process, a command to start it.
#[derive(Debug)]
pub(crate) struct Keeper {
    paths: Paths,
    /// What was started from here is waited for from here.
    child: Option<Child>,
}

impl Keeper {
    pub(crate) fn new(paths: &Paths) -> Self {
        Self { paths: paths.clone(), child: None }
    }

    /// The heartbeat as it is now; also buries a supervisor that was started from here and has ended.
    pub(crate) fn look(&mut self) -> Look {
        if let Some(child) = &mut self.child
            && !matches!(child.try_wait(), Ok(None))
        {
            self.child = None;
        }
        match heart::look(&self.paths, "supervise") {
            Sight::Nothing | Sight::Garbled => Look::Nothing,
            Sight::Over => Look::Over,
            Sight::Beats { mark, .. } => Look::Beat(mark),
        }
    }

    /// The one that beats, if its process still runs.
    fn living(&self) -> Option<u32> {
        match heart::look(&self.paths, "supervise") {
            Sight::Beats { beat, .. } if Beat::lives(&beat) => Some(beat.pid),
            _ => None,
        }
    }

    /// Ends what hangs and starts another; its heartbeat within `patience` is the proof. `tick` is called meanwhile.
    pub(crate) async fn revive(
        &mut self,
        patience: Duration,
        mut tick: impl FnMut(),
    ) -> Result<Revived, ActError> {
        let was = match self.living() {
            None => "was gone",
            Some(pid) => {
                self.kill(pid).await?;
                "hung"
            }
        };
        // One that was started from here and never came to its first beat.
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.try_wait().ok();
        }
        let before = self.look();
        self.child = Some(self.start().map_err(ActError::Start)?);
        let began = Instant::now();
        while began.elapsed() < patience {
            tick();
            if let Look::Beat(mark) = self.look()
                && Look::Beat(mark.clone()) != before
                && self.living() == Some(mark.pid)
            {
                return Ok(Revived { was, pid: mark.pid });
            }
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
            {
                return Err(ActError::Ended(status));
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(ActError::Silent(patience))
    }

    /// SIGKILL, because what hangs hears nothing else; SIGCONT is of no use to one that must not go on half.
    async fn kill(&mut self, raw: u32) -> Result<(), ActError> {
        let Some(pid) = i32::try_from(raw).ok().and_then(Pid::from_raw) else { return Ok(()) };
        rustix::process::kill_process(pid, Signal::KILL).ok();
        let began = Instant::now();
        while self.living() == Some(raw) {
            if began.elapsed() > BEYOND_REACH {
                return Err(ActError::Stuck(raw));
            }
            if let Some(child) = &mut self.child {
                child.try_wait().ok();
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn start(&self) -> std::io::Result<Child> {
        // A disk that has no room for a log has room for a supervisor.
        let log = files::append(&self.paths.logs().join("supervise.log"))
            .map_or_else(|_| Stdio::null(), Into::into);
        Command::new(this_program()?)
            .arg("--home")
            .arg(self.paths.home())
            .args(["up", "--detached"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
    }
}

/// Where this program is. After an upgrade Linux calls the old file `… (deleted)`; the new one is in its place.
fn this_program() -> std::io::Result<std::path::PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), std::path::PathBuf::from))
}
