//! The engine against a reference that knows no zone rules: it walks every minute of three years in eight zones.
//!
//! The reference has only the wall clock's face at each minute. A lock is the first minute whose face shows the
//! time or later; an unlock is the minute after the last whose face shows earlier. Gaps and folds follow from that.

use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use sanctum_api::firewall::Scope;
use sanctum_kernel::house::DeviceTier;

use super::scenes::{hours, policy, subject};
use super::*;

const ZONES: [&str; 8] = [
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Santiago",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Africa/Casablanca",
];

/// Every minute from the first to the last, with what the clock on the wall shows.
struct Faces {
    start: i64,
    faces: Vec<i64>,
}

const EPOCH: DateTime = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);

fn face(datetime: DateTime) -> i64 {
    datetime.duration_since(EPOCH).as_mins()
}

impl Faces {
    fn walk(zone: &TimeZone, from: Date, to: Date) -> Self {
        let start =
            from.to_datetime(Time::midnight()).to_zoned(TimeZone::UTC).unwrap().timestamp().as_second() / 60;
        let end =
            to.to_datetime(Time::midnight()).to_zoned(TimeZone::UTC).unwrap().timestamp().as_second() / 60;
        let epoch = EPOCH.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second() / 60;
        let offset = |minute: i64| {
            i64::from(zone.to_offset(Timestamp::from_second(minute * 60).unwrap()).seconds()) / 60
        };
        let faces = (start..end).map(|minute| minute + offset(minute) - epoch).collect();
        Self { start, faces }
    }

    /// Where to begin looking for a face: no zone is more than a day from UTC's reckoning.
    fn near(&self, face: i64) -> usize {
        let guess = face - self.faces[0] - 2 * 24 * 60;
        usize::try_from(guess).unwrap_or(0).min(self.faces.len() - 1)
    }

    fn first_at_or_after(&self, wanted: i64) -> usize {
        let from = self.near(wanted);
        from + self.faces[from..].iter().position(|face| *face >= wanted).unwrap_or(self.faces.len() - from)
    }

    fn after_last_before(&self, wanted: i64) -> usize {
        let from = self.near(wanted);
        let to = (from + 5 * 24 * 60).min(self.faces.len());
        from + self.faces[from..to].iter().rposition(|face| *face < wanted).map_or(0, |last| last + 1)
    }

    fn at(&self, index: usize) -> Timestamp {
        Timestamp::from_second((self.start + i64::try_from(index).unwrap()) * 60).unwrap()
    }
}

/// Marks every minute that is locked, night by night, with nothing but the faces.
fn reference(faces: &Faces, subject: &Subject, ledger: &Ledger, from: Date, to: Date) -> Vec<bool> {
    let mut locked = vec![false; faces.faces.len()];
    let mut day = from;
    while day < to {
        let free = ledger.holidays.contains(&day);
        let weekday = day.weekday().to_monday_one_offset();
        let bed = if free {
            subject.hours.holiday
        } else if weekday == 5 || weekday == 6 {
            subject.hours.weekend
        } else {
            subject.hours.weekday
        };
        let minute =
            |wall: sanctum_kernel::Wall| i64::from(wall.time().hour()) * 60 + i64::from(wall.time().minute());
        let midnight = face(day.to_datetime(Time::midnight()));
        let bed_face = midnight + minute(bed) + if minute(bed) < 720 { 1440 } else { 0 };
        let mut wake_face = midnight + minute(subject.hours.wake);
        while wake_face <= bed_face {
            wake_face += 1440;
        }
        let (lock, unlock) = (faces.first_at_or_after(bed_face), faces.after_last_before(wake_face));
        if lock < unlock {
            locked[lock..unlock].fill(true);
        }
        day = day.checked_add(Span::new().days(1)).unwrap();
    }
    locked
}

fn compare(zone: &str, hours: Hours) {
    let (from, to) = (date(2025, 1, 1), date(2028, 1, 1));
    let mut policy = policy(zone);
    policy.wind_down.streaming_off = jiff::SignedDuration::ZERO;
    let subject = Subject { hours, ..subject("xbox", DeviceTier::Gaming) };
    let holidays =
        [date(2025, 12, 24), date(2026, 3, 29), date(2026, 10, 25), date(2027, 4, 22)].into_iter().collect();
    let ledger = Ledger { holidays, ..Ledger::default() };
    let faces = Faces::walk(&policy.tz, from, to);
    let locked = reference(&faces, &subject, &ledger, from, to);
    // The first days know nothing of the night before them, the last nothing of the one after.
    let (mut index, last) = (3 * 1440, locked.len() - 4 * 1440);
    while index < last {
        let at = faces.at(index);
        let ruling = decide(&policy, &ledger, &subject, at);
        let until = ruling.until.unwrap();
        assert_eq!(until.as_second() % 60, 0, "{zone}: a change between two minutes at {until}");
        let end = usize::try_from(until.as_second() / 60 - faces.start).unwrap().min(last);
        assert!(end > index, "{zone}: the change after {at} is {until}");
        let expected = ruling.blocked == Some(Scope::All);
        let wrong = locked[index..end].iter().position(|locked| *locked != expected);
        assert_eq!(wrong, None, "{zone}: {ruling:?} at {at}, the reference differs so many minutes later");
        // One moment inside the stretch, asked afresh: nothing is remembered from one question to the next.
        for inside in [index + (end - index) / 3, end - 1] {
            let again = decide(&policy, &ledger, &subject, faces.at(inside));
            assert_eq!(
                (again.blocked, again.until),
                (ruling.blocked.clone(), ruling.until),
                "{zone} at {}",
                faces.at(inside)
            );
        }
        index = end;
    }
}

/// Every zone with the default hours, and with hours that fall into gaps and folds, all minutes of three years.
fn every_zone(hours: Hours) {
    std::thread::scope(|scope| {
        for zone in ZONES {
            scope.spawn(move || compare(zone, hours));
        }
    });
}

#[test]
fn the_default_hours_agree_with_the_reference_in_every_minute_of_three_years() {
    every_zone(hours("21:30", "23:00", "23:00", "10:00"));
}

#[test]
fn hours_inside_gaps_and_folds_agree_with_the_reference_in_every_minute_of_three_years() {
    every_zone(hours("00:00", "02:30", "01:30", "06:00"));
}

#[test]
fn an_unlock_inside_gaps_and_folds_agrees_with_the_reference_in_every_minute_of_three_years() {
    every_zone(hours("20:15", "00:30", "23:45", "02:15"));
}

#[test]
fn every_minute_around_a_change_of_clocks_is_asked_for_itself() {
    for zone in ZONES {
        let policy = policy(zone);
        let subject = Subject {
            hours: hours("21:30", "02:30", "23:00", "03:00"),
            ..subject("xbox", DeviceTier::Gaming)
        };
        let ledger = Ledger::default();
        let (from, to) = (date(2026, 1, 1), date(2027, 1, 1));
        let faces = Faces::walk(&policy.tz, from, to);
        let locked = reference(&faces, &subject, &ledger, from, to);
        let jumps = (1..faces.faces.len()).filter(|at| faces.faces[*at] != faces.faces[at - 1] + 1);
        for jump in jumps.filter(|jump| (10_000..locked.len() - 10_000).contains(jump)) {
            for (index, expected) in locked.iter().enumerate().take(jump + 16 * 60).skip(jump - 16 * 60) {
                let ruling = decide(&policy, &ledger, &subject, faces.at(index));
                assert_eq!(
                    ruling.blocked == Some(Scope::All),
                    *expected,
                    "{zone} at {}: {ruling:?}",
                    faces.at(index)
                );
            }
        }
    }
}
