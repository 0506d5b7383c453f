//! When something happened, so that no step of the wall clock makes it older than it is.

use std::time::Duration;

use jiff::Timestamp;
use sanctum_kernel::Clock;

/// A moment on the wall clock and on the one that nobody can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) wall: Timestamp,
    /// Which run of the machine it belongs to.
    pub(crate) boot: String,
    /// Since that run began, sleep included.
    pub(crate) up: Duration,
}

impl Moment {
    pub(crate) fn now(clock: &Clock) -> Self {
        let (boot, up) = running();
        Self { wall: clock.now(), boot, up }
    }

    /// The least that has passed since: true whatever was done to the wall clock. What happened before the machine was
    /// started is at least as old as this start.
    pub(crate) fn at_least(&self, now: &Self) -> Duration {
        if self.boot == now.boot { now.up.saturating_sub(self.up) } else { now.up }
    }

    /// The most that can have passed since; `None` if that cannot be told, because the wall clock contradicts itself.
    pub(crate) fn at_most(&self, now: &Self) -> Option<Duration> {
        if self.boot == now.boot {
            return Some(now.up.saturating_sub(self.up));
        }
        let wall = Duration::try_from(now.wall.duration_since(self.wall)).ok()?;
        (wall >= now.up).then_some(wall)
    }
}

/// Linux: the boot's own identity and `CLOCK_BOOTTIME`, as proc(5) has them.
#[cfg(target_os = "linux")]
fn running() -> (String, Duration) {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let secs = uptime.split_ascii_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    (boot.trim().to_owned(), Duration::try_from_secs_f64(secs.unwrap_or_default()).unwrap_or_default())
}

/// Elsewhere this process is what is counted from: after its restart every pause begins anew, which errs on the safe side.
#[cfg(not(target_os = "linux"))]
fn running() -> (String, Duration) {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BEGAN: OnceLock<(String, Instant)> = OnceLock::new();
    let (boot, since) = BEGAN.get_or_init(|| {
        let me = std::process::id();
        (format!("{me}+{}", sanctum_kernel::process::born(me).unwrap_or_default()), Instant::now())
    });
    (boot.clone(), since.elapsed())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(wall: i64, boot: u8, up: u64) -> Moment {
        let wall = Timestamp::from_second(wall).unwrap();
        Moment { wall, boot: boot.to_string(), up: Duration::from_secs(up) }
    }

    #[test]
    fn this_machine_has_one() {
        let clock = Clock::system();
        let (first, second) = (Moment::now(&clock), Moment::now(&clock));
        assert!(!first.boot.is_empty() && first.boot == second.boot && first.up <= second.up);
    }

    proptest! {
        /// What truly passed between two moments of one boot is what is counted, whatever the wall clock was set to.
        #[test]
        fn a_step_of_the_clock_changes_nothing_within_a_boot(
            walls in (0_i64..4_000_000_000, 0_i64..4_000_000_000), up in 0_u64..1_000_000, passed in 0_u64..1_000_000,
        ) {
            let (then, now) = (moment(walls.0, 1, up), moment(walls.1, 1, up + passed));
            prop_assert_eq!(then.at_least(&now), Duration::from_secs(passed));
            prop_assert_eq!(then.at_most(&now), Some(Duration::from_secs(passed)));
        }

        /// Over a restart the least is never more than the truth, and a most that is told is never less than the least.
        #[test]
        fn over_a_restart_the_bounds_hold(
            walls in (0_i64..4_000_000_000, 0_i64..4_000_000_000), before in 0_u64..1_000_000, off in 0_u64..1_000_000,
            up in 0_u64..1_000_000,
        ) {
            let (then, now) = (moment(walls.0, 1, before), moment(walls.1, 2, up));
            prop_assert!(then.at_least(&now) <= Duration::from_secs(off + up));
            if let Some(most) = then.at_most(&now) {
                prop_assert!(most >= then.at_least(&now));
            }
        }
    }
}
