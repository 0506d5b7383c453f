//! Files that are whole or absent, and errors that name them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What could not be done, to which file.
#[derive(Debug, thiserror::Error)]
#[error("could not {what} `{}`", path.display())]
pub struct FileError {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl FileError {
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    pub(crate) fn on<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self { what, path: path.to_owned(), source }
    }
}

/// Replaces the contents of `path` atomically and durably; `mode` is its permission bits.
pub fn replace(path: &Path, contents: &[u8], mode: u32) -> Result<(), FileError> {
    let file = written(path, contents, mode)?;
    file.persist(path).map_err(|error| FileError::on("replace", path)(error.error))?;
    sync(path)
}

/// Replaces the contents of `path` atomically, but leaves it to the system when that reaches the disk: for what is of no use to
/// anybody after a power cut. It may be found empty then.
pub fn place(path: &Path, contents: &[u8], mode: u32) -> Result<(), FileError> {
    let file = unsynced(path, contents, mode)?;
    file.persist(path).map(drop).map_err(|error| FileError::on("replace", path)(error.error))
}

/// Writes `path` atomically and durably unless it is there already; who comes second changes nothing.
pub fn create(path: &Path, contents: &[u8], mode: u32) -> Result<(), FileError> {
    if path.exists() {
        return Ok(());
    }
    match written(path, contents, mode)?.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => {
            Err(FileError::on("write", path)(error.error))
        }
        _ => sync(path),
    }
}

fn written(path: &Path, contents: &[u8], mode: u32) -> Result<tempfile::NamedTempFile, FileError> {
    let file = unsynced(path, contents, mode)?;
    file.as_file().sync_all().map_err(FileError::on("write", path))?;
    Ok(file)
}

fn unsynced(path: &Path, contents: &[u8], mode: u32) -> Result<tempfile::NamedTempFile, FileError> {
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(FileError::on("write into", dir))?;
    file.write_all(contents).map_err(FileError::on("write", path))?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(mode))
        .map_err(FileError::on("protect", path))?;
    Ok(file)
}

fn sync(path: &Path) -> Result<(), FileError> {
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(FileError::on("sync", dir))
}

/// Reads a whole text file.
pub fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(FileError::on("read", path))
}

/// Makes a directory and its parents, readable by its owner only.
pub fn private_dir(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FileError::on("make", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(FileError::on("protect", path))
}

/// Opens a file for appending, readable by its owner only.
pub fn append(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(FileError::on("append to", path))
}

/// Removes a file; absent is fine.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::on("remove", path)(error)),
        _ => Ok(()),
    }
}
