//! Open breakers, kept in a file so that neither a restart nor a reboot closes them; and what people were told of each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use sanctum_api::supervise::{Locked, Teller};
use sanctum_kernel::Paths;
use sanctum_kernel::files::FileError;
use serde::{Deserialize, Serialize};

use crate::kept;

/// Which services are locked, and why.
#[derive(Debug)]
pub(crate) struct Locks {
    path: PathBuf,
    all: BTreeMap<String, Lock>,
}

/// One of them; also one that is open again while people still believe that it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lock {
    at: Timestamp,
    reason: String,
    last_lines: Vec<String>,
    /// A version that did not write this told people at once.
    #[serde(default = "by_us")]
    told: Option<Teller>,
    /// The supervisor's own notice is known to be kept by the hub, or in its spool.
    #[serde(default = "yes")]
    sent: bool,
    /// It was unlocked; people who were told of it are to be told so when it is ready.
    #[serde(default)]
    over: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "a default has the type of its field")]
const fn by_us() -> Option<Teller> {
    Some(Teller::Supervise)
}

const fn yes() -> bool {
    true
}

impl Locks {
    /// Reads the file. One that makes no sense is put aside and named.
    pub(crate) fn load(paths: &Paths, aside: &mut Vec<String>) -> Result<Self, FileError> {
        let path = paths.state().join("supervise-locked.json");
        let all = kept::load(&path, aside)?;
        Ok(Self { path, all })
    }

    /// Why it is locked, if it is.
    pub(crate) fn get(&self, name: &str) -> Option<Locked> {
        self.all.get(name).filter(|lock| !lock.over).map(|lock| Locked {
            at: lock.at,
            reason: lock.reason.clone(),
            last_lines: lock.last_lines.clone(),
            told: lock.told,
        })
    }

    /// It is locked. People who were told by the supervisor of its last lock, and of no end of it, are told by it again.
    pub(crate) fn lock(&mut self, name: &str, locked: Locked) -> Result<(), FileError> {
        let Locked { at, reason, last_lines, told } = locked;
        let ours = self.is_over(name).is_some();
        let told = if ours { by_us() } else { told };
        self.all.insert(name.to_owned(), Lock { at, reason, last_lines, told, sent: false, over: false });
        self.save()
    }

    /// It is unlocked. What the supervisor has told stays until it has taken it back.
    pub(crate) fn unlock(&mut self, name: &str) -> Result<(), FileError> {
        match self.all.get_mut(name) {
            Some(lock) if lock.told == by_us() => lock.over = true,
            Some(_) => drop(self.all.remove(name)),
            None => return Ok(()),
        }
        self.save()
    }

    /// From now on this is the matter of `teller`.
    pub(crate) fn tells(&mut self, name: &str, teller: Teller) -> Result<(), FileError> {
        let Some(lock) = self.all.get_mut(name) else { return Ok(()) };
        lock.told = Some(teller);
        self.save()
    }

    /// The notice of the lock of that moment is kept.
    pub(crate) fn sent(&mut self, name: &str, at: Timestamp) -> Result<(), FileError> {
        let Some(lock) = self.all.get_mut(name).filter(|lock| lock.at == at && !lock.sent) else {
            return Ok(());
        };
        lock.sent = true;
        self.save()
    }

    /// Whether the supervisor has to tell people of the lock and nobody knows that it has.
    pub(crate) fn is_unsent(&self, name: &str) -> bool {
        self.all.get(name).is_some_and(|lock| !lock.over && lock.told == by_us() && !lock.sent)
    }

    /// When it was locked, if it is no more and people have to be told so.
    pub(crate) fn is_over(&self, name: &str) -> Option<Timestamp> {
        self.all.get(name).filter(|lock| lock.over).map(|lock| lock.at)
    }

    /// People know that the lock of that moment is over.
    pub(crate) fn forget(&mut self, name: &str, at: Timestamp) -> Result<(), FileError> {
        if self.is_over(name) != Some(at) {
            return Ok(());
        }
        self.all.remove(name);
        self.save()
    }

    fn save(&self) -> Result<(), FileError> {
        kept::save(&self.path, &self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(second: i64, told: Option<Teller>) -> Locked {
        let at = Timestamp::from_second(second).unwrap();
        Locked { at, reason: "it failed".to_owned(), last_lines: Vec::new(), told }
    }

    fn of(dir: &std::path::Path) -> Locks {
        let paths = Paths::new(dir);
        paths.prepare().unwrap();
        Locks::load(&paths, &mut Vec::new()).unwrap()
    }

    #[test]
    fn a_file_of_an_earlier_version_was_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = of(dir.path()).path;
        let old = r#"{"app":{"at":"2026-11-22T00:00:00Z","reason":"it failed","last_lines":["a"]}}"#;
        sanctum_kernel::files::replace(&path, old.as_bytes(), 0o600).unwrap();
        let locks = of(dir.path());
        assert_eq!(locks.get("app").unwrap().told, Some(Teller::Supervise));
        assert!(!locks.is_unsent("app"));
    }

    #[test]
    fn who_has_told_of_a_lock_tells_of_its_end_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut locks = of(dir.path());
        let at = |second| Timestamp::from_second(second).unwrap();
        for name in ["ours", "theirs", "nobodys"] {
            locks.lock(name, locked(1, None)).unwrap();
        }
        locks.tells("ours", Teller::Supervise).unwrap();
        locks.tells("theirs", Teller::Watch).unwrap();
        let mut locks = of(dir.path());
        assert!(locks.is_unsent("ours") && !locks.is_unsent("theirs") && !locks.is_unsent("nobodys"));
        locks.sent("ours", at(7)).unwrap();
        assert!(locks.is_unsent("ours"), "that was another lock");
        locks.sent("ours", at(1)).unwrap();
        for name in ["ours", "theirs", "nobodys"] {
            locks.unlock(name).unwrap();
            assert_eq!(locks.get(name), None);
        }
        let mut locks = of(dir.path());
        assert_eq!(
            (locks.is_over("ours"), locks.is_over("theirs"), locks.is_over("nobodys")),
            (Some(at(1)), None, None)
        );
        // It fails again before anybody was told that it is over: the same people are told.
        locks.lock("ours", locked(2, None)).unwrap();
        assert_eq!(locks.get("ours").unwrap().told, Some(Teller::Supervise));
        assert!(locks.is_unsent("ours"));
        locks.unlock("ours").unwrap();
        locks.forget("ours", at(1)).unwrap();
        assert_eq!(locks.is_over("ours"), Some(at(2)));
        locks.forget("ours", at(2)).unwrap();
        assert_eq!(of(dir.path()).all, BTreeMap::new());
    }
}
