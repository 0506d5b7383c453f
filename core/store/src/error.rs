//! What can go wrong with a store, and what a person can do about it.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};

/// Which operation failed, on which database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("the disk is full: nothing more can be kept in `{}`", .0.display())]
    Full(PathBuf),
    #[error("`{}` cannot be written: the file or its file system is read-only", .0.display())]
    ReadOnly(PathBuf),
    #[error("`{}` is damaged or not a database", .0.display())]
    Damaged(PathBuf),
    #[error("`{}` was removed or replaced while it was in use", .0.display())]
    Gone(PathBuf),
    #[error("`{}` was written by a newer version (schema {found}, this one knows {known})", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("could not open `{}`: {reason}", path.display())]
    Open { path: PathBuf, reason: String },
    #[error("the disk under `{}` fails: {reason}", path.display())]
    Disk { path: PathBuf, reason: String },
    #[error("a statement failed on `{}`: {reason}", path.display())]
    Statement { path: PathBuf, reason: String },
    #[error("a job on `{}` panicked, and nothing of it was kept", .0.display())]
    Panicked(PathBuf),
    #[error("the store has stopped")]
    Stopped,
}

impl StoreError {
    pub(crate) fn of(path: &std::path::Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(path),
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(path),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(path),
            // SQLite knows a file system that became read-only under it only as a failure of the disk.
            Some(ErrorCode::SystemIoFailure) if !takes_writes(&path) => Self::ReadOnly(path),
            // A file system that turns read-only while it is written to, as ext4 does after an error, looks like this.
            Some(ErrorCode::SystemIoFailure) if is_read_only(&path) => Self::ReadOnly(path),
            Some(ErrorCode::SystemIoFailure) => Self::Disk { path, reason: error.to_string() },
            Some(ErrorCode::CannotOpen) => Self::Open { path, reason: error.to_string() },
            _ => Self::Statement { path, reason: error.to_string() },
        }
    }

    /// Whether it may go well later without anybody changing the request.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Full(_) | Self::ReadOnly(_) | Self::Disk { .. } | Self::Gone(_) | Self::Stopped)
    }

    /// The HTTP status of a request that failed because of it: 507 (RFC 4918 §11.5) for a full disk, 503 for what may
    /// go well when it is sent again, 500 for the rest.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Full(_) => 507,
            _ if self.is_temporary() => 503,
            _ => 500,
        }
    }

    /// What to do about it.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Full(_) => Some("free some space on that disk; what was refused must be sent again"),
            Self::ReadOnly(_) => Some(
                "give the user who runs the house the right to write there, or remount the file system read-write",
            ),
            Self::Disk { .. } => {
                Some("look at the disk and at the system's log; what was refused must be sent again")
            }
            Self::Damaged(_) => {
                Some("move the file aside and restore it from a backup; the service starts empty without it")
            }
            Self::Gone(_) => {
                Some("`sanctum down`, put the file back from a backup or go without it, then `sanctum up`")
            }
            Self::Newer { .. } => {
                Some("run the newer version again, or restore the backup from before the upgrade")
            }
            _ => None,
        }
    }

    /// As an error that carries its own hint, for what is printed when a service cannot start.
    pub fn hinted(self) -> Failure {
        match self.hint() {
            Some(hint) => {
                Box::new(Hinted::new(exit::CANNOT_CREATE, "could not open the store", hint).because(self))
            }
            None => Box::new(self),
        }
    }
}

/// Whether the database and its log can be opened for writing now; nothing is written.
fn takes_writes(path: &std::path::Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    [path.as_os_str(), &log].iter().all(|file| {
        let opened = std::fs::OpenOptions::new().write(true).open(file);
        !opened.is_err_and(|error| {
            matches!(
                error.kind(),
                std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied
            )
        })
    })
}

/// Whether nothing can be made beside `path` because its file system is read-only. Opening says nothing: a file system
/// that gave up after an error lets files be opened for writing and refuses to write.
fn is_read_only(path: &std::path::Path) -> bool {
    let probe = path.with_extension("probe");
    match std::fs::File::create_new(&probe) {
        Ok(_) => {
            std::fs::remove_file(&probe).ok();
            false
        }
        Err(error) => error.kind() == std::io::ErrorKind::ReadOnlyFilesystem,
    }
}
