//! Files: putting aside, putting back, closing, room; each read back.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use ring::digest;
use sanctum_kernel::trace::hex;
use sanctum_kernel::{Chain, files};

/// What cannot be done, to which file.
pub(crate) fn on<'a, E: std::error::Error + 'static>(
    what: &'a str,
    path: &'a Path,
) -> impl FnOnce(E) -> String + 'a {
    move |error| format!("could not {what} `{}`: {}", path.display(), Chain(&error))
}

/// The contents by their SHA-256.
pub(crate) fn fingerprint(path: &Path) -> Result<String, String> {
    let mut file = open(path).map_err(on("read", path))?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut bite = vec![0; 64 * 1024];
    loop {
        match file.read(&mut bite).map_err(on("read", path))? {
            0 => return Ok(hex(context.finish().as_ref())),
            taken => context.update(bite.get(..taken).unwrap_or_default()),
        }
    }
}

/// Opens a file for reading, never through a link.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Copies a file with its permissions and owner; what is at `to` is replaced whole. Returns what was copied, by its SHA-256.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<String, String> {
    let file = open(from).map_err(on("read", from))?;
    copy_of(&file, from, to)
}

fn copy_of(file: &File, from: &Path, to: &Path) -> Result<String, String> {
    let metadata = file.metadata().map_err(on("read", from))?;
    if !metadata.is_file() {
        return Err(format!("`{}` is no file", from.display()));
    }
    let parent = to.parent().unwrap_or_else(|| Path::new("."));
    let new = parent.join(format!(".{}.new", hex(&sanctum_kernel::trace::random::<6>())));
    let written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
    let mut out = written.map_err(on("write", &new))?;
    let copied = pour(file, &mut out)
        .and_then(|found| {
            out.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
            // Only root may give away a file; for everybody else it is theirs already.
            std::os::unix::fs::fchown(&out, Some(metadata.uid()), Some(metadata.gid())).ok();
            out.sync_all()?;
            Ok(found)
        })
        .and_then(|found| fs::rename(&new, to).map(|()| found));
    if copied.is_err() {
        files::remove(&new).ok();
    }
    copied.map_err(on("write", to))
}

/// From its beginning to its end, whatever its position is.
fn pour(from: &File, to: &mut File) -> io::Result<String> {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut bite = vec![0; 64 * 1024];
    let mut at = 0;
    loop {
        let taken = from.read_at(&mut bite, at)?;
        let bite = bite.get(..taken).unwrap_or_default();
        if bite.is_empty() {
            return Ok(hex(context.finish().as_ref()));
        }
        context.update(bite);
        to.write_all(bite)?;
        at += u64::try_from(taken).unwrap_or_default();
    }
}

/// Puts a copy of `from` at `aside`, and reads it back.
pub(crate) fn keep_aside(from: &Path, aside: &Path) -> Result<(), String> {
    let file = open(from).map_err(on("read", from))?;
    keep_aside_of(&file, from, aside)
}

/// The same for a file that is open.
pub(crate) fn keep_aside_of(file: &File, from: &Path, aside: &Path) -> Result<(), String> {
    let parent = aside.parent().unwrap_or_else(|| Path::new("."));
    files::private_dir(parent).map_err(|error| Chain(&error).to_string())?;
    if copy_of(file, from, aside)? == fingerprint(aside)? {
        Ok(())
    } else {
        Err(format!("the copy of `{}` that was put aside is not like it", from.display()))
    }
}

/// Permission bits.
pub(crate) fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::symlink_metadata(path)?.mode() & 0o7777)
}

/// Sets permission bits of a file or folder, never through a link, and reads them back.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), String> {
    let file = open(path).map_err(on("open", path))?;
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(on("protect", path))?;
    let now = file.metadata().map_err(on("look at", path))?.mode() & 0o7777;
    if now == mode { Ok(()) } else { Err(format!("`{}` has the mode {now:o} still", path.display())) }
}

/// Bytes that may still be written by ordinary users, and all there are, on the file system of `path`.
pub(crate) fn room(path: &Path) -> Result<(u64, u64), String> {
    let found = rustix::fs::statvfs(path).map_err(on("look at the file system of", path))?;
    Ok((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

/// Bytes as people read them.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    units
        .iter()
        .find(|(shift, _)| bytes >> shift > 0)
        .map_or_else(|| format!("{bytes} B"), |(shift, unit)| format!("{} {unit}", bytes >> shift))
}
