//! Whether the logs will fill the disk: how fast they grow against what is free.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Eyes, Seen, lasting};
use crate::anomaly::slope;

/// Whether the logs will fill the disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// The disk is full within this, as they grow now: amber.
    pub amber: Period,
    /// The disk is full within this, as they grow now: red.
    pub red: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self { off: false, every: Period::mins(5), amber: Period::hours(48), red: Period::hours(6) }
    }
}

/// What they took, and when.
#[derive(Debug, Default)]
pub(super) struct Memory(VecDeque<(Timestamp, u64)>);

/// So many looks make a rate: an hour of them at the usual cadence.
const LOOKS: usize = 12;
/// Fewer say nothing.
const LEAST: usize = 4;

impl Config {
    pub(super) async fn look(&self, eyes: &Eyes, memory: &mut Memory) -> Seen {
        let logs = eyes.paths.logs();
        let looked = tokio::task::spawn_blocking(move || (size(&logs, 3), rustix::fs::statvfs(&logs))).await;
        let (size, free) = match looked {
            Ok((size, Ok(fs))) => (size, fs.f_bavail.saturating_mul(fs.f_frsize)),
            Ok((_, Err(rustix::io::Errno::NOENT))) => return Seen::green("there are no logs yet"),
            Ok((_, Err(error))) => return Seen::unknown(format!("the logs could not be looked at: {error}")),
            Err(_) => return Seen::unknown("the look itself failed"),
        };
        memory.0.push_back((eyes.clock.now(), size));
        while memory.0.len() > LOOKS {
            memory.0.pop_front();
        }
        self.judge(&memory.0, free)
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate of bytes")]
    fn judge(&self, known: &VecDeque<(Timestamp, u64)>, free: u64) -> Seen {
        let said = format!("{} MiB of logs", known.back().map_or(0, |(_, size)| size >> 20));
        let Some((first, _)) = known.front() else { return Seen::unknown(said) };
        let points: Vec<(f64, f64)> = known.iter().map(|(at, size)| (at.duration_since(*first).as_secs_f64(), *size as f64)).collect();
        let rate = if points.len() < LEAST { None } else { slope(&points) };
        let Some(rate) = rate.filter(|rate| *rate >= 1.0) else { return Seen::green(said) };
        let full = Duration::try_from_secs_f64(free as f64 / rate).unwrap_or(Duration::MAX);
        let said = format!("{said}, growing by {:.1} MiB/min: the disk is full in {}", rate * 60.0 / f64::from(1 << 20), lasting(full));
        let hint = "find who writes so much (`sanctum logs`), and stop it or give it less to say";
        match full {
            full if full < self.red.0 => Seen::red(said).hint(hint),
            full if full < self.amber.0 => Seen::amber(said).hint(hint),
            _ => Seen::green(format!("{} MiB of logs, growing slowly", known.back().map_or(0, |(_, size)| size >> 20))),
        }
    }
}

fn size(path: &Path, depth: u8) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?))).map(|(path, meta)| match meta.is_dir() {
        true if depth > 0 => size(&path, depth - 1),
        true => 0,
        false => meta.len(),
    }).sum()
}
