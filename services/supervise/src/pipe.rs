//! The way of a service's output to its log. It outlives the supervisor: a service that goes on while nobody reads can
//! still write, and its next supervisor reads what it wrote.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, mkfifoat};
use sanctum_kernel::Paths;

/// What a service may write while there is no supervisor before it has to wait (fcntl(2), F_SETPIPE_SZ: the usual limit
/// of an unprivileged process).
#[cfg(target_os = "linux")]
const ROOM: usize = 1024 * 1024;

fn path(paths: &Paths, name: &str) -> PathBuf {
    paths.run().join(format!("{name}.out"))
}

/// Makes the pipe of a service that is still to come, unless something is there: it removes nothing, so that it may run beside
/// [`reading`].
pub(crate) fn prepare(paths: &Paths, name: &str) {
    make(&path(paths, name)).ok();
}

fn make(path: &Path) -> rustix::io::Result<()> {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)
}

/// The reading end of the service's output, which does not block; made anew if it is not there.
///
/// # Errors
/// The file system has no named pipes, or something else is in the way and cannot be removed.
pub(crate) fn reading(paths: &Paths, name: &str) -> io::Result<OwnedFd> {
    let path = path(paths, name);
    let is_pipe =
        || rustix::fs::lstat(&path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
    if !is_pipe() {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match make(&path) {
            // Prepared at this very moment.
            Err(_) if is_pipe() => {}
            made => made?,
        }
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let receiver = rustix::fs::open(&path, flags, Mode::empty())?;
    #[cfg(target_os = "linux")]
    rustix::pipe::fcntl_setpipe_size(&receiver, ROOM).ok();
    Ok(receiver)
}

/// The end a service writes into. It can read as well, so that the death of the supervisor is no broken pipe to it.
pub(crate) fn writing(paths: &Paths, name: &str) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path(paths, name))
}
