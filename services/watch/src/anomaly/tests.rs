//! Thirty days of a house, healthy and not: leaks are announced before they bite, nothing healthy is.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "minutes of a month"
)]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

const LIMIT: f64 = 1000.0;

/// A value for each hour, and tick; none while it restarts.
type Shape = Box<dyn Fn(f64, u64) -> Option<f64>>;

/// Deterministic noise in [-1, 1].
fn noise(seed: u64, at: u64) -> f64 {
    let mut x =
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(at.wrapping_mul(0xbf58_476d_1ce4_e5b9)) | 1;
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    (x >> 11) as f64 / f64::from(1 << 26) / f64::from(1 << 26) - 1.0
}

/// Feeds a value every two minutes; says at which hour what was said. Stops where the series bites.
fn run(days: u64, value: impl Fn(f64, u64) -> Option<f64>) -> Vec<(f64, Anomaly)> {
    let mut detector = Detector::default();
    let series = Series { service: "leaky".into(), measure: Measure::Memory, limit: Some(LIMIT) };
    let start: Timestamp = "2026-10-20T00:00:00Z".parse().unwrap();
    let mut said = Vec::new();
    for tick in 0..days * 720 {
        let hours = tick as f64 / 30.0;
        let Some(value) = value(hours, tick) else {
            said.extend(detector.restarted("leaky").into_iter().map(|anomaly| (hours, anomaly)));
            continue;
        };
        if value >= LIMIT {
            break;
        }
        let at = start + SignedDuration::from_secs(i64::try_from(tick * 120).unwrap());
        said.extend(detector.feed(&series, at, value).map(|anomaly| (hours, anomaly)));
    }
    said
}

fn daily(hours: f64) -> f64 {
    (std::f64::consts::TAU * hours / 24.0).sin()
}

#[test]
fn thirty_healthy_days_are_silent() {
    let cases: [(&str, Shape); 7] = [
        ("noise", Box::new(|_, tick| Some(400.0 + 40.0 * noise(1, tick)))),
        (
            "a day's rise and fall",
            Box::new(|hours, tick| Some(500.0 + 250.0 * daily(hours) + 15.0 * noise(2, tick))),
        ),
        (
            "a day that reaches nearly the limit",
            Box::new(|hours, tick| Some(550.0 + 380.0 * daily(hours) + 5.0 * noise(3, tick))),
        ),
        (
            "a restart every third day",
            Box::new(|hours, tick| {
                (hours % 72.0 > 0.05)
                    .then(|| 300.0 + 200.0 * (1.0 - (-(hours % 72.0) / 3.0).exp()) + 10.0 * noise(4, tick))
            }),
        ),
        (
            "steps to another level",
            Box::new(|hours, tick| {
                Some(
                    300.0
                        + if hours > 200.0 { 250.0 } else { 0.0 }
                        + if hours > 500.0 { 200.0 } else { 0.0 }
                        + 10.0 * noise(5, tick),
                )
            }),
        ),
        (
            "a saw of garbage collection",
            Box::new(|hours, tick| Some(300.0 + 300.0 * (hours % 7.0) / 7.0 + 5.0 * noise(6, tick))),
        ),
        (
            "wild single values",
            Box::new(|_, tick| {
                Some(if tick.is_multiple_of(97) { 990.0 } else { 300.0 + 5.0 * noise(7, tick) })
            }),
        ),
    ];
    for (name, value) in cases {
        let said = run(30, value);
        assert!(said.is_empty(), "{name}: {said:?}");
    }
}

#[test]
fn leaks_of_every_speed_are_announced_before_they_bite() {
    for days in [0.4, 1.0, 2.0, 4.0, 10.0, 25.0] {
        let bites = days * 24.0;
        let said = run(30, |hours, tick| Some(100.0 + 900.0 * hours / bites + 8.0 * noise(11, tick)));
        let (at, anomaly) = said.first().unwrap_or_else(|| panic!("a leak of {days} days was not announced"));
        let left = bites - at;
        assert!((0.5..=60.0).contains(&left), "{days} days: {left} h before, {anomaly:?}");
        assert!(
            anomaly.text.starts_with("memory grows by ") && anomaly.text.contains("is reached in"),
            "{}",
            anomaly.text
        );
    }
}

#[test]
fn a_leak_under_a_days_rise_and_fall_is_seen() {
    let bites = 12.0 * 24.0;
    let said = run(30, |hours, tick| {
        Some(200.0 + 100.0 * daily(hours) + 700.0 * hours / bites + 10.0 * noise(12, tick))
    });
    let (at, _) = said.first().expect("it was not announced");
    assert!((10.0..=96.0).contains(&(bites - at)), "{} h before", bites - at);
}

#[test]
fn a_leak_that_begins_after_ten_quiet_days_is_seen_and_a_restart_ends_it() {
    let said = run(30, |hours, tick| match hours {
        hours if (272.0..272.1).contains(&hours) => None,
        hours if hours > 272.0 => Some(300.0 + 5.0 * noise(13, tick)),
        hours => Some(300.0 + (hours - 240.0).max(0.0) * 15.0 + 5.0 * noise(13, tick)),
    });
    let begun: Vec<f64> = said.iter().filter(|(_, anomaly)| !anomaly.over).map(|(at, _)| *at).collect();
    assert!(begun.first().is_some_and(|at| (240.0..272.0).contains(at)), "{said:?}");
    let over: Vec<f64> = said.iter().filter(|(_, anomaly)| anomaly.over).map(|(at, _)| *at).collect();
    assert!(over.len() == 1 && (272.0..272.2).contains(&over[0]), "{said:?}");
    assert!(begun.iter().all(|at| *at < 272.0), "{said:?}");
}

fn feed(measure: Measure, hours: u32, value: impl Fn(f64) -> f64) -> Vec<(f64, Anomaly)> {
    let mut detector = Detector::default();
    let series = Series { service: "s".into(), measure, limit: None };
    let start: Timestamp = "2026-10-20T00:00:00Z".parse().unwrap();
    let fed = (0..hours * 60).filter_map(|minute| {
        let hours = f64::from(minute) / 60.0;
        detector
            .feed(&series, start + SignedDuration::from_mins(minute.into()), value(hours))
            .map(|anomaly| (hours, anomaly))
    });
    fed.collect()
}

#[test]
fn answers_that_become_slow_are_said_and_taken_back() {
    let said = feed(Measure::Latency, 96, |hours| {
        40.0 + 15.0 * daily(hours)
            + if (60.0..64.0).contains(&hours) { 400.0 } else { 0.0 }
            + 10.0 * noise(3, (hours * 60.0) as u64)
    });
    assert_eq!(said.iter().map(|(_, anomaly)| anomaly.over).collect::<Vec<_>>(), [false, true], "{said:?}");
    assert!((60.0..60.6).contains(&said[0].0) && (64.0..65.6).contains(&said[1].0), "{said:?}");
    assert!(said[0].1.text.starts_with("answers take 4"), "{said:?}");
}

#[test]
fn three_restarts_within_an_hour_are_unusual_and_one_a_day_is_not() {
    assert_eq!(feed(Measure::Restarts, 240, |hours| (hours / 24.0).floor()), []);
    let said = feed(Measure::Restarts, 30, |hours| ((hours - 20.0) * 6.0).clamp(0.0, 6.0).floor());
    assert!(
        said.first().is_some_and(|(at, anomaly)| *at < 21.0 && anomaly.text.contains("times within an hour")),
        "{said:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever a healthy week looks like: level, day, noise and steps that leave room, nothing is said.
    #[test]
    fn healthy_weeks_are_silent(seed in 0_u64..1_000_000, level in 200.0_f64..450.0, day in 0.0_f64..150.0, rough in 0.0_f64..40.0, step in -100.0_f64..100.0, when in 20.0_f64..150.0) {
        let said = run(7, |hours, tick| Some((level + day * daily(hours + level) + rough * noise(seed, tick) + if hours > when { step } else { 0.0 }).max(0.0)));
        prop_assert!(said.is_empty(), "{said:?}");
    }

    /// Whatever a leak looks like, it is announced before it bites.
    #[test]
    fn leaks_are_announced(seed in 0_u64..1_000_000, level in 100.0_f64..400.0, rough in 0.0_f64..20.0, bites in 14.0_f64..160.0) {
        let said = run(7, |hours, tick| Some(level + (LIMIT - level) * hours / bites + rough * noise(seed, tick)));
        prop_assert!(said.iter().any(|(at, anomaly)| !anomaly.over && *at < bites), "not announced: bites after {bites} h");
    }

    #[test]
    fn any_numbers_are_taken(values in prop::collection::vec(prop::num::f64::ANY, 0..400)) {
        let mut detector = Detector::default();
        let series = Series { service: "s".into(), measure: Measure::Disk, limit: Some(10.0) };
        for (at, value) in values.into_iter().enumerate() {
            detector.feed(&series, Timestamp::from_second(i64::try_from(at).unwrap() * 400).unwrap(), value);
        }
    }
}
