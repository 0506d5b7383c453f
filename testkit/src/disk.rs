//! File systems that are small, or that cannot be written, for as long as a test needs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mount of its own, gone with this value.
#[derive(Debug)]
pub struct Mount(PathBuf);

impl Mount {
    /// Two megabytes in memory.
    pub fn small(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        run(&["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", &text(path)]);
        Self(path.to_owned())
    }

    /// The same place, but nothing can be written there. What is open for writing already is refused by the kernel.
    pub fn read_only(path: &Path) -> Self {
        run(&["mount", "--bind", &text(path), &text(path)]);
        let bound = Self(path.to_owned());
        run(&["mount", "-o", "remount,bind,ro", &text(path)]);
        bound
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run(&["umount", "-l", &text(&self.0)]);
    }
}

/// An ext4 of its own in a file, where `chattr` can take every right to write away while a file is open.
#[derive(Debug)]
pub struct Disk {
    mount: Mount,
    image: tempfile::NamedTempFile,
}

impl Disk {
    /// Sixteen megabytes.
    pub fn mount(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(16 * 1024 * 1024).unwrap();
        run(&["mkfs.ext4", "-q", "-F", &text(image.path())]);
        run(&["mount", "-o", "loop", &text(image.path()), &text(path)]);
        Self { mount: Mount(path.to_owned()), image }
    }

    /// From now on, or no longer, every write to the database fails, as root as well.
    pub fn read_only(&self, database: &str, on: bool) {
        for end in ["", "-wal"] {
            let file = self.mount.path().join(format!("{database}{end}"));
            run(&["chattr", if on { "+i" } else { "-i" }, &text(&file)]);
        }
    }

    /// The file that holds it all.
    pub fn image(&self) -> &Path {
        self.image.path()
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn run(words: &[&str]) {
    let [program, rest @ ..] = words else { return };
    let output = Command::new(program)
        .args(rest)
        .output()
        .unwrap_or_else(|error| panic!("`{program}` is needed: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test needs root: {words:?}: {said}");
}
