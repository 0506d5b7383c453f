//! When the last backup was written: the newest file of each place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Eyes, Seen, lasting};

/// When the last backup was written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// What a backup writes: a file, or a directory whose newest file counts.
    pub paths: Vec<PathBuf>,
    /// Older than this is amber.
    pub amber: Period,
    /// Older than this is red.
    pub red: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self { off: false, every: Period::mins(10), paths: Vec::new(), amber: Period::hours(26), red: Period::hours(74) }
    }
}

/// Nothing is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory;

impl Config {
    pub(super) async fn look(&self, eyes: &Eyes, _: &mut Memory) -> Seen {
        if self.paths.is_empty() {
            let hint = "set `paths` in `[watch.sentinel.backup-age]` to what your backup writes";
            return Seen::unknown("no backup is declared").hint(hint);
        }
        let (config, now) = (self.clone(), eyes.clock.now());
        eyes.aside(move || Seen::worst(config.paths.iter().map(|path| config.one(path, now)).collect(), config.good(now))).await
    }

    fn good(&self, now: Timestamp) -> String {
        let oldest = self.paths.iter().filter_map(|path| age(path, now)).max().unwrap_or_default();
        format!("written {} ago", lasting(oldest))
    }

    fn one(&self, path: &Path, now: Timestamp) -> Seen {
        let Some(age) = age(path, now) else {
            let hint = "look whether the disk it is on is there, and whether the backup ran";
            return Seen::red(format!("there is no backup at {}", path.display())).hint(hint);
        };
        let said = format!("the newest of {} is {} old", path.display(), lasting(age));
        let hint = "look why the backup did not run";
        match age {
            age if age > self.red.0 => Seen::red(said).hint(hint),
            age if age > self.amber.0 => Seen::amber(said).hint(hint),
            _ => Seen::green(said),
        }
    }
}

/// Deep enough for `host/date/file`.
const DEPTH: u8 = 4;

fn age(path: &Path, now: Timestamp) -> Option<Duration> {
    let newest = newest(path, DEPTH)?;
    Some(Duration::try_from(now.duration_since(newest)).unwrap_or_default())
}

fn newest(path: &Path, depth: u8) -> Option<Timestamp> {
    let meta = std::fs::metadata(path).ok()?;
    if meta.is_file() {
        // An empty file is what a backup leaves that has failed.
        return (meta.len() > 0).then(|| Timestamp::try_from(meta.modified().ok()?).ok()).flatten();
    }
    if depth == 0 {
        return None;
    }
    std::fs::read_dir(path).ok()?.flatten().filter_map(|entry| newest(&entry.path(), depth - 1)).max()
}
