//! Times that a question names.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

pub(crate) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// Words before a bare month that make it one: "may I" is none, "march on" is none.
const BEFORE: &[&str] =
    &["in", "of", "since", "until", "by", "during", "early", "late", "mid", "last", "from", "to"];

/// The time that `question` names, from its first instant to the one after its last, seen from `now`; nothing if it
/// names none. A month or day without a year is the last one that has begun.
pub(crate) fn named(question: &str, now: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let lower = question.to_lowercase();
    let keep = |letter: char| letter.is_alphanumeric() || letter == '-';
    let words: Vec<&str> = lower.split(|letter| !keep(letter)).filter(|word| !word.is_empty()).collect();
    let today = now.to_zoned(zone.clone()).date();
    let (first, next) = (0..words.len()).find_map(|at| days(&words, at, today))?;
    let start = |day: Date| day.to_zoned(zone.clone()).ok().map(|at: Zoned| at.timestamp());
    Some((start(first)?, start(next)?))
}

/// First day and the day after the last of what is named at position `at`.
fn days(words: &[&str], at: usize, today: Date) -> Option<(Date, Date)> {
    let word = words.get(at)?;
    let back = |from: usize| at.checked_sub(from).and_then(|at| words.get(at)).copied().unwrap_or_default();
    let on = |to: usize| words.get(at + to).copied().unwrap_or_default();
    if let Ok(day) = word.parse::<Date>() {
        return whole(day);
    }
    match (*word, on(1)) {
        ("yesterday", _) => return whole(today.yesterday().ok()?),
        ("today", _) => return whole(today),
        ("last" | "previous", "week") => {
            let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
            return Some((monday.checked_sub(7.days()).ok()?, monday));
        }
        ("last" | "previous", "month") => {
            let first = today.first_of_month();
            return Some((first.checked_sub(1.month()).ok()?, first));
        }
        ("last" | "previous", "year") => return year(today.year().checked_sub(1)?),
        _ => {}
    }
    if let Some(month) = month(word) {
        let year_on = |to: usize| on(to).parse::<i16>().ok().filter(|year| (1900..2200).contains(year));
        let day_on = ordinal(on(1));
        let day = ordinal(back(1)).or_else(|| ordinal(back(2)).filter(|_| back(1) == "of")).or(day_on);
        let year_named = year_on(1).or_else(|| year_on(2).filter(|_| day_on.is_some()));
        if let Some(day) = day {
            let on_day = |year| Date::new(year, month, day).ok();
            let day = match year_named {
                Some(year) => on_day(year)?,
                None => {
                    on_day(today.year()).filter(|day| *day <= today).or_else(|| on_day(today.year() - 1))?
                }
            };
            return whole(day);
        }
        if year_named.is_none() && !BEFORE.contains(&back(1)) {
            return None;
        }
        let this = date(today.year(), month, 1);
        let first = match year_named {
            Some(year) => Date::new(year, month, 1).ok()?,
            None if this <= today => this,
            None => this.checked_sub(1.year()).ok()?,
        };
        return Some((first, first.checked_add(1.month()).ok()?));
    }
    let plain = word.parse::<i16>().ok().filter(|year| (1900..2200).contains(year) && word.len() == 4)?;
    BEFORE.contains(&back(1)).then(|| year(plain)).flatten()
}

fn whole(day: Date) -> Option<(Date, Date)> {
    Some((day, day.tomorrow().ok()?))
}

fn year(year: i16) -> Option<(Date, Date)> {
    Some((Date::new(year, 1, 1).ok()?, Date::new(year.checked_add(1)?, 1, 1).ok()?))
}

fn month(word: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|name| *name == word)?;
    i8::try_from(at + 1).ok()
}

/// A day of a month: `5`, `5th`.
fn ordinal(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let ending = word.get(digits.len()..).unwrap_or_default();
    let day = digits.parse::<i8>().ok().filter(|day| (1..=31).contains(day))?;
    matches!(ending, "" | "st" | "nd" | "rd" | "th").then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(question: &str) -> Option<String> {
        let now = "2026-08-19T12:00:00Z".parse().unwrap();
        let (from, until) = named(question, now, &TimeZone::UTC)?;
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date().to_string();
        Some(format!("{} {}", day(from), day(until)))
    }

    #[test]
    fn times_as_people_name_them() {
        let cases = [
            ("What held in March?", "2026-03-01 2026-04-01"),
            ("What did we pay in October?", "2025-10-01 2025-11-01"),
            ("Who came in June, 2023?", "2023-06-01 2023-07-01"),
            ("Where was Anna on 8 May 2023?", "2023-05-08 2023-05-09"),
            ("Where was Anna on May 8th, 2023?", "2023-05-08 2023-05-09"),
            ("Where was Anna on the 5th of September?", "2025-09-05 2025-09-06"),
            ("What was said on 2026-01-31?", "2026-01-31 2026-02-01"),
            ("What broke yesterday?", "2026-08-18 2026-08-19"),
            ("What broke last week?", "2026-08-10 2026-08-17"),
            ("What broke last month?", "2026-07-01 2026-08-01"),
            ("What did it cost in 2024?", "2024-01-01 2025-01-01"),
        ];
        for (question, expected) in cases {
            assert_eq!(seen(question).as_deref(), Some(expected), "{question}");
        }
        for question in
            ["May I come in?", "Which port is 2024?", "march on", "the 31st of the pile", "2026-13-40"]
        {
            assert_eq!(seen(question), None, "{question}");
        }
    }
}
