//! Days as the house lives them: from one first midnight of its zone to the next, 23, 24 or 25 hours apart.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Money is remembered by quarter of an hour, so that a change of zone finds it in the right day: every zone in use
/// is a whole number of quarters from UTC (IANA tzdb).
const QUARTER: i64 = 900;

/// One day of a zone, as seconds since 1970: `start` is in it, `end` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) date: Date,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Day {
    /// The day `now` lies in. Where clocks go back over midnight, the hour that comes again belongs to the new day.
    pub(crate) fn of(now: Timestamp, zone: &TimeZone) -> Self {
        let second = now.as_second();
        let date = now.to_zoned(zone.clone()).date();
        let day = Self::on(date, zone);
        if second < day.end { day } else { Self::on(date.tomorrow().unwrap_or(date), zone) }
    }

    pub(crate) fn on(date: Date, zone: &TimeZone) -> Self {
        let start = midnight(date, zone);
        Self { date, start, end: midnight(date.tomorrow().unwrap_or(date), zone).max(start) }
    }

    pub(crate) const fn holds(&self, second: i64) -> bool {
        self.start <= second && second < self.end
    }

    /// The quarter of an hour `second` lies in, never one that began in the day before.
    pub(crate) fn slot(&self, second: i64) -> i64 {
        second.div_euclid(QUARTER).saturating_mul(QUARTER).max(self.start)
    }
}

fn midnight(date: Date, zone: &TimeZone) -> i64 {
    let first = date.to_zoned(zone.clone()).and_then(|zoned| zoned.start_of_day());
    first.map_or(i64::MAX, |zoned| zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(now: &str, zone: &str) -> Day {
        Day::of(now.parse().unwrap(), &TimeZone::get(zone).unwrap())
    }

    #[test]
    fn days_have_as_many_hours_as_the_zone_gives_them() {
        for (now, zone, date, hours) in [
            ("2026-11-22T12:00:00Z", "UTC", "2026-11-22", 24),
            ("2026-03-08T20:00:00Z", "America/Toronto", "2026-03-08", 23),
            ("2026-11-02T04:59:59Z", "America/Toronto", "2026-11-01", 25),
            ("2026-11-02T05:00:00Z", "America/Toronto", "2026-11-02", 24),
            // Half an hour of daylight saving.
            ("2026-10-03T20:00:00Z", "Australia/Lord_Howe", "2026-10-04", 0),
        ] {
            let day = day(now, zone);
            assert_eq!(day.date.to_string(), date, "{now} {zone}");
            if hours > 0 {
                assert_eq!(day.end - day.start, hours * 3600, "{now} {zone}");
            } else {
                assert_eq!(day.end - day.start, 23 * 3600 + 1800, "{now} {zone}");
            }
        }
    }

    #[test]
    fn a_day_whose_midnight_does_not_exist_begins_at_its_first_moment() {
        // Santiago springs forward at midnight: the day begins at 01:00.
        let day = day("2026-09-06T05:00:00Z", "America/Santiago");
        assert_eq!((day.date.to_string().as_str(), day.end - day.start), ("2026-09-06", 23 * 3600));
    }

    #[test]
    fn an_hour_that_comes_again_over_midnight_belongs_to_the_new_day() {
        // Newfoundland used to go back at 00:01, to 23:01 of the day before.
        let first = day("2010-11-07T02:30:30Z", "America/St_Johns");
        let again = day("2010-11-07T03:00:00Z", "America/St_Johns");
        assert_eq!(first, again);
        assert_eq!(first.date.to_string(), "2010-11-07");
    }

    #[test]
    fn every_moment_lies_in_its_day_and_its_quarter_too() {
        for zone in
            ["Asia/Kathmandu", "Pacific/Apia", "Africa/Monrovia", "America/St_Johns", "Pacific/Chatham"]
        {
            let tz = TimeZone::get(zone).unwrap();
            let start = "1971-12-28T00:00:00Z".parse::<Timestamp>().unwrap().as_second();
            for second in (start..start + 12 * 86_400).step_by(613) {
                let day = Day::of(Timestamp::from_second(second).unwrap(), &tz);
                assert!(day.holds(second) && day.holds(day.slot(second)), "{zone} {second}");
            }
        }
    }
}
