//! When a scheduled job runs: a pure function of its schedule, the clock, and what has been dealt with.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::Cron;
use sanctum_kernel::inventory::Schedule;

/// A time that is seen this late, in seconds, was missed: the machine slept, was off, or its clock was set.
const LATE: i64 = 60;

/// The times of one job.
#[derive(Debug, Clone)]
pub(crate) struct Times<'s> {
    name: &'s str,
    cron: &'s Cron,
    zone: TimeZone,
    jitter: Duration,
    catch_up: bool,
}

/// What to do with the times that have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// None has.
    Wait,
    Run,
    /// It was missed, and is not made up for.
    Pass,
}

impl<'s> Times<'s> {
    pub(crate) fn new(name: &'s str, schedule: &'s Schedule, zone: TimeZone) -> Self {
        let jitter = schedule.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
        Self { name, cron: &schedule.cron, zone, jitter, catch_up: schedule.catch_up.unwrap_or(true) }
    }

    /// The first time that has not been dealt with, and when it is acted on.
    pub(crate) fn next(&self, until: Timestamp) -> Option<Timestamp> {
        let due = self.cron.next(until, &self.zone)?;
        due.checked_add(self.delay(due)).ok()
    }

    /// What the clock says of it.
    pub(crate) fn verdict(&self, until: Timestamp, now: Timestamp) -> Verdict {
        match self.next(until) {
            Some(next) if next <= now => {
                let late = now.duration_since(next).as_secs() > LATE;
                if late && !self.catch_up { Verdict::Pass } else { Verdict::Run }
            }
            _ => Verdict::Wait,
        }
    }

    /// Up to when everything has been dealt with, once the time that has come by `now` is: all that were missed are one.
    pub(crate) fn dealt_with(&self, until: Timestamp, now: Timestamp) -> Timestamp {
        let mut until = until;
        while let Some(due) = self.cron.next(until, &self.zone).filter(|due| *due <= now) {
            until = due;
            // Far behind, every minute of a year is not counted one by one.
            if now.duration_since(until).as_secs() > 86_400 {
                until = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(until);
            }
        }
        until
    }

    /// By chance, but the same chance for whoever asks (splitmix64 over the name and the time).
    fn delay(&self, due: Timestamp) -> SignedDuration {
        let seed = self.name.bytes().fold(due.as_second().cast_unsigned(), |seed, byte| {
            mix(seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
        });
        let most = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let millis = mix(seed).checked_rem(most).unwrap_or_default();
        SignedDuration::from_millis(i64::try_from(millis).unwrap_or_default())
    }
}

const fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

#[cfg(test)]
mod tests {
    use sanctum_kernel::Period;

    use super::*;

    fn schedule(cron: &str) -> Schedule {
        Schedule { cron: cron.parse().unwrap(), jitter: None, catch_up: None, timeout: None }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Lets the clock tick from one time to another and says when the job ran. `asleep` are stretches in which nobody looked.
    fn runs(schedule: &Schedule, zone: &str, from: &str, to: &str, asleep: &[(&str, &str)]) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let times = Times::new("job", schedule, zone.clone());
        let (mut now, end) = (at(from), at(to));
        let mut until = now;
        let mut ran = Vec::new();
        while now < end {
            let sleeps = asleep.iter().any(|(begin, end)| now >= at(begin) && now < at(end));
            if !sleeps && times.verdict(until, now) != Verdict::Wait {
                if times.verdict(until, now) == Verdict::Run {
                    ran.push(now.to_zoned(zone.clone()).strftime("%d %H:%M:%S %:z").to_string());
                }
                until = times.dealt_with(until, now);
            }
            now += SignedDuration::from_secs(30);
        }
        ran
    }

    #[test]
    fn a_night_job_runs_once_a_night_through_both_days_that_are_not_24_hours_long() {
        let nightly = schedule("30 2 * * *");
        let spring = runs(&nightly, "Europe/Paris", "2026-03-27T12:00:00Z", "2026-03-31T12:00:00Z", &[]);
        assert_eq!(
            spring,
            ["28 02:30:00 +01:00", "29 03:00:00 +02:00", "30 02:30:00 +02:00", "31 02:30:00 +02:00"]
        );
        let autumn = runs(&nightly, "Europe/Paris", "2026-10-23T12:00:00Z", "2026-10-27T12:00:00Z", &[]);
        assert_eq!(
            autumn,
            ["24 02:30:00 +02:00", "25 02:30:00 +02:00", "26 02:30:00 +01:00", "27 02:30:00 +01:00"]
        );
    }

    #[test]
    fn an_hourly_job_runs_every_hour_that_passes() {
        for (from, to) in [
            ("2026-03-28T12:00:30Z", "2026-03-29T12:00:30Z"),
            ("2026-10-24T12:00:30Z", "2026-10-25T12:00:30Z"),
        ] {
            assert_eq!(runs(&schedule("@hourly"), "America/Toronto", from, to, &[]).len(), 24, "{from}");
            assert_eq!(runs(&schedule("@hourly"), "Europe/Paris", from, to, &[]).len(), 24, "{from}");
        }
    }

    #[test]
    fn missed_runs_are_made_up_for_once_or_not_at_all() {
        let asleep = [("2026-11-22T02:00:00Z", "2026-11-22T09:10:00Z")];
        let mut hourly = schedule("0 * * * *");
        let night = |schedule: &Schedule| {
            runs(schedule, "UTC", "2026-11-22T00:30:00Z", "2026-11-22T10:30:00Z", &asleep)
        };
        assert_eq!(
            night(&hourly),
            ["22 01:00:00 +00:00", "22 09:10:00 +00:00", "22 10:00:00 +00:00"],
            "seven became one"
        );
        hourly.catch_up = Some(false);
        assert_eq!(night(&hourly), ["22 01:00:00 +00:00", "22 10:00:00 +00:00"]);
    }

    #[test]
    fn a_clock_that_jumps_a_year_makes_one_run() {
        let often = schedule("* * * * *");
        let times = Times::new("job", &often, TimeZone::UTC);
        let (before, after) = (at("2026-11-22T00:00:00Z"), at("2027-11-22T00:00:30Z"));
        assert_eq!(times.verdict(before, after), Verdict::Run);
        let until = times.dealt_with(before, after);
        assert_eq!(until, at("2027-11-22T00:00:00Z"));
        assert_eq!(times.verdict(until, after), Verdict::Wait);
    }

    #[test]
    fn chance_is_bounded_the_same_for_everybody_and_another_for_each() {
        let jittered = Schedule { jitter: Some(Period::mins(10)), ..schedule("0 3 * * *") };
        let next = |name: &str, day: i8| {
            let from = jiff::civil::date(2026, 6, day).to_zoned(TimeZone::UTC).unwrap().timestamp();
            let next = Times::new(name, &jittered, TimeZone::UTC).next(from).unwrap();
            next.duration_since(from + SignedDuration::from_hours(3)).as_secs()
        };
        assert_eq!(next("a", 1), next("a", 1));
        let days: Vec<i64> = (1..29).map(|day| next("a", day)).collect();
        assert!(days.iter().all(|delay| (0..=600).contains(delay)), "{days:?}");
        assert!(days.iter().max() > Some(&400) && days.iter().min() < Some(&200), "{days:?}");
        assert_ne!(next("a", 1), next("b", 1));
    }
}
