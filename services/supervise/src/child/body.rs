//! The process itself, by how it came here, and how its end is heard of.

use std::process::{Child, ExitStatus};
use std::time::Duration;

use tokio::io::unix::AsyncFd;

use crate::engine::Exit;
use crate::pids::Identity;

/// Between two looks for a process whose end nobody announces.
const LOOK_FOR: Duration = Duration::from_millis(100);

pub(super) enum Body {
    Born(Child),
    Adopted(Identity),
}

impl Body {
    pub(super) fn pid(&self) -> u32 {
        match self {
            Self::Born(child) => child.id(),
            Self::Adopted(identity) => identity.pid,
        }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> std::io::Result<Option<Exit>> {
        match self {
            Self::Born(child) => child.try_wait().map(|status: Option<ExitStatus>| status.map(Exit::from)),
            Self::Adopted(identity) => {
                if sanctum_kernel::process::born(identity.pid).as_ref() == Some(&identity.born) {
                    return Ok(None);
                }
                // After a supervisor has replaced itself by a newer one its children are still its own.
                Ok(Some(crate::process::reap(identity.pid).map_or(Exit::Unseen, Exit::from)))
            }
        }
    }
}

/// The end of a process, as it can be waited for.
pub(super) struct End(Option<AsyncFd<std::os::fd::OwnedFd>>);

impl End {
    /// What becomes readable when a process ends, whoever's child it is (pidfd_open(2)): nobody else wakes for it.
    #[cfg(target_os = "linux")]
    pub(super) fn of(pid: u32) -> Self {
        let open = || {
            let pid = crate::process::pid(pid)?;
            let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::NONBLOCK).ok()?;
            // SAFETY: the descriptor is owned, moves in, and is closed by nobody else.
            #[expect(unsafe_code, reason = "the safe constructor is deprecated for not asking this")]
            unsafe { AsyncFd::register_with_interest(fd, tokio::io::Interest::READABLE) }.ok()
        };
        Self(open())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(_: u32) -> Self {
        Self(None)
    }

    /// Whether the kernel tells; otherwise a signal says that some child has ended.
    pub(super) const fn is_told(&self) -> bool {
        self.0.is_some()
    }

    /// Until it may have ended: told by the kernel where it tells, looked for where it does not.
    pub(super) async fn come(&self) {
        match &self.0 {
            Some(end) => {
                // The guard keeps it readable: an ended process stays ended.
                if end.readable().await.is_err() {
                    tokio::time::sleep(LOOK_FOR).await;
                }
            }
            None => tokio::time::sleep(LOOK_FOR).await,
        }
    }
}
