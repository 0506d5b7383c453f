//! The usage log: one line of JSONL for every request, and what is computed from it.
//!
//! A day has its file, `2026-11-22.jsonl`, and a long day more of them (`2026-11-22.1.jsonl`). A line belongs to the
//! local day its request began on, so that the files of a day add up to the money of that day. The files are the truth:
//! sums are kept beside them only to start quickly, and counted anew whenever they do not fit.
//!
//! A request takes its [`Slot`] before it begins, makes one [`Reservation`](crate::budget::Reservation) (changed from candidate
//! to candidate, never a second one), ties its [`Line`] to it with [`Line::of`], settles, and gives the line to the slot. What
//! happens to it in between, also the death of the process, it then has exactly one line.

mod cells;
mod checkpoint;
mod count;
mod files;
mod line;
mod log;
mod queue;
mod rows;
mod start;
mod writer;

pub use line::{Attempt, Finish, Line, Source, Tokens, Word};
pub use log::{Log, LogError, Parts, Slot};
pub use rows::{By, report, rows};

use sanctum_kernel::Size;
use schemars::JsonSchema;
use serde::Deserialize;

/// How the usage log is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Days of the usage log that are kept; older files are removed. 0 keeps them all.
    pub keep_days: u32,
    /// The largest file of the usage log; a longer day goes on in another one.
    pub file_size: Size,
}

impl Default for Config {
    fn default() -> Self {
        Self { keep_days: 400, file_size: Size::mib(256) }
    }
}
