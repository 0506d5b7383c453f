//! Where a running service listens, said in `run/at/NAME` for as long as its process lives: a command finds the house
//! also when its file has changed since, or is broken.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::Paths;
use crate::files::{self, FileError};

/// Whoever looks holds the lock for an instant; a process of the same service that ends now lets go of it soon.
const TRIES: u32 = 50;
const WAIT: Duration = Duration::from_millis(10);

/// What a running service says of itself. The kernel lets go of its lock when the process ends, however it ends: an
/// address that is left over means nothing.
#[derive(Debug)]
pub struct Running(#[expect(dead_code, reason = "its life is its meaning")] File);

fn path(paths: &Paths, service: &str) -> PathBuf {
    paths.run().join("at").join(service)
}

impl Running {
    /// Says where the service's listener `http` is. Blocks for at most half a second. `None` if another live process
    /// says so of the same service: its word stands.
    pub fn say(paths: &Paths, service: &str, addr: SocketAddr) -> Result<Option<Self>, FileError> {
        let path = path(paths, service);
        files::private_dir(&paths.run().join("at"))?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let mut file = options.open(&path).map_err(FileError::on("open", &path))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => {
                    let written = file
                        .set_len(0)
                        .and_then(|()| file.rewind())
                        .and_then(|()| file.write_all(addr.to_string().as_bytes()));
                    written.map_err(FileError::on("write", &path))?;
                    return Ok(Some(Self(file)));
                }
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(WAIT),
                Err(TryLockError::Error(error)) => return Err(FileError::on("lock", &path)(error)),
            }
        }
        Ok(None)
    }
}

/// Where a service listens now, if a live process says so.
pub fn address(paths: &Paths, service: &str) -> Option<SocketAddr> {
    let mut file = File::open(path(paths, service)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).ok()?;
            text.trim().parse().ok()
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_worth_as_much_as_the_process_that_says_it() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::new(home.path());
        let (first, second) = ("127.0.0.1:4077".parse().unwrap(), "[::1]:9".parse().unwrap());
        assert_eq!(address(&paths, "notify"), None);
        let said = Running::say(&paths, "notify", first).unwrap();
        assert_eq!((said.is_some(), address(&paths, "notify")), (true, Some(first)));
        assert!(Running::say(&paths, "notify", second).unwrap().is_none());
        assert_eq!(address(&paths, "notify"), Some(first));
        drop(said);
        assert_eq!(address(&paths, "notify"), None, "it is left over");
        let said = Running::say(&paths, "notify", second).unwrap();
        assert_eq!((said.is_some(), address(&paths, "notify")), (true, Some(second)));
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &path(&paths, "notify").metadata().unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }
}
