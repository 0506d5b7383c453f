//! Files of the vault, as the disk has them: whole or absent, never followed out of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::rel::Rel;

/// How a file looked when it was read: as long as it looks the same, it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i128,
    pub(crate) inode: u64,
}

impl Stat {
    pub(crate) fn of(meta: &fs::Metadata) -> Self {
        let modified = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        Self { size: meta.len(), modified, inode: meta.ino() }
    }
}

/// What was found at a path.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) stat: Stat,
    pub(crate) bytes: Vec<u8>,
    /// The file is longer.
    pub(crate) cut: bool,
}

/// How names of files that are being written begin; whoever dies leaves one behind.
pub(crate) const UNFINISHED: &str = ".sanctum-";

/// Reads a plain file up to `most` bytes; a link, a pipe or a folder is none.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Seen> {
    // A pipe would make whoever opens it wait.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"));
    }
    let stat = Stat::of(&meta);
    let mut bytes = Vec::with_capacity(usize::try_from(stat.size.min(most)).unwrap_or(0));
    (&mut file).take(most).read_to_end(&mut bytes)?;
    Ok(Seen { cut: stat.size > most, stat, bytes })
}

/// Whether there is a plain file.
pub(crate) fn stat(path: &Path) -> Option<Stat> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|meta| Stat::of(&meta))
}

/// Whether there is surely no plain file. One that cannot be seen is not gone.
pub(crate) fn is_gone(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(meta) => !meta.is_file(),
        Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

/// Writes a new file, durable and proven when this returns; `AlreadyExists` if somebody was first.
pub(crate) fn create(root: &Path, rel: &Rel, bytes: &[u8]) -> io::Result<Stat> {
    let path = root.join(rel.as_str());
    folders(root, rel)?;
    let file = unfinished(&path, bytes, 0o600)?;
    let placed = file.persist_noclobber(&path).map_err(|error| error.error)?;
    finish(&path, placed, bytes)
}

/// Puts other bytes in the place of a file, durable and proven when this returns: whoever reads it sees all of the old or
/// all of the new.
pub(crate) fn replace(root: &Path, rel: &Rel, bytes: &[u8]) -> io::Result<Stat> {
    let path = root.join(rel.as_str());
    folders(root, rel)?;
    let mode = fs::symlink_metadata(&path).map_or(0o600, |meta| meta.permissions().mode() & 0o777);
    let placed = unfinished(&path, bytes, mode)?.persist(&path).map_err(|error| error.error)?;
    finish(&path, placed, bytes)
}

fn unfinished(path: &Path, bytes: &[u8], mode: u32) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).suffix(".tmp").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn finish(path: &Path, placed: File, bytes: &[u8]) -> io::Result<Stat> {
    sync_folder(path)?;
    drop(placed);
    let seen = read(path, u64::MAX)?;
    if seen.bytes == bytes {
        return Ok(seen.stat);
    }
    Err(io::Error::other("what was written is not what is read"))
}

/// Moves a file to a place where there is none.
pub(crate) fn rename(root: &Path, from: &Rel, to: &Rel) -> io::Result<Stat> {
    let (old, new) = (root.join(from.as_str()), root.join(to.as_str()));
    folders(root, to)?;
    let cwd = rustix::fs::CWD;
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    match rustix::fs::renameat_with(cwd, &old, cwd, &new, flags) {
        Ok(()) => {}
        // Some file systems do not know how; a second name does the same in two steps.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            fs::hard_link(&old, &new)?;
            fs::remove_file(&old)?;
        }
        Err(error) => return Err(error.into()),
    }
    sync_folder(&new)?;
    sync_folder(&old)?;
    stat(&new).ok_or_else(|| io::Error::other("what was moved is not there"))
}

/// Removes a file for good.
pub(crate) fn remove(root: &Path, rel: &Rel) -> io::Result<()> {
    let path = root.join(rel.as_str());
    guarded(root, rel)?;
    fs::remove_file(&path)?;
    sync_folder(&path)?;
    if stat(&path).is_some() { Err(io::Error::other("what was removed is still there")) } else { Ok(()) }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

/// Makes the folders of a file, and refuses the way through a link.
fn folders(root: &Path, rel: &Rel) -> io::Result<()> {
    let mut at = root.to_owned();
    for part in rel.folder().split('/').filter(|part| !part.is_empty()) {
        let parent = at.clone();
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(not_a_folder(&at)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match fs::DirBuilder::new().mode(0o700).create(&at) {
                    // Another writer was first.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    made => made?,
                }
                File::open(&parent)?.sync_all()?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// No part of the way to a file is a link.
pub(crate) fn guarded(root: &Path, rel: &Rel) -> io::Result<()> {
    let mut at: PathBuf = root.to_owned();
    for part in rel.folder().split('/').filter(|part| !part.is_empty()) {
        at.push(part);
        if !fs::symlink_metadata(&at)?.is_dir() {
            return Err(not_a_folder(&at));
        }
    }
    Ok(())
}

fn not_a_folder(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotADirectory, format!("`{}` is not a folder", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rel(text: &str) -> Rel {
        Rel::parse(text).unwrap()
    }

    #[test]
    fn who_comes_second_finds_the_place_taken() {
        let root = tempfile::tempdir().unwrap();
        create(root.path(), &rel("a/b/c.md"), b"one").unwrap();
        let error = create(root.path(), &rel("a/b/c.md"), b"two").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&root.path().join("a/b/c.md"), 10).unwrap().bytes, b"one");
        create(root.path(), &rel("a/d.md"), b"three").unwrap();
        let error = rename(root.path(), &rel("a/d.md"), &rel("a/b/c.md")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let left: Vec<_> = fs::read_dir(root.path().join("a/b")).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing unfinished is left");
    }

    #[test]
    fn no_link_leads_out_and_no_pipe_holds_up() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("way")).unwrap();
        assert!(create(root.path(), &rel("way/out.md"), b"x").is_err());
        assert!(replace(root.path(), &rel("way/out.md"), b"x").is_err());
        assert!(!outside.path().join("out.md").exists());
        std::os::unix::fs::symlink("/etc/hostname", root.path().join("link.md")).unwrap();
        assert!(read(&root.path().join("link.md"), 10).is_err());
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.path().join("pipe.md"),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        )
        .unwrap();
        assert!(read(&root.path().join("pipe.md"), 10).is_err());
    }

    #[test]
    fn a_file_keeps_its_rights_when_it_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        create(root.path(), &rel("a.md"), b"one").unwrap();
        let path = root.path().join("a.md");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let before = stat(&path).unwrap();
        let after = replace(root.path(), &rel("a.md"), b"two").unwrap();
        assert_ne!(before, after);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
