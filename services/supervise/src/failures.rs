//! What the breakers have counted, kept so that the supervisor's own restart is no way around them. Ages are measured on
//! a clock that nobody can set and that runs while the machine sleeps; the time a machine is off does not count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sanctum_kernel::files::FileError;
use serde::{Deserialize, Serialize};

use crate::engine::Past;
use crate::kept;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failures {
    /// Which run of the machine this was written in, and when in it, in milliseconds.
    boot: String,
    at: u64,
    services: BTreeMap<String, Counted>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    /// How long ago, in milliseconds, the oldest first.
    failures: Vec<u64>,
    in_a_row: u32,
    trial: bool,
}

pub(crate) fn path(state: &Path) -> PathBuf {
    state.join("supervise-failures.json")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Failures {
    /// Reads the file. One that makes no sense is put aside and named.
    pub(crate) fn load(state: &Path, aside: &mut Vec<String>) -> Result<Self, FileError> {
        let mut all: Self = kept::load(&path(state), aside)?;
        all.turn(&boot(), uptime());
        Ok(all)
    }

    /// Makes them as old as they are at `now` of this `boot`.
    fn turn(&mut self, boot: &str, now: u64) {
        // Without a boot's name a clock that went back tells as well.
        let since = if self.boot == boot { now.saturating_sub(self.at) } else { 0 };
        for failure in self.services.values_mut().flat_map(|counted| &mut counted.failures) {
            *failure = failure.saturating_add(since);
        }
        (self.boot, self.at) = (boot.to_owned(), now);
    }

    /// What is to be kept now.
    pub(crate) fn of<'n>(pasts: impl Iterator<Item = (&'n str, Past)>) -> Self {
        let counted = |(name, past): (&str, Past)| {
            let failures = past.failures.iter().map(|age| millis(*age)).collect();
            (name.to_owned(), Counted { failures, in_a_row: past.in_a_row, trial: past.trial })
        };
        let services = pasts.map(counted).filter(|(_, counted)| *counted != Counted::default());
        Self { boot: boot(), at: uptime(), services: services.collect() }
    }

    pub(crate) fn past(&self, name: &str) -> Past {
        let counted = self.services.get(name).cloned().unwrap_or_default();
        Past {
            failures: counted.failures.into_iter().map(Duration::from_millis).collect(),
            in_a_row: counted.in_a_row,
            trial: counted.trial,
            ..Past::default()
        }
    }
}

/// Which run of the machine this is.
pub(crate) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// Milliseconds since the machine was started, asleep or not (clock_gettime(2)).
fn uptime() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(target_os = "linux")]
    let time = clock_gettime(ClockId::Boottime);
    // On macOS this one runs on while the machine sleeps.
    #[cfg(not(target_os = "linux"))]
    let time = clock_gettime(ClockId::Monotonic);
    let millis = time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000);
    u64::try_from(millis).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c3_ages_go_on_through_a_restart_and_stand_still_while_the_machine_is_off() {
        let secs = Duration::from_secs;
        let past = Past { failures: vec![secs(50), secs(5)], in_a_row: 2, trial: true, ..Past::default() };
        let mut kept = Failures::of([("app", past.clone()), ("well", Past::default())].into_iter());
        assert_eq!(kept.services.len(), 1, "who never failed is not written down");
        (kept.boot, kept.at) = ("one".to_owned(), 1_000_000);
        let text = serde_json::to_string(&kept).unwrap();
        let read = |boot: &str, now: u64| {
            let mut kept: Failures = serde_json::from_str(&text).unwrap();
            kept.turn(boot, now);
            kept.past("app")
        };
        assert_eq!(read("one", 1_060_000).failures, [secs(110), secs(65)]);
        assert_eq!(read("two", 20_000).failures, past.failures);
        assert_eq!(read("one", 20_000).failures, past.failures, "a clock that went back");
        assert_eq!((read("two", 0).in_a_row, read("two", 0).trial), (2, true));
    }
}
