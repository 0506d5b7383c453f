//! Times that come again, as crontab(5) writes them.

use std::fmt;
use std::str::FromStr;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Minute, hour, day of the month, month, day of the week; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
///
/// Wall times, as Vixie cron reads them: what falls into the hour that a clock skips in spring runs once, right after it;
/// what names an hour runs once in the hour that comes twice in autumn; what runs every few minutes goes on through both.
/// When day of month and day of week are both given, either will do.
#[derive(Clone)]
pub struct Cron {
    text: String,
    pattern: croner::Cron,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is no schedule: {why}; write five fields (minute hour day month weekday), such as `30 3 * * *`, or `@daily`"
)]
pub struct NotACron {
    text: String,
    why: String,
}

/// Every value that a schedule names, for those who write it in another language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    pub minutes: Vec<u16>,
    pub hours: Vec<u16>,
    /// Days of the month; `None` where any will do.
    pub days: Option<Vec<u16>>,
    pub months: Vec<u16>,
    /// 0 is Sunday; `None` where any will do.
    pub weekdays: Option<Vec<u16>>,
}

impl Cron {
    /// The first of its times later than `after`; `None` if there is none within the calendar, such as on 30 February.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let whole = Timestamp::from_second(after.as_second()).ok()?;
        self.pattern
            .find_next_occurrence(&whole.to_zoned(zone.clone()), false)
            .ok()
            .map(|next| next.timestamp())
    }

    pub fn times(&self) -> Times {
        let pattern = &self.pattern.pattern;
        Times {
            minutes: pattern.minutes.values(),
            hours: pattern.hours.values(),
            days: (!pattern.is_dom_wildcard()).then(|| pattern.days.values()),
            months: pattern.months.values(),
            weekdays: (!pattern.is_dow_wildcard()).then(|| pattern.days_of_week.values()),
        }
    }
}

impl FromStr for Cron {
    type Err = NotACron;

    fn from_str(text: &str) -> Result<Self, NotACron> {
        let refuse = |why: String| NotACron { text: text.to_owned(), why };
        let word = text.trim();
        if word.eq_ignore_ascii_case("@reboot") {
            return Err(refuse(
                "a start of the machine is no time; declare the service as `one-shot`".to_owned(),
            ));
        }
        if !word.starts_with('@') && word.split_whitespace().count() != 5 {
            return Err(refuse(format!("it has {} fields", word.split_whitespace().count())));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let pattern = parser.parse(word).map_err(|error| refuse(fragment(&error.to_string())))?;
        let fields = &pattern.pattern;
        let strange = [&fields.minutes, &fields.hours, &fields.days, &fields.months, &fields.days_of_week];
        if strange.iter().any(|field| field.has_modifiers()) {
            return Err(refuse("`L`, `W` and `#` are not of crontab(5)".to_owned()));
        }
        Ok(Self { text: word.to_owned(), pattern })
    }
}

/// As our own messages are written: in lower case and without a full stop.
fn fragment(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

super::text!(Cron, "Cron", "times as in crontab(5)", "30 3 * * *");

#[cfg(test)]
mod tests {
    use super::*;

    /// The next times after `from`, as the wall clock of `zone` shows them.
    fn after(cron: &str, from: &str, zone: &str, count: usize) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let cron: Cron = cron.parse().unwrap();
        let mut at: Timestamp = from.parse().unwrap();
        let mut times = Vec::new();
        for _ in 0..count {
            at = cron.next(at, &zone).unwrap();
            times.push(at.to_zoned(zone.clone()).strftime("%m-%d %H:%M %:z").to_string());
        }
        times
    }

    #[test]
    fn wall_times_through_the_hour_that_is_skipped() {
        // In Paris 02:00 becomes 03:00 on 29 March 2026.
        let day = "2026-03-28T12:00:00Z";
        let daily = after("30 2 * * *", day, "Europe/Paris", 2);
        assert_eq!(daily, ["03-29 03:00 +02:00", "03-30 02:30 +02:00"], "once, right after the gap");
        let nightly = after("0 4 * * *", day, "Europe/Paris", 2);
        assert_eq!(nightly, ["03-29 04:00 +02:00", "03-30 04:00 +02:00"]);
        let often = after("*/30 1-3 * * *", "2026-03-29T00:15:00Z", "Europe/Paris", 3);
        assert_eq!(often, ["03-29 01:30 +01:00", "03-29 03:00 +02:00", "03-29 03:30 +02:00"]);
    }

    #[test]
    fn wall_times_through_the_hour_that_comes_twice() {
        // In Paris 03:00 becomes 02:00 on 25 October 2026.
        let daily = after("30 2 * * *", "2026-10-24T12:00:00Z", "Europe/Paris", 2);
        assert_eq!(daily, ["10-25 02:30 +02:00", "10-26 02:30 +01:00"], "once, the first time");
        let often = after("*/30 * * * *", "2026-10-24T23:45:00Z", "Europe/Paris", 6);
        let expected =
            ["02:00 +02:00", "02:30 +02:00", "02:00 +01:00", "02:30 +01:00", "03:00 +01:00", "03:30 +01:00"];
        assert_eq!(often, expected.map(|time| format!("10-25 {time}")), "every half hour that passes");
    }

    #[test]
    fn words_lists_and_days() {
        let day = "2026-11-22T05:00:00Z";
        assert_eq!(after("@weekly", day, "UTC", 1), ["11-29 00:00 +00:00"]);
        assert_eq!(after("@monthly", day, "UTC", 2), ["12-01 00:00 +00:00", "01-01 00:00 +00:00"]);
        assert_eq!(
            after("0 9 1 * mon", day, "UTC", 3),
            ["11-23 09:00 +00:00", "11-30 09:00 +00:00", "12-01 09:00 +00:00"]
        );
        let cron: Cron = "0,30 3 * 6-8 1-5".parse().unwrap();
        let times = cron.times();
        assert_eq!((times.minutes, times.hours, times.days), (vec![0, 30], vec![3], None));
        assert_eq!((times.months, times.weekdays), (vec![6, 7, 8], Some(vec![1, 2, 3, 4, 5])));
        assert_eq!("0 0 30 2 *".parse::<Cron>().unwrap().next(day.parse().unwrap(), &TimeZone::UTC), None);
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        for (text, part) in [
            ("", "it has 0 fields"),
            ("* * * *", "it has 4 fields"),
            ("* * * * * *", "it has 6 fields"),
            ("61 * * * *", ""),
            ("@reboot", "`one-shot`"),
            ("@never", ""),
            ("0 0 L * *", "not of crontab(5)"),
        ] {
            let error = text.parse::<Cron>().unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("five fields"), "{error}");
        }
    }
}
