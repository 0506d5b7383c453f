//! What is remembered of jobs: which times were dealt with, how the last run ended, and which ran in this house already.

mod times;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use sanctum_api::supervise::LastRun;
use sanctum_kernel::Paths;
use sanctum_kernel::files::{self, FileError};
use serde::{Deserialize, Serialize};

use crate::{failures, kept};
pub(crate) use times::{Times, Verdict};

/// The book of all jobs.
#[derive(Debug)]
pub(crate) struct Jobs {
    book: PathBuf,
    records: BTreeMap<String, Record>,
    /// Of this house, until it goes down: a supervisor that is started again does not run them twice.
    done_path: PathBuf,
    done: Done,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Record {
    /// Every time up to this one has been dealt with.
    #[serde(default)]
    until: Option<Timestamp>,
    #[serde(default)]
    last: Option<LastRun>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Done {
    boot: String,
    /// By name: what was run, as [`crate::Plan::signature`] has it.
    jobs: BTreeMap<String, String>,
}

impl Jobs {
    /// Reads what there is. A file that makes no sense is put aside and named.
    pub(crate) fn load(paths: &Paths, aside: &mut Vec<String>) -> Result<Self, FileError> {
        let (book, done_path) =
            (paths.state().join("supervise-jobs.json"), paths.run().join("supervise-done.json"));
        let done: Done = kept::load(&done_path, aside)?;
        let boot = failures::boot();
        let done = if done.boot == boot { done } else { Done { boot, ..Done::default() } };
        Ok(Self { records: kept::load(&book, aside)?, book, done_path, done })
    }

    pub(crate) fn last(&self, name: &str) -> Option<&LastRun> {
        self.records.get(name)?.last.as_ref()
    }

    /// Up to when the times of a job have been dealt with. One that is new begins now; one that is ahead of the clock by far
    /// was written while the clock was wrong.
    pub(crate) fn until(&mut self, name: &str, now: Timestamp) -> Timestamp {
        let record = self.records.entry(name.to_owned()).or_default();
        let until = record.until.filter(|until| until.duration_since(now).as_secs() <= AHEAD).unwrap_or(now);
        record.until = Some(until);
        until
    }

    pub(crate) fn dealt_with(&mut self, name: &str, until: Timestamp) -> Result<(), FileError> {
        self.records.entry(name.to_owned()).or_default().until = Some(until);
        kept::save(&self.book, &self.records)
    }

    /// A run is over. `once` is what was run, for a job that runs once.
    pub(crate) fn ended(&mut self, name: &str, run: LastRun, once: Option<String>) -> Result<(), FileError> {
        if let Some(signature) = once {
            match run.well {
                true => drop(self.done.jobs.insert(name.to_owned(), signature)),
                false => drop(self.done.jobs.remove(name)),
            }
            kept::save(&self.done_path, &self.done)?;
        }
        self.records.entry(name.to_owned()).or_default().last = Some(run);
        kept::save(&self.book, &self.records)
    }

    /// Whether exactly this has run in this house.
    pub(crate) fn is_done(&self, name: &str, signature: &str) -> bool {
        self.done.jobs.get(name).is_some_and(|done| done == signature)
    }

    /// The house goes down: the next one runs them again.
    pub(crate) fn forget_done(&self) {
        files::remove(&self.done_path).ok();
    }
}

/// A clock may be set back by this much, in seconds, without a job being repeated.
const AHEAD: i64 = 3600;
