//! One supervisor for one home: a lock that the kernel releases when its holder ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Clock, Failure, Paths, exit};
use serde::{Deserialize, Serialize};

/// Who keeps a house up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    /// When it started, for people.
    pub since: String,
}

/// Held for as long as the house is up.
#[derive(Debug)]
pub(crate) struct HouseLock(#[expect(dead_code, reason = "its life is its meaning")] File);

fn path(paths: &Paths) -> PathBuf {
    paths.run().join("supervise.lock")
}

/// Who keeps the house of `paths` up, if anyone does. Looking takes the lock for a moment.
pub fn holder(paths: &Paths) -> Option<Holder> {
    let mut file = File::open(path(paths)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).ok();
            Some(serde_json::from_str(&text).unwrap_or(Holder { pid: 0, since: String::new() }))
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// What a second supervisor is told.
pub fn refusal(paths: &Paths, holder: &Holder) -> Hinted {
    let Holder { pid, since } = holder;
    let home = paths.home().display();
    let message = format!("the house at `{home}` is up already: process {pid} has kept it since {since}");
    Hinted::new(
        exit::TRY_AGAIN,
        message,
        "Say `sanctum status` to look at it, or `sanctum down` to end it first.",
    )
}

impl HouseLock {
    /// Takes the lock, or says who holds it.
    pub(crate) async fn take(paths: &Paths, clock: &Clock) -> Result<Self, Failure> {
        let options = || {
            OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .mode(0o600)
                .open(path(paths))
        };
        let mut file = options().map_err(|error| {
            let message = format!("could not open `{}`", path(paths).display());
            Hinted::new(exit::CANNOT_CREATE, message, "Look at the permissions of the house's home.")
                .because(error)
        })?;
        // Whoever only looks holds it for an instant.
        for _ in 0..20 {
            match file.try_lock() {
                Ok(()) => {
                    let me = Holder { pid: std::process::id(), since: format!("{:.0}", clock.now()) };
                    file.set_len(0)?;
                    file.rewind()?;
                    file.write_all(&serde_json::to_vec(&me)?)?;
                    return Ok(Self(file));
                }
                Err(TryLockError::WouldBlock) => clock.sleep(std::time::Duration::from_millis(10)).await,
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let holder =
            serde_json::from_str(&text).unwrap_or(Holder { pid: 0, since: "an unknown time".to_owned() });
        Err(refusal(paths, &holder).into())
    }
}

impl Holder {
    /// Whether that process is still there.
    pub fn lives(&self) -> bool {
        sanctum_kernel::process::born(self.pid).is_some()
    }
}
