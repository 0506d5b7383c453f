//! What the kernel says of its own clock: whether anything keeps it right, and for how long the machine has been up.

use std::time::Duration;

/// The state of a machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discipline {
    /// Something (NTP, PTP) has set the clock and keeps it right.
    pub synchronised: bool,
    /// Since the machine was started, sleep included.
    pub up: Duration,
}

/// Asks the kernel: `STA_UNSYNC` of adjtimex(2), and `CLOCK_BOOTTIME` of clock_gettime(2).
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe wrapper asks for the clock's status")]
pub(crate) fn system() -> Option<Discipline> {
    // SAFETY: `timex` is numbers only, of which all zeros is a question and no change; the kernel fills what it is given.
    let (state, status) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex.status)
    };
    let mut up = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `up` is a whole `timespec`, which the kernel fills.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut up) };
    if state < 0 || told < 0 {
        return None;
    }
    let up = Duration::from_secs(u64::try_from(up.tv_sec).ok()?);
    Some(Discipline { synchronised: status & libc::STA_UNSYNC == 0, up })
}

/// Elsewhere nobody is asked.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn system() -> Option<Discipline> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn this_machine_has_an_answer() {
        let (first, second) = (super::system().unwrap(), super::system().unwrap());
        assert!(first.up.as_secs() > 0 && first.up <= second.up, "{first:?} {second:?}");
    }
}
