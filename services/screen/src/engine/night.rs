//! One night as two instants: wall times become moments here, once, and nowhere else.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::Wall;

use super::policy::Hours;

/// Which schedule a night follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NightKind {
    Holiday,
    Weekend,
    Weekday,
}

impl NightKind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Holiday => "holiday",
            Self::Weekend => "weekend",
            Self::Weekday => "weekday",
        }
    }
}

/// The night that begins on `date`: locked during `[lock, unlock)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Night {
    /// The day in whose evening it begins, also where bedtime is past midnight.
    pub date: Date,
    pub kind: NightKind,
    pub bedtime: Wall,
    pub wake: Wall,
    pub lock: Timestamp,
    pub unlock: Timestamp,
}

impl Night {
    /// A bedtime before noon is past midnight; the curfew ends at the first wake-up after it.
    pub fn of(hours: &Hours, kind: NightKind, date: Date, tz: &TimeZone) -> Self {
        let (bedtime, wake) = (hours.bedtime(kind), hours.wake);
        let next = |date: Date| date.tomorrow().unwrap_or(date);
        let locks = if bedtime.time() < Time::midnight().saturating_add(SignedDuration::from_hours(12)) {
            next(date)
        } else {
            date
        };
        let unlocks = if wake > bedtime { locks } else { next(locks) };
        let (lock, unlock) = (lock_at(locks, bedtime.time(), tz), unlock_at(unlocks, wake.time(), tz));
        Self { date, kind, bedtime, wake, lock, unlock: unlock.max(lock) }
    }

    pub fn contains(&self, at: Timestamp) -> bool {
        self.lock <= at && at < self.unlock
    }

    /// Such as `weekday curfew 21:30–10:00`.
    pub fn title(&self) -> String {
        format!("{} curfew {}–{}", self.kind.word(), self.bedtime, self.wake)
    }
}

/// When a lock at this wall time begins: the first instant after a gap, the first of two in a fold.
pub(super) fn lock_at(date: Date, time: Time, tz: &TimeZone) -> Timestamp {
    edge(date, time, tz, false)
}

/// When an unlock at this wall time happens: the first instant after a gap, the second of two in a fold.
pub(super) fn unlock_at(date: Date, time: Time, tz: &TimeZone) -> Timestamp {
    edge(date, time, tz, true)
}

fn edge(date: Date, time: Time, tz: &TimeZone, last: bool) -> Timestamp {
    let ambiguous = tz.to_ambiguous_timestamp(date.to_datetime(time));
    let instant = match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => {
            // Read with the offset after the gap, the wall time lies before the transition.
            let before = ambiguous.earlier();
            return before
                .ok()
                .and_then(|before| tz.following(before).next().map(|change| change.timestamp()))
                .unwrap_or(Timestamp::MAX);
        }
        _ if last => ambiguous.later(),
        _ => ambiguous.earlier(),
    };
    // Only dates beyond the year 9999 have no instant.
    instant.unwrap_or(Timestamp::MAX)
}

/// A window for people: `21:30–07:00, 10 h 30 min, clocks go back`.
pub fn describe(lock: Timestamp, unlock: Timestamp, tz: &TimeZone) -> String {
    let wall = |at: Timestamp| at.to_zoned(tz.clone()).strftime("%H:%M").to_string();
    let minutes = unlock.duration_since(lock).as_mins();
    let length = match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    };
    let (before, after) = (tz.to_offset(lock).seconds(), tz.to_offset(unlock).seconds());
    let clocks = match after.cmp(&before) {
        std::cmp::Ordering::Less => ", clocks go back",
        std::cmp::Ordering::Greater => ", clocks go forward",
        std::cmp::Ordering::Equal => "",
    };
    format!("{}–{}, {length}{clocks}", wall(lock), wall(unlock))
}
