//! Heartbeats that are earned: a file in `run/` that moves only when the loop whose life it stands for has turned once
//! more. Whoever watches needs nothing else of the house, and no clock.
//!
//! A beat names its writer by number and birth and counts; a copy, a writer that froze or somebody who merely goes on
//! touching the file proves nothing. A key would prove no more: every process that may write here could read it as well.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Paths;
use crate::process::born;

/// Every beat takes this much: it is written over the one before, which needs no room on a full disk.
const ROOM: usize = 2048;
/// How long one that should be there may be missing.
const MISSING: Duration = Duration::from_mins(2);

/// What a heart writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    pub pid: u32,
    /// As [`born`] says it.
    pub born: Option<String>,
    /// One more with every beat of this writer.
    pub sequence: u64,
    /// The longest pause between two beats, in milliseconds, that is no reason to worry.
    pub within_ms: u64,
    /// It ended in good order: its silence means nothing.
    pub over: bool,
    /// Other hearts that its writer answers for: they must beat as well.
    #[serde(default)]
    pub keeps: Vec<String>,
}

impl Beat {
    /// Whether its writer still runs.
    pub fn lives(&self) -> bool {
        born(self.pid).is_some() && born(self.pid) == self.born
    }
}

fn path(paths: &Paths, name: &str) -> PathBuf {
    paths.run().join(format!("{name}.beat"))
}

/// Beats from [`Heart::begin`] on. Dropped without [`Heart::end`], it has stopped, and somebody should ask why.
#[derive(Debug)]
pub struct Heart {
    file: File,
    path: PathBuf,
    beat: Beat,
}

impl Heart {
    /// Says who beats, and how long it may pause at most.
    ///
    /// # Errors
    /// The file can neither be made nor written over.
    pub fn begin(paths: &Paths, name: &str, within: Duration) -> io::Result<Self> {
        let pid = std::process::id();
        let born = born(pid);
        // A program that replaces itself goes on counting.
        let last = match look(paths, name) {
            Sight::Beats { beat, .. } if beat.pid == pid && beat.born == born => beat.sequence,
            _ => 0,
        };
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let beat = Beat { pid, born, sequence: last + 1, within_ms, over: false, keeps: Vec::new() };
        let path = path(paths, name);
        let file = beat.place(&path)?;
        Ok(Self { file, path, beat })
    }

    /// From the next beat on it answers for these as well.
    pub fn keep(&mut self, keeps: Vec<String>) {
        self.beat.keeps = keeps;
    }

    /// One more. A disk that takes nothing at all is no reason to look dead: then only the file's time moves.
    pub fn beat(&mut self) {
        self.beat.sequence += 1;
        // Somebody tidied up.
        if !self.path.exists()
            && let Ok(file) = self.beat.place(&self.path)
        {
            self.file = file;
            return;
        }
        if self.file.write_all_at(&self.beat.line(), 0).is_err() {
            let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
            let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
            rustix::fs::futimens(&self.file, &times).ok();
        }
    }

    /// The silence that follows is meant.
    pub fn end(mut self) {
        self.beat.over = true;
        self.beat();
    }
}

impl Beat {
    /// A new file in the place of the old one; where there is no room for it, over the old one.
    fn place(&self, path: &Path) -> io::Result<File> {
        let new = path.with_extension("beat.new");
        let made =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new).and_then(
                |mut file| {
                    file.write_all(&self.line())?;
                    // Whoever froze with the old file open can no longer speak for this one.
                    std::fs::rename(&new, path)?;
                    Ok(file)
                },
            );
        made.or_else(|error| {
            std::fs::remove_file(&new).ok();
            let file = OpenOptions::new().write(true).open(path).map_err(|_| error)?;
            file.write_all_at(&self.line(), 0)?;
            Ok(file)
        })
    }

    fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.resize(line.len().max(ROOM), b' ');
        line
    }
}

/// What changes with every sign of life, and means nothing else: who, how often, and the file's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub pid: u32,
    pub sequence: u64,
    pub time: (i64, i64),
}

/// What is to be seen of a heart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It never began, or somebody removed it.
    Nothing,
    /// It ended in good order.
    Over,
    Beats {
        beat: Beat,
        mark: Mark,
    },
    /// There is a file that holds no beat, such as after a power cut.
    Garbled,
}

/// Looks at the heart of this name.
pub fn look(paths: &Paths, name: &str) -> Sight {
    let path = path(paths, name);
    let Ok(stat) = std::fs::metadata(&path) else { return Sight::Nothing };
    let read = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Beat>(&text).ok());
    match read {
        None => Sight::Garbled,
        Some(beat) if beat.over => Sight::Over,
        Some(beat) => {
            let mark =
                Mark { pid: beat.pid, sequence: beat.sequence, time: (stat.mtime(), stat.mtime_nsec()) };
            Sight::Beats { beat, mark }
        }
    }
}

/// Every heart of a house, and since when each is silent, by the monotonic time of whoever asks.
#[derive(Debug, Default)]
pub struct Hearts {
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    /// The writer's number and the last count of it.
    last: Option<(u32, u64)>,
    since: Duration,
    within: Duration,
}

impl Hearts {
    /// What should beat and does not, in words: every heart that has begun here and did not end in good order, and every
    /// one that another answers for.
    pub fn look(&mut self, paths: &Paths, now: Duration) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(paths.run()) else { return Vec::new() };
        let names = entries
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".beat")?.to_owned()));
        let seen = names.map(|name| (look(paths, &name), name)).map(|(sight, name)| (name, sight));
        self.judge(&seen.collect(), now)
    }

    fn judge(&mut self, seen: &BTreeMap<String, Sight>, now: Duration) -> Vec<String> {
        let mut wanted: BTreeMap<&str, &Sight> = seen
            .iter()
            .filter(|(_, sight)| !matches!(sight, Sight::Over))
            .map(|(name, sight)| (name.as_str(), sight))
            .collect();
        let kept = seen.values().filter_map(|sight| match sight {
            Sight::Beats { beat, .. } => Some(&beat.keeps),
            _ => None,
        });
        for name in kept.flatten() {
            wanted.entry(name).or_insert(&Sight::Nothing);
        }
        self.known.retain(|name, _| wanted.contains_key(name.as_str()));
        wanted.into_iter().filter_map(|(name, sight)| self.late(name, sight, now)).collect()
    }

    fn late(&mut self, name: &str, sight: &Sight, now: Duration) -> Option<String> {
        let known =
            self.known.entry(name.to_owned()).or_insert(Known { last: None, since: now, within: MISSING });
        if let Sight::Beats { beat, .. } = sight {
            // A count that goes back is no sign of life of the same writer.
            let moved = known.last.is_none_or(|(pid, sequence)| pid != beat.pid || beat.sequence > sequence);
            if moved {
                (known.last, known.since) = (Some((beat.pid, beat.sequence)), now);
            }
            known.within = Duration::from_millis(beat.within_ms);
        }
        let silent = now.saturating_sub(known.since);
        (silent > known.within).then(|| match sight {
            Sight::Beats { .. } => format!("{name}: it has not finished a round for {} s", silent.as_secs()),
            _ => format!("{name}: there has been no sign of it for {} s", silent.as_secs()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(name: &str, pid: u32, sequence: u64, keeps: &[&str]) -> (String, Sight) {
        let keeps = keeps.iter().map(|&name| name.to_owned()).collect();
        let beat = Beat { pid, born: None, sequence, within_ms: 30_000, over: false, keeps };
        (name.to_owned(), Sight::Beats { beat, mark: Mark { pid, sequence, time: (0, 0) } })
    }

    #[test]
    fn d2_a_frozen_heart_is_named_and_no_other_speaks_for_it() {
        let mut hearts = Hearts::default();
        for second in 0..30 {
            let all = [seen("supervise", 1, 7, &[]), seen("watch", 2, second, &[])].into();
            assert_eq!(hearts.judge(&all, at(second)), [""; 0]);
        }
        let late = hearts.judge(&[seen("supervise", 1, 7, &[]), seen("watch", 2, 40, &[])].into(), at(31));
        assert_eq!(late, ["supervise: it has not finished a round for 31 s"]);
        // An old count is a copy, not a sign of life; another writer is.
        assert_eq!(hearts.judge(&[seen("supervise", 1, 6, &[])].into(), at(32)).len(), 1);
        assert!(hearts.judge(&[seen("supervise", 9, 1, &[])].into(), at(33)).is_empty());
    }

    #[test]
    fn d2_who_is_answered_for_must_beat_and_who_ended_in_good_order_need_not() {
        let mut hearts = Hearts::default();
        let keeper = |sequence| seen("supervise", 1, sequence, &["watch"]);
        assert!(hearts.judge(&[keeper(1)].into(), at(0)).is_empty());
        let late = hearts.judge(&[keeper(2)].into(), at(121));
        assert_eq!(late, ["watch: there has been no sign of it for 121 s"]);
        let over = [("supervise".to_owned(), Sight::Over), ("watch".to_owned(), Sight::Over)].into();
        assert!(hearts.judge(&over, at(500)).is_empty());
        // Garbled is not over.
        let garbled = || [("watch".to_owned(), Sight::Garbled)].into();
        assert!(hearts.judge(&garbled(), at(501)).is_empty());
        assert_eq!(hearts.judge(&garbled(), at(700)).len(), 1);
    }

    #[test]
    fn d1_a_heart_is_seen_as_it_is_written_and_takes_no_more_room() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::new(home.path());
        paths.prepare().unwrap();
        assert_eq!(look(&paths, "x"), Sight::Nothing);
        let mut heart = Heart::begin(&paths, "x", at(2)).unwrap();
        heart.keep(vec!["y".to_owned()]);
        heart.beat();
        let Sight::Beats { beat, mark } = look(&paths, "x") else { panic!("no beat") };
        assert!(beat.lives() && beat.keeps == ["y"]);
        heart.beat();
        let Sight::Beats { mark: next, .. } = look(&paths, "x") else { panic!("no beat") };
        assert_eq!(next.sequence, mark.sequence + 1);
        assert_eq!(std::fs::metadata(path(&paths, "x")).unwrap().len(), u64::try_from(ROOM).unwrap());
        // A program that replaced itself goes on counting.
        drop(heart);
        let heart = Heart::begin(&paths, "x", at(2)).unwrap();
        let Sight::Beats { mark: more, .. } = look(&paths, "x") else { panic!("no beat") };
        assert_eq!(more.sequence, next.sequence + 1);
        heart.end();
        assert_eq!(look(&paths, "x"), Sight::Over);
    }
}
