//! Evenings as families know them.

use std::collections::BTreeMap;

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sanctum_api::firewall::Scope;
use sanctum_kernel::Wall;
use sanctum_kernel::house::DeviceTier;

use super::*;

pub(super) fn hours(weekday: &str, weekend: &str, holiday: &str, wake: &str) -> Hours {
    let wall = |text: &str| text.parse::<Wall>().unwrap();
    Hours { weekday: wall(weekday), weekend: wall(weekend), holiday: wall(holiday), wake: wall(wake) }
}

pub(super) fn subject(id: &str, tier: DeviceTier) -> Subject {
    let wake = if tier == DeviceTier::Guest { "07:00" } else { "10:00" };
    Subject {
        id: id.to_owned(),
        name: id.to_owned(),
        owner: Some("ava".to_owned()),
        tier,
        hours: hours("21:30", "23:00", "23:00", wake),
        limit: None,
    }
}

pub(super) fn policy(zone: &str) -> Policy {
    let services = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    Policy {
        tz: TimeZone::get(zone).unwrap(),
        hours: hours("21:30", "23:00", "23:00", "10:00"),
        wake_guests: "07:00".parse().unwrap(),
        holidays_before: false,
        wind_down: WindDown {
            streaming_off: SignedDuration::from_mins(15),
            streaming: services(&["youtube"]),
        },
        screen_services: services(&["netflix", "youtube"]),
        homework_services: services(&["youtube"]),
        subjects: BTreeMap::new(),
        person_limits: BTreeMap::new(),
    }
}

/// New York in November 2026: the 18th is a Wednesday, the 20th a Friday.
pub(super) fn at(day: i8, time: &str) -> Timestamp {
    let time: Wall = time.parse().unwrap();
    date(2026, 11, day)
        .to_datetime(time.time())
        .to_zoned(TimeZone::get("America/New_York").unwrap())
        .unwrap()
        .timestamp()
}

fn act(deed: Deed, from: Timestamp) -> Act {
    Act { deed, target: Target::Everyone, from, until: None, author: "mum".to_owned(), reason: String::new() }
}

struct Scene {
    policy: Policy,
    ledger: Ledger,
    subject: Subject,
}

impl Scene {
    fn new(tier: DeviceTier) -> Self {
        Self { policy: policy("America/New_York"), ledger: Ledger::default(), subject: subject("xbox", tier) }
    }

    fn with(mut self, act: Act) -> Self {
        self.ledger.acts.push(act);
        self
    }

    fn ask(&self, at: Timestamp) -> Ruling {
        decide(&self.policy, &self.ledger, &self.subject, at)
    }

    fn check(&self, cases: &[(i8, &str, Option<Scope>, &str)]) {
        for (day, time, blocked, because) in cases {
            let ruling = self.ask(at(*day, time));
            assert_eq!(ruling.blocked, *blocked, "on the {day} at {time}: {ruling:?}");
            assert!(ruling.because.contains(because), "on the {day} at {time}: {ruling:?}");
        }
    }
}

const ALL: Option<Scope> = Some(Scope::All);

#[expect(clippy::unnecessary_wraps, reason = "the cases below say `None`, `ALL` or `only(…)`")]
fn only(names: &[&str]) -> Option<Scope> {
    Some(Scope::Services(names.iter().map(|name| (*name).to_owned()).collect()))
}

#[test]
fn the_night_decides_and_not_the_calendar_day() {
    Scene::new(DeviceTier::Gaming).check(&[
        (18, "21:14", None, "weekday curfew 21:30–10:00 has not begun"),
        (18, "21:15", only(&["youtube"]), "wind-down"),
        (18, "21:29", only(&["youtube"]), "wind-down"),
        (18, "21:30", ALL, "weekday curfew 21:30–10:00"),
        (20, "06:59", ALL, "weekday"),
        (20, "10:00", None, "weekend curfew 23:00–10:00 has not begun"),
        (20, "21:45", None, "weekend"),
        (21, "00:30", ALL, "weekend"),
        (22, "02:47", ALL, "weekend"),
        (22, "21:30", ALL, "weekday"),
    ]);
}

#[test]
fn tiers_differ_in_what_is_cut_and_when_it_ends() {
    Scene::new(DeviceTier::Personal).check(&[(18, "23:00", None, "personal")]);
    Scene::new(DeviceTier::Exempt).check(&[(18, "23:00", None, "exempt")]);
    Scene::new(DeviceTier::Screen).check(&[(18, "23:00", only(&["netflix", "youtube"]), "weekday")]);
    Scene::new(DeviceTier::Guest).check(&[
        (18, "21:29", None, ""),
        (19, "06:59", ALL, "21:30–07:00"),
        (19, "07:00", None, ""),
    ]);
}

#[test]
fn a_holiday_frees_its_own_evening_or_the_one_before_it() {
    let mut scene = Scene::new(DeviceTier::Gaming);
    scene.ledger.holidays.insert(date(2026, 11, 18));
    scene.check(&[
        (17, "22:00", ALL, "weekday"),
        (18, "22:00", None, "holiday curfew 23:00"),
        (18, "23:00", ALL, "holiday"),
    ]);
    scene.policy.holidays_before = true;
    scene.check(&[(17, "22:00", None, "holiday"), (18, "22:00", ALL, "weekday")]);
}

#[test]
fn an_extension_moves_the_bedtime_before_it_and_opens_the_curfew_during_it() {
    let scene = Scene::new(DeviceTier::Gaming).with(act(Deed::Extend { minutes: 30 }, at(18, "20:00")));
    scene.check(&[
        (18, "21:14", None, "moved to 22:00"),
        (18, "21:40", None, "+30 min"),
        (18, "21:45", only(&["youtube"]), "wind-down"),
        (18, "22:00", ALL, "moved to 22:00"),
        (19, "21:30", ALL, "weekday curfew 21:30–10:00"),
    ]);
    let late = Scene::new(DeviceTier::Gaming).with(act(Deed::Extend { minutes: 30 }, at(18, "22:10")));
    late.check(&[(18, "22:09", ALL, ""), (18, "22:10", None, "+30 min"), (18, "22:40", ALL, "weekday")]);
    let twice = late.with(act(Deed::Extend { minutes: 30 }, at(18, "22:20")));
    twice.check(&[(18, "23:09", None, "+30"), (18, "23:10", ALL, "weekday")]);
}

#[test]
fn the_last_override_wins_and_lasts_until_the_night_ends() {
    let scene = Scene::new(DeviceTier::Gaming).with(act(Deed::Curfew, at(18, "16:00")));
    scene.check(&[
        (18, "15:59", None, ""),
        (18, "16:00", ALL, "curfew now, by mum"),
        (19, "09:59", ALL, ""),
        (19, "10:00", None, ""),
    ]);
    let clear = scene.with(act(Deed::AllClear, at(18, "22:00")));
    clear.check(&[
        (18, "21:59", ALL, ""),
        (18, "22:00", None, "all clear"),
        (19, "09:59", None, ""),
        (19, "21:30", ALL, ""),
    ]);
}

#[test]
fn homework_leaves_the_allow_list_and_ends_by_itself() {
    let homework = Act { until: Some(at(18, "18:00")), ..act(Deed::Homework, at(18, "16:00")) };
    Scene::new(DeviceTier::Screen)
        .with(homework.clone())
        .check(&[(18, "16:00", only(&["youtube"]), "homework"), (18, "18:00", None, "weekday")]);
    let scene = Scene::new(DeviceTier::Gaming).with(homework);
    scene.check(&[(18, "17:59", ALL, "homework")]);
    scene.with(act(Deed::AllClear, at(18, "16:30"))).check(&[(18, "17:00", None, "all clear")]);
}

#[test]
fn a_limit_ends_with_the_day_and_grows_with_what_is_given() {
    let mut scene = Scene::new(DeviceTier::Gaming);
    scene.policy.person_limits.insert("ava".to_owned(), 120);
    scene.ledger.person_minutes.insert(("ava".to_owned(), date(2026, 11, 20)), 120);
    scene.check(&[(20, "19:00", ALL, "120 minutes of ava are used up"), (21, "10:00", None, "weekend")]);
    let scene = scene.with(act(Deed::Extend { minutes: 30 }, at(20, "19:00")));
    scene.check(&[(20, "19:01", None, "")]);
}

#[test]
fn a_guests_pass_expires_and_a_resident_is_left_alone() {
    let mut scene = Scene::new(DeviceTier::Guest);
    let mut pass = |pass, expires| scene.ledger.guests.insert("xbox".to_owned(), Guest { pass, expires });
    pass(Pass::Approved, Some(at(19, "16:00")));
    scene.check(&[
        (18, "22:00", ALL, "weekday"),
        (19, "15:59", None, ""),
        (19, "16:00", ALL, "pass is over"),
    ]);
    scene.ledger.guests.insert("xbox".to_owned(), Guest { pass: Pass::Resident, expires: None });
    scene.check(&[(18, "22:00", None, "part of the house")]);
}

#[test]
fn explain_names_the_rule_that_decides_and_those_it_beat() {
    let scene = Scene::new(DeviceTier::Gaming).with(act(Deed::AllClear, at(20, "21:00")));
    let (ruling, rules) = explain(&scene.policy, &scene.ledger, &scene.subject, at(20, "21:45"));
    assert_eq!(ruling.until, Some(at(21, "10:00")));
    let said: Vec<_> = rules.iter().map(|said| (said.rule.as_str(), said.applies)).collect();
    let expected = [
        ("override", true),
        ("homework", false),
        ("limit", false),
        ("wind-down", false),
        ("holiday", false),
        ("weekend", true),
        ("weekday", true),
    ];
    assert_eq!(said, expected, "{rules:#?}");
}

#[test]
fn the_night_of_a_clock_change_is_described_as_long_as_it_is() {
    let policy = policy("America/New_York");
    let newcomer = policy.newcomer();
    let autumn = Night::of(&newcomer.hours, NightKind::Weekday, date(2026, 10, 31), &policy.tz);
    assert_eq!(describe(autumn.lock, autumn.unlock, &policy.tz), "21:30–07:00, 10 h 30 min, clocks go back");
    let spring = Night::of(&newcomer.hours, NightKind::Weekday, date(2026, 3, 7), &policy.tz);
    assert_eq!(
        describe(spring.lock, spring.unlock, &policy.tz),
        "21:30–07:00, 8 h 30 min, clocks go forward"
    );
}

#[test]
fn a_list_that_a_family_has_emptied_cuts_nothing_off() {
    let mut scene = Scene::new(DeviceTier::Screen);
    scene.policy.wind_down.streaming.clear();
    scene.policy.screen_services.clear();
    scene.check(&[(18, "21:20", None, "wind-down"), (18, "22:00", None, "weekday")]);
}

#[test]
fn minutes_given_after_a_curfew_was_called_open_it() {
    let scene = Scene::new(DeviceTier::Gaming).with(act(Deed::Curfew, at(18, "22:00")));
    let scene = scene.with(act(Deed::Extend { minutes: 15 }, at(18, "22:30")));
    scene.check(&[
        (18, "22:29", ALL, "curfew now"),
        (18, "22:30", None, "+15 min"),
        (18, "22:45", ALL, "curfew now"),
    ]);
}
