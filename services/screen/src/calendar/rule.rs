//! The recurrence rules that school calendars use (RFC 5545 §3.3.10), by days.

use jiff::civil::{Date, Weekday};

/// A rule whose every part is understood.
#[derive(Debug)]
pub(super) struct Rule {
    every: Every,
    interval: i32,
    count: Option<usize>,
    until: Option<Date>,
    months: Vec<i8>,
    month_days: Vec<i8>,
    /// Each with its place in the month: 0 for every one, negative from the end.
    weekdays: Vec<(i8, Weekday)>,
    week_start: Weekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Every {
    Day,
    Week,
    Month,
    Year,
}

impl Rule {
    /// The error says what is not understood: a rule taken by half would free wrong days.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rule = Self {
            every: Every::Day,
            interval: 1,
            count: None,
            until: None,
            months: Vec::new(),
            month_days: Vec::new(),
            weekdays: Vec::new(),
            week_start: Weekday::Monday,
        };
        let mut every = None;
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("its rule has a part `{part}` without a value"))?;
            let refuse = || format!("its rule has a part `{part}` that is not understood");
            match name.to_ascii_uppercase().as_str() {
                "FREQ" => every = Some(frequency(value).ok_or_else(refuse)?),
                "INTERVAL" => {
                    rule.interval = value.parse().ok().filter(|interval| *interval > 0).ok_or_else(refuse)?;
                }
                "COUNT" => rule.count = Some(value.parse().map_err(|_| refuse())?),
                "UNTIL" => rule.until = Some(super::date(value).ok_or_else(refuse)?),
                "BYMONTH" => rule.months = numbers(value).ok_or_else(refuse)?,
                "BYMONTHDAY" => rule.month_days = numbers(value).ok_or_else(refuse)?,
                "BYDAY" => {
                    rule.weekdays = value.split(',').map(nth).collect::<Option<_>>().ok_or_else(refuse)?;
                }
                "WKST" => rule.week_start = weekday(value).ok_or_else(refuse)?,
                _ => return Err(refuse()),
            }
        }
        rule.every = every.ok_or("its rule has no FREQ")?;
        let placed = rule.weekdays.iter().any(|(place, _)| *place != 0);
        match rule.every {
            Every::Day | Every::Week if placed => {
                Err("its rule counts weekdays where there is nothing to count".to_owned())
            }
            Every::Year if !rule.weekdays.is_empty() && rule.months.is_empty() => {
                Err("its rule counts weekdays of a whole year".to_owned())
            }
            _ => Ok(rule),
        }
    }

    /// First days of its occurrences, up to `to`.
    pub(super) fn starts(&self, start: Date, to: Date) -> Vec<Date> {
        let last = self.until.map_or(to, |until| until.min(to));
        let days = crate::config::Days { first: start, last };
        days.iter().filter(|day| self.holds(start, *day)).take(self.count.unwrap_or(usize::MAX)).collect()
    }

    fn holds(&self, start: Date, day: Date) -> bool {
        let months = |date: Date| i32::from(date.year()) * 12 + i32::from(date.month());
        let apart = match self.every {
            Every::Day => days_between(start, day),
            Every::Week => days_between(self.week_of(start), self.week_of(day)) / 7,
            Every::Month => months(day) - months(start),
            Every::Year => i32::from(day.year()) - i32::from(start.year()),
        };
        let in_month = match (self.every, self.months.is_empty()) {
            (_, false) => self.months.contains(&day.month()),
            (Every::Year, true) => day.month() == start.month(),
            (_, true) => true,
        };
        apart % self.interval == 0 && in_month && self.on_day(start, day)
    }

    fn on_day(&self, start: Date, day: Date) -> bool {
        let from_end = day.day() - day.days_in_month() - 1;
        let by_month_day = self.month_days.iter().any(|number| *number == day.day() || *number == from_end);
        let by_weekday = self.weekdays.iter().any(|(place, weekday)| {
            let place_here = (day.day() - 1) / 7 + 1;
            let place_from_end = -((day.days_in_month() - day.day()) / 7 + 1);
            day.weekday() == *weekday && (*place == 0 || *place == place_here || *place == place_from_end)
        });
        match (self.month_days.is_empty(), self.weekdays.is_empty()) {
            (false, false) => by_month_day && by_weekday,
            (false, true) => by_month_day,
            (true, false) => by_weekday,
            (true, true) => match self.every {
                Every::Day => true,
                Every::Week => day.weekday() == start.weekday(),
                Every::Month | Every::Year => day.day() == start.day(),
            },
        }
    }

    fn week_of(&self, day: Date) -> Date {
        let since = day.weekday().since(self.week_start);
        day.checked_sub(jiff::Span::new().days(since)).unwrap_or(day)
    }
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}

fn frequency(word: &str) -> Option<Every> {
    match word.to_ascii_uppercase().as_str() {
        "DAILY" => Some(Every::Day),
        "WEEKLY" => Some(Every::Week),
        "MONTHLY" => Some(Every::Month),
        "YEARLY" => Some(Every::Year),
        _ => None,
    }
}

fn numbers(list: &str) -> Option<Vec<i8>> {
    list.split(',').map(|number| number.trim().parse::<i8>().ok().filter(|number| *number != 0)).collect()
}

/// `WE`, `4TH`, `-1MO`.
fn nth(text: &str) -> Option<(i8, Weekday)> {
    let text = text.trim();
    let (place, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let place = if place.is_empty() { 0 } else { place.parse().ok().filter(|place| *place != 0)? };
    Some((place, weekday(day)?))
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}
