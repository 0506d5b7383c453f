//! What holds for every policy and every ledger.

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use sanctum_kernel::Wall;
use sanctum_kernel::house::DeviceTier;

use super::scenes::{policy, subject};
use super::*;

const ZONES: [&str; 4] = ["America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata"];

/// Minutes after noon UTC on 2026-03-01: five weeks, with a change of clocks in most zones.
fn instant() -> impl Strategy<Value = Timestamp> {
    (0..60 * 24 * 60i64).prop_map(|minutes| Timestamp::from_second(1_772_366_400 + minutes * 60).unwrap())
}

fn wall() -> impl Strategy<Value = Wall> {
    (0..24i8, 0..60i8).prop_map(|(hour, minute)| Wall::new(hour, minute))
}

fn hours() -> impl Strategy<Value = Hours> {
    (wall(), wall(), wall(), wall()).prop_map(|(weekday, weekend, holiday, wake)| Hours {
        weekday,
        weekend,
        holiday,
        wake,
    })
}

fn tier() -> impl Strategy<Value = DeviceTier> {
    prop::sample::select(vec![
        DeviceTier::Gaming,
        DeviceTier::Screen,
        DeviceTier::Guest,
        DeviceTier::Personal,
    ])
}

fn target() -> impl Strategy<Value = Target> {
    prop::sample::select(vec![
        Target::Everyone,
        Target::Person("ava".to_owned()),
        Target::Person("leo".to_owned()),
        Target::Device("xbox".to_owned()),
    ])
}

fn act() -> impl Strategy<Value = Act> {
    let deed = prop_oneof![
        (1..200u32).prop_map(|minutes| Deed::Extend { minutes }),
        (1..90u32).prop_map(|minutes| Deed::Credit { minutes }),
        Just(Deed::Curfew),
        Just(Deed::AllClear),
        Just(Deed::Homework),
    ];
    (deed, target(), instant(), prop::option::of(1..5000i64)).prop_map(|(deed, target, from, length)| {
        let length = if deed == Deed::Homework { Some(length.unwrap_or(120)) } else { length };
        let until = length.map(|minutes| from.checked_add(SignedDuration::from_mins(minutes)).unwrap());
        Act { deed, target, from, until, author: "mum".to_owned(), reason: String::new() }
    })
}

fn day() -> impl Strategy<Value = Date> {
    (0..60i64).prop_map(|days| date(2026, 3, 1).checked_add(SignedDuration::from_hours(24 * days)).unwrap())
}

fn ledger() -> impl Strategy<Value = Ledger> {
    let pass = prop::sample::select(vec![Pass::Waiting, Pass::Approved, Pass::Refused]);
    (
        prop::collection::vec(act(), 0..6),
        prop::collection::btree_set(day(), 0..4),
        prop::option::of((pass, prop::option::of(instant()))),
        prop::collection::btree_map(day().prop_map(|day| ("ava".to_owned(), day)), 0..200u32, 0..4),
    )
        .prop_map(|(acts, holidays, guest, person_minutes)| Ledger {
            acts,
            holidays,
            guests: guest
                .map(|(pass, expires)| ("xbox".to_owned(), Guest { pass, expires }))
                .into_iter()
                .collect(),
            person_minutes,
            ..Ledger::default()
        })
}

fn world() -> impl Strategy<Value = (Policy, Ledger, Subject)> {
    (
        prop::sample::select(ZONES.to_vec()),
        hours(),
        tier(),
        ledger(),
        any::<bool>(),
        prop::option::of(30..180u32),
        0..60i64,
    )
        .prop_map(|(zone, hours, tier, ledger, before, limit, wind_down)| {
            let mut policy = policy(zone);
            policy.holidays_before = before;
            policy.wind_down.streaming_off = SignedDuration::from_mins(wind_down);
            policy.person_limits.extend(limit.map(|limit| ("ava".to_owned(), limit)));
            (policy, ledger, Subject { hours, ..subject("xbox", tier) })
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_ruling_is_constant_until_its_change_and_different_there((policy, ledger, subject) in world(), start in instant()) {
        let ruling = decide(&policy, &ledger, &subject, start);
        let end = ruling.until.unwrap_or(start + SignedDuration::from_hours(60));
        let mut at = start;
        // Every minute of the first hours, then coarser: the edges of these worlds lie on minutes.
        while at < end {
            let same = decide(&policy, &ledger, &subject, at);
            prop_assert_eq!(&same, &ruling, "at {}", at);
            let step = if at.duration_since(start).as_mins() < 20 || end.duration_since(at).as_mins() <= 20 { 1 } else { 17 };
            at += SignedDuration::from_mins(step);
        }
        if let Some(end) = ruling.until {
            let next = decide(&policy, &ledger, &subject, end);
            prop_assert!(next.blocked != ruling.blocked || next.because != ruling.because);
        }
    }

    #[test]
    fn a_timeline_is_whole_and_says_what_asking_says((policy, ledger, subject) in world(), start in instant(), ask in 0..2000i64) {
        let end = start + SignedDuration::from_hours(36);
        let stretches = timeline(&policy, &ledger, &subject, start, end);
        prop_assert_eq!(stretches.first().map(|stretch| stretch.from), Some(start));
        prop_assert_eq!(stretches.last().map(|stretch| stretch.to), Some(end));
        prop_assert!(stretches.windows(2).all(|pair| pair[0].to == pair[1].from));
        let at = start + SignedDuration::from_mins(ask);
        let found = stretches.iter().find(|stretch| stretch.from <= at && at < stretch.to).unwrap();
        prop_assert_eq!(&found.ruling.blocked, &decide(&policy, &ledger, &subject, at).blocked);
    }

    #[test]
    fn a_block_ends_where_it_says((policy, ledger, subject) in world(), start in instant()) {
        if let Some(end) = allowed_from(&policy, &ledger, &subject, start) {
            prop_assert_eq!(decide(&policy, &ledger, &subject, end).blocked, None);
        }
    }
}
