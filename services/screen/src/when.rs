//! Moments as people write them.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use sanctum_api::Problem;

const ALLOWED: &str = "`21:45`, `fri 21:45`, `tomorrow 21:45`, `2026-12-25 21:45` or `2026-12-25T21:45:00Z`";

/// Reads a moment; a time alone is today's, a weekday is the next one from today on.
pub(crate) fn moment(field: &str, text: &str, now: Timestamp, tz: &TimeZone) -> Result<Timestamp, Problem> {
    let refuse = || Problem::field(field, text, ALLOWED);
    if let Ok(at) = text.trim().parse::<Timestamp>() {
        return Ok(at);
    }
    let today = tz.to_datetime(now).date();
    let words: Vec<&str> = text.split_whitespace().collect();
    let (date, time) = match words.as_slice() {
        [time] => (today, *time),
        [day, time] => (self::day(day, today).ok_or_else(refuse)?, *time),
        _ => return Err(refuse()),
    };
    let time: Time = time.parse::<sanctum_kernel::Wall>().map_err(|_| refuse())?.time();
    date.to_datetime(time).to_zoned(tz.clone()).map(|at| at.timestamp()).map_err(|_| refuse())
}

fn day(word: &str, today: Date) -> Option<Date> {
    let word = word.to_lowercase();
    let after = |days: i32| today.checked_add(Span::new().days(days)).ok();
    match word.as_str() {
        "today" | "tonight" => return Some(today),
        "tomorrow" => return after(1),
        "yesterday" => return after(-1),
        _ => {}
    }
    let names = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let found = names.iter().find(|(name, _)| word.len() >= 3 && name.starts_with(&word));
    match found {
        Some((_, weekday)) => after(i32::from(today.weekday().until(*weekday))),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        let tz = TimeZone::get("America/New_York").unwrap();
        // A Wednesday, 12:00.
        let now: Timestamp = "2026-11-18T17:00:00Z".parse().unwrap();
        let read = |text: &str| moment("at", text, now, &tz).ok().map(|at| at.to_string());
        let cases = [
            ("21:45", Some("2026-11-19T02:45:00Z")),
            ("fri 21:45", Some("2026-11-21T02:45:00Z")),
            ("Wednesday 21:45", Some("2026-11-19T02:45:00Z")),
            ("tomorrow 07:00", Some("2026-11-19T12:00:00Z")),
            ("2026-12-25 21:45", Some("2026-12-26T02:45:00Z")),
            ("2026-12-25T21:45:00Z", Some("2026-12-25T21:45:00Z")),
            ("f 21:45", None),
            ("25:00", None),
            ("fri", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }
}
