//! Days off out of an iCalendar file (RFC 5545), and a sentence for everything that could not be taken.

mod rule;

use std::collections::{BTreeMap, BTreeSet};

use icalendar::parser::{Component, Property, read_calendar, unfold};
use jiff::Span;
use jiff::civil::Date;

use rule::Rule;

/// What a file gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Each day off with the name of its event.
    pub days: BTreeMap<Date, String>,
    /// Events that were taken, whole or in part.
    pub events: usize,
    /// A sentence for each that was not, or not whole.
    pub refused: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    #[error("this is not an iCalendar file: it does not begin with `BEGIN:VCALENDAR`")]
    NotACalendar,
    #[error("the calendar cannot be read: {0}")]
    Broken(String),
}

/// No holiday is longer; a longer one is a slip.
const LONGEST_DAYS: i32 = 200;

/// Reads a whole file: all-day events from `from` to `to`, with their repetitions.
pub fn read(ics: &str, from: Date, to: Date) -> Result<Taken, CalendarError> {
    let ics = ics.trim_start_matches('\u{feff}').trim();
    if !ics.get(..15).is_some_and(|head| head.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        return Err(CalendarError::NotACalendar);
    }
    let text = unfold(ics);
    let calendar = read_calendar(&text).map_err(|error| CalendarError::Broken(first_lines(&error)))?;
    let mut taken = Taken::default();
    let events: Vec<&Component<'_>> =
        calendar.components.iter().filter(|part| is(part.name.as_str(), "VEVENT")).collect();
    for other in calendar
        .components
        .iter()
        .filter(|part| !is(part.name.as_str(), "VEVENT") && !is(part.name.as_str(), "VTIMEZONE"))
    {
        taken.refused.push(format!("a {} is not an event", other.name.as_str()));
    }
    let replaced = replaced(&events);
    for event in events {
        let name = text_of(event, "SUMMARY").unwrap_or_else(|| "an event without a name".to_owned());
        match days_of(event, &replaced, to) {
            Ok(days) => {
                taken.events += 1;
                taken.days.extend(
                    days.into_iter().filter(|day| from <= *day && *day <= to).map(|day| (day, name.clone())),
                );
            }
            Err(why) => taken.refused.push(format!("`{name}`: {why}")),
        }
    }
    Ok(taken)
}

fn is(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn first_lines(error: &str) -> String {
    error.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect::<Vec<_>>().join("; ")
}

fn property<'e>(event: &'e Component<'_>, name: &str) -> Option<&'e Property<'e>> {
    event.properties.iter().find(|property| is(property.name.as_str(), name))
}

fn text_of(event: &Component<'_>, name: &str) -> Option<String> {
    property(event, name)
        .map(|property| property.val.as_str().replace("\\,", ",").replace("\\;", ";").replace("\\n", " "))
}

/// Occurrences of a series that an event of their own replaces (RECURRENCE-ID).
fn replaced(events: &[&Component<'_>]) -> BTreeSet<(String, Date)> {
    let of = |event: &Component<'_>| Some((text_of(event, "UID")?, date(&text_of(event, "RECURRENCE-ID")?)?));
    events.iter().filter_map(|event| of(event)).collect()
}

fn days_of(
    event: &Component<'_>,
    replaced: &BTreeSet<(String, Date)>,
    to: Date,
) -> Result<BTreeSet<Date>, String> {
    if text_of(event, "STATUS").is_some_and(|status| is(&status, "CANCELLED")) {
        return Err("it is cancelled".to_owned());
    }
    let (start, length) = extent(event)?;
    let mut starts = BTreeSet::from([start]);
    if let Some(rule) = text_of(event, "RRULE") {
        starts.extend(Rule::parse(&rule)?.starts(start, to));
    }
    starts.extend(dates(event, "RDATE"));
    for gone in dates(event, "EXDATE") {
        starts.remove(&gone);
    }
    if property(event, "RECURRENCE-ID").is_none()
        && let Some(uid) = text_of(event, "UID")
    {
        starts.retain(|start| !replaced.contains(&(uid.clone(), *start)));
    }
    let last = |start: Date| start.checked_add(Span::new().days(length - 1)).unwrap_or(start);
    Ok(starts
        .into_iter()
        .flat_map(|start| crate::config::Days { first: start, last: last(start) }.iter().collect::<Vec<_>>())
        .collect())
}

/// The first day, and how many days.
fn extent(event: &Component<'_>) -> Result<(Date, i32), String> {
    let begin = text_of(event, "DTSTART").ok_or("it has no beginning")?;
    let start = date(&begin).ok_or_else(|| format!("`{begin}` is not a date"))?;
    let timed = begin.contains('T');
    let length = match (text_of(event, "DTEND"), text_of(event, "DURATION")) {
        (Some(end), _) => {
            let until = date(&end).ok_or_else(|| format!("`{end}` is not a date"))?;
            if timed && !(midnight(&begin) && midnight(&end)) {
                return Err("it is not all day".to_owned());
            }
            start.until(until).map_err(|error| error.to_string())?.get_days()
        }
        (None, Some(duration)) => {
            whole_days(&duration).ok_or_else(|| format!("its length `{duration}` is not whole days"))?
        }
        (None, None) if timed => return Err("it is not all day".to_owned()),
        (None, None) => 1,
    };
    match length {
        // An end on the first day is common, although RFC 5545 has the end excluded.
        0 => Ok((start, 1)),
        1..=LONGEST_DAYS => Ok((start, length)),
        ..0 => Err("it ends before it begins".to_owned()),
        _ => Err(format!("it lasts {length} days, and more than {LONGEST_DAYS} is taken for a slip")),
    }
}

/// The date of `20261225`, `20261225T000000` or `20261225T000000Z`.
fn date(value: &str) -> Option<Date> {
    let digits = value.trim().get(..8).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Date::strptime("%Y%m%d", digits).ok()
}

fn midnight(value: &str) -> bool {
    value.split_once('T').is_none_or(|(_, time)| time.starts_with("000000"))
}

fn dates(event: &Component<'_>, name: &str) -> Vec<Date> {
    let all = event.properties.iter().filter(|property| is(property.name.as_str(), name));
    all.flat_map(|property| property.val.as_str().split(',').filter_map(date).collect::<Vec<_>>()).collect()
}

/// `P3D`, `P1W`.
fn whole_days(duration: &str) -> Option<i32> {
    let rest = duration.strip_prefix('P')?;
    let (number, scale) = rest
        .strip_suffix('D')
        .map(|number| (number, 1))
        .or_else(|| rest.strip_suffix('W').map(|number| (number, 7)))?;
    number.parse::<i32>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};

    use super::{CalendarError, Taken, read};

    fn take(events: &str) -> Taken {
        let ics = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//school//EN\r\n{}END:VCALENDAR\r\n",
            events.replace('\n', "\r\n")
        );
        read(&ics, date(2026, 1, 1), date(2030, 12, 31)).unwrap()
    }

    fn event(lines: &str) -> String {
        format!("BEGIN:VEVENT\nUID:a@school\nSUMMARY:Break\n{lines}\nEND:VEVENT\n")
    }

    fn days(taken: &Taken) -> Vec<Date> {
        taken.days.keys().copied().collect()
    }

    #[test]
    fn an_end_is_the_first_day_that_is_not_off() {
        let taken = take(&event("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227"));
        assert_eq!(days(&taken), [date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26)]);
        assert_eq!(days(&take(&event("DTSTART;VALUE=DATE:20261224"))).len(), 1);
        assert_eq!(days(&take(&event("DTSTART;VALUE=DATE:20261224\nDURATION:P1W"))).len(), 7);
        assert_eq!(
            days(&take(&event(
                "DTSTART;TZID=Europe/Paris:20261224T000000\nDTEND;TZID=Europe/Paris:20261226T000000"
            )))
            .len(),
            2
        );
    }

    #[test]
    fn rules_of_real_school_calendars_are_expanded() {
        let yearly = take(&event("DTSTART;VALUE=DATE:20201225\nRRULE:FREQ=YEARLY"));
        assert_eq!(days(&yearly), (2026..=2030).map(|year| date(year, 12, 25)).collect::<Vec<_>>());
        let fourth = take(&event(
            "DTSTART;VALUE=DATE:20261126\nDTEND;VALUE=DATE:20261128\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=2",
        ));
        assert_eq!(
            days(&fourth),
            [date(2026, 11, 26), date(2026, 11, 27), date(2027, 11, 25), date(2027, 11, 26)]
        );
        let weekly = take(&event(
            "DTSTART;VALUE=DATE:20260902\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=WE;UNTIL=20261001\nEXDATE;VALUE=DATE:20260916",
        ));
        assert_eq!(days(&weekly), [date(2026, 9, 2), date(2026, 9, 30)]);
        let last_monday =
            take(&event("DTSTART;VALUE=DATE:20260525\nRRULE:FREQ=MONTHLY;INTERVAL=12;BYDAY=-1MO;COUNT=2"));
        assert_eq!(days(&last_monday), [date(2026, 5, 25), date(2027, 5, 31)]);
    }

    #[test]
    fn a_moved_occurrence_replaces_its_own() {
        let series = event("DTSTART;VALUE=DATE:20260902\nRRULE:FREQ=WEEKLY;COUNT=2");
        let moved = event("RECURRENCE-ID;VALUE=DATE:20260909\nDTSTART;VALUE=DATE:20260910");
        assert_eq!(days(&take(&format!("{series}{moved}"))), [date(2026, 9, 2), date(2026, 9, 10)]);
    }

    #[test]
    fn what_is_not_taken_is_said() {
        let cases = [
            ("DTSTART:20261224T140000Z\nDTEND:20261224T150000Z", "not all day"),
            ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261220", "ends before it begins"),
            ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20281224", "taken for a slip"),
            ("DTSTART;VALUE=DATE:20261324", "not a date"),
            ("DTSTART;VALUE=DATE:20261224\nSTATUS:CANCELLED", "cancelled"),
            ("DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=YEARLY;BYSETPOS=1", "BYSETPOS"),
            ("DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=HOURLY", "HOURLY"),
            ("SUMMARY:nothing", "no beginning"),
        ];
        for (lines, why) in cases {
            let taken = take(&event(lines));
            assert_eq!((taken.days.len(), taken.refused.len()), (0, 1), "{lines}");
            assert!(taken.refused[0].contains(why), "{lines}: {}", taken.refused[0]);
        }
    }

    #[test]
    fn what_is_no_calendar_is_named() {
        let refuse = |text: &str| read(text, date(2026, 1, 1), date(2027, 1, 1));
        assert!(matches!(refuse("<html>"), Err(CalendarError::NotACalendar)));
        assert!(matches!(refuse(""), Err(CalendarError::NotACalendar)));
        assert!(matches!(refuse("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART"), Err(CalendarError::Broken(_))));
    }
}
