//! The rules of one house, resolved: what applies to which device.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use sanctum_kernel::Wall;
use sanctum_kernel::house::DeviceTier;

use super::night::NightKind;

/// Everything that is written down before the evening begins.
#[derive(Debug, Clone)]
pub struct Policy {
    pub tz: TimeZone,
    /// The house's own hours; newcomers follow them with `wake_guests`.
    pub hours: Hours,
    pub wake_guests: Wall,
    /// A holiday frees the evening before it instead of its own.
    pub holidays_before: bool,
    pub wind_down: WindDown,
    /// What a curfew takes from a device of tier `screen`.
    pub screen_services: Vec<String>,
    /// What homework mode takes from a device of tier `screen`, the allow-list already left out.
    pub homework_services: Vec<String>,
    pub subjects: BTreeMap<String, Subject>,
    /// Minutes a day for a person, over all of their devices.
    pub person_limits: BTreeMap<String, u32>,
}

/// One device the rules speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub id: String,
    pub name: String,
    pub owner: Option<String>,
    pub tier: DeviceTier,
    pub hours: Hours,
    /// Minutes a day for this device.
    pub limit: Option<u32>,
}

/// Wall times of bedtime and waking. A bedtime before noon is past midnight and belongs to the evening before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    pub weekday: Wall,
    pub weekend: Wall,
    pub holiday: Wall,
    pub wake: Wall,
}

/// What happens before bedtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindDown {
    /// Streaming ends so long before everything does; zero means together with it.
    pub streaming_off: SignedDuration,
    pub streaming: Vec<String>,
}

impl Hours {
    pub const fn bedtime(&self, kind: NightKind) -> Wall {
        match kind {
            NightKind::Holiday => self.holiday,
            NightKind::Weekend => self.weekend,
            NightKind::Weekday => self.weekday,
        }
    }
}

impl Policy {
    /// Which schedule the night that begins on `date` follows.
    pub fn kind_of(&self, date: Date, holidays: &std::collections::BTreeSet<Date>) -> NightKind {
        if holidays.contains(&self.holiday_of(date)) {
            NightKind::Holiday
        } else if is_weekend(date) {
            NightKind::Weekend
        } else {
            NightKind::Weekday
        }
    }

    /// The date that must be a holiday for the night of `date` to be one.
    pub fn holiday_of(&self, date: Date) -> Date {
        if self.holidays_before { date.tomorrow().unwrap_or(date) } else { date }
    }

    /// A stranger: the house's hours with the guests' wake-up.
    pub fn newcomer(&self) -> Subject {
        Subject {
            id: String::new(),
            name: String::new(),
            owner: None,
            tier: DeviceTier::Guest,
            hours: Hours { wake: self.wake_guests, ..self.hours },
            limit: None,
        }
    }
}

/// Friday and Saturday nights are the weekend's.
pub(crate) fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Friday | Weekday::Saturday)
}
