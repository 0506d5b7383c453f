//! A lock that a git which died has left behind.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::time::Instant;

/// A lock that is older than this, while no git runs, is nobody's.
const OLD: Duration = Duration::from_mins(1);

/// Locks that were in the way, and since when.
#[derive(Debug, Default)]
pub(crate) struct Locks(HashMap<PathBuf, Instant>);

impl Locks {
    /// Removes those of `paths` that nobody can be holding; says which.
    pub(crate) async fn clear(&mut self, paths: &[PathBuf]) -> Vec<PathBuf> {
        let mut removed = Vec::new();
        for path in paths {
            let Ok(meta) = fs::symlink_metadata(path) else {
                self.0.remove(path);
                continue;
            };
            let watched = self.0.entry(path.clone()).or_insert_with(Instant::now).elapsed();
            // A clock that went back says nothing of its age; then it counts from when it was first seen.
            let age =
                meta.modified().ok().and_then(|made| made.elapsed().ok()).unwrap_or_default().max(watched);
            if age >= OLD && !git_runs().await && fs::remove_file(path).is_ok() {
                self.0.remove(path);
                removed.push(path.clone());
            }
        }
        removed
    }
}

/// Whether any git runs on this machine. Whose it is cannot be told for sure: then its locks are left alone.
async fn git_runs() -> bool {
    if Path::new("/proc/self/comm").exists() {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        return entries.map(|entry| entry.path().join("comm")).any(|comm| {
            fs::read_to_string(comm).is_ok_and(|name| name.trim() == "git" || name.starts_with("git-"))
        });
    }
    let listed =
        tokio::process::Command::new("ps").args(["-A", "-o", "comm="]).stdin(Stdio::null()).output().await;
    listed.is_ok_and(|listed| {
        String::from_utf8_lossy(&listed.stdout)
            .lines()
            .any(|line| line.trim() == "git" || line.ends_with("/git"))
    })
}
