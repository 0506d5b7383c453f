//! The kill switch: a file. While it is there, nothing is healed.

use std::path::PathBuf;

use sanctum_kernel::Paths;
use sanctum_kernel::files::{self, FileError};

/// `$SANCTUM_HOME/heal.off`.
pub fn path(paths: &Paths) -> PathBuf {
    paths.home().join("heal.off")
}

/// What it says, if it is there. One that cannot be read switches off as well.
pub fn words(paths: &Paths) -> Option<String> {
    let path = path(paths);
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        _ => Some(files::read(&path).unwrap_or_default().chars().take(200).collect()),
    }
}

/// Switches healing off; `why` is shown wherever something is refused for it. It is there when this returns.
pub fn off(paths: &Paths, why: &str) -> Result<(), FileError> {
    files::replace(&path(paths), why.as_bytes(), 0o600)
}

/// Switches it on again.
pub fn on(paths: &Paths) -> Result<(), FileError> {
    files::remove(&path(paths))
}
