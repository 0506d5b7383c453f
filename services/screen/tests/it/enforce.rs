//! What the rules want is what the firewall holds: at the minute, after restarts, through steps and sins.

use std::time::Duration;

use jiff::SignedDuration;
use sanctum_api::firewall::{Desired, Happening, Kind, Newcomers, Scope, Standing};
use sanctum_kernel::Clock;
use sanctum_kernel::discipline::Discipline;
use serde_json::json;

use crate::stubs::{Sin, wall};
use crate::world::{at, desired, device, happening, house, until_desired, until_screen};

#[tokio::test]
async fn the_curfew_begins_by_itself_and_says_when_it_ends() {
    let house = house("2026-11-18T21:29:59").start().await;
    let before = until_desired(house.home(), "streaming to be off before bedtime", |desired| {
        desired.blocks.contains_key("xbox")
    })
    .await;
    assert!(matches!(before.blocks["xbox"].scope, Scope::Services(_)), "{before:?}");
    assert_eq!(before.newcomers, Newcomers::Allow);
    let after =
        until_desired(house.home(), "the curfew", |desired| desired.newcomers == Newcomers::Block).await;
    assert_eq!(after.blocks["xbox"].scope, Scope::All);
    assert_eq!(after.blocks["xbox"].until, Some(at("2026-11-19T10:00:00")));
    assert!(
        matches!(&after.blocks["tv"].scope, Scope::Services(services) if services.contains(&"youtube".to_owned()))
    );
    assert!(!after.blocks.contains_key("phone"));
    assert_eq!(after.newcomers_until, Some(at("2026-11-19T07:00:00")));
    let status =
        until_screen(&house, "/screen/status", "the read-back", |status| status["enforced"] == "applied")
            .await;
    assert_eq!(status["tonight"], "21:30–10:00, 12 h 30 min, weekday night");
    house.stop().await;
}

#[tokio::test]
async fn a_restart_inside_the_curfew_keeps_it_and_writes_nothing() {
    let house = house("2026-11-19T02:00:00").start().await;
    until_desired(house.home(), "the curfew", |desired| desired.newcomers == Newcomers::Block).await;
    let clear = json!({ "target": "tv", "action": "all-clear", "author": "mum", "reason": "film" });
    assert_eq!(house.send("screen", "POST", "/screen/override", &clear).await.0, 200);
    let before =
        until_desired(house.home(), "the override", |desired| !desired.blocks.contains_key("tv")).await;
    let puts = wall(house.home()).lock().unwrap().puts;
    let house = house.stop().await.start().await;
    until_screen(&house, "/screen/status", "the read-back", |status| status["enforced"] == "applied").await;
    assert_eq!(desired(house.home()), before);
    assert_eq!(wall(house.home()).lock().unwrap().puts, puts);
    house.stop().await;
}

#[tokio::test]
async fn a_block_that_should_have_been_lifted_while_down_is_lifted_at_start() {
    let house = house("2026-11-19T09:00:00").start().await;
    until_desired(house.home(), "the morning's blocks", |desired| desired.blocks.contains_key("xbox")).await;
    let clock = house.clock().clone();
    let stopped = house.stop().await;
    clock.set(at("2026-11-19T12:00:00"));
    let house = stopped.start().await;
    let desired = until_desired(house.home(), "the lift", |desired| desired.blocks.is_empty()).await;
    assert_eq!(desired.newcomers, Newcomers::Allow);
    house.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_stepped_either_way_is_followed() {
    let house = house("2026-11-18T15:00:00").start().await;
    until_screen(&house, "/screen/status", "the first declaration", |status| status["enforced"] == "applied")
        .await;
    house.clock().step(SignedDuration::from_hours(8));
    until_desired(house.home(), "the curfew after a step forward", |desired| {
        desired.blocks.contains_key("xbox")
    })
    .await;
    house.clock().step(SignedDuration::from_hours(-8));
    until_desired(house.home(), "the lift after a step back", |desired| desired.blocks.is_empty()).await;
    house.stop().await;
}

#[tokio::test]
async fn a_clock_that_cannot_be_right_changes_nothing_and_tells_a_parent() {
    let house = house("2026-11-19T02:00:00").start().await;
    let held = until_desired(house.home(), "the curfew", |desired| desired.blocks.contains_key("xbox")).await;
    house.clock().set("1970-01-02T00:00:00Z".parse().unwrap());
    let status =
        until_screen(&house, "/screen/status", "the doubt", |status| status["enforced"] == "unknown").await;
    assert!(status["detail"].as_str().unwrap().contains("1970"), "{status}");
    assert_eq!(desired(house.home()), held);
    let hub = crate::stubs::hub(house.home());
    sanctum_testkit::eventually("a parent to be told", crate::world::SOON, async || {
        hub.lock()
            .unwrap()
            .notices
            .iter()
            .any(|(notice, _, _)| notice.labels["about"] == "clock")
            .then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn the_night_of_a_clock_change_is_as_long_as_it_is() {
    let house = house("2026-10-31T22:59:59").start().await;
    let curfew =
        until_desired(house.home(), "the curfew", |desired| desired.newcomers == Newcomers::Block).await;
    // 23:00 to 10:00 with an hour twice.
    assert_eq!(curfew.blocks["xbox"].until, Some(at("2026-10-31T23:00:00") + SignedDuration::from_hours(12)));
    let (_, status) = house.get("screen", "/screen/status").await;
    assert_eq!(status["tonight"], "23:00–10:00, 12 h, clocks go back, weekend night");
    house.clock().set(at("2026-11-01T09:59:59"));
    until_desired(house.home(), "the lift at 10:00", |desired| desired.blocks.is_empty()).await;
    house.stop().await;
}

#[tokio::test]
async fn a_conflict_is_tried_again_and_a_lie_is_seen() {
    let stopped = house("2026-11-19T02:00:00");
    wall(stopped.home()).lock().unwrap().sin = Sin::Conflicts(3);
    let house = stopped.start().await;
    until_screen(&house, "/screen/status", "the fourth try", |status| status["enforced"] == "applied").await;
    wall(house.home()).lock().unwrap().sin = Sin::Lies;
    let clear = json!({ "action": "all-clear", "author": "mum", "reason": "" });
    house.send("screen", "POST", "/screen/override", &clear).await;
    let status = until_screen(&house, "/screen/status", "the lie to be seen", |status| {
        status["enforced"] == "not-applied"
    })
    .await;
    assert!(status["detail"].as_str().unwrap().contains("shows others"), "{status}");
    assert!(!desired(house.home()).blocks.is_empty());
    wall(house.home()).lock().unwrap().sin = Sin::None;
    until_desired(house.home(), "the truth", |desired| desired.blocks.is_empty()).await;
    house.stop().await;
}

#[tokio::test]
async fn a_firewall_that_was_away_gets_the_rules_when_it_returns() {
    let stopped = house("2026-11-19T02:00:00");
    wall(stopped.home()).lock().unwrap().sin = Sin::Down;
    let house = stopped.start().await;
    let status =
        until_screen(&house, "/screen/status", "the silence", |status| status["enforced"] == "unknown").await;
    assert!(status["detail"].as_str().is_some(), "{status}");
    wall(house.home()).lock().unwrap().sin = Sin::Slow(std::time::Duration::from_millis(300));
    until_desired(house.home(), "the rules", |desired| desired.blocks.contains_key("xbox")).await;
    assert!(wall(house.home()).lock().unwrap().closed_to_newcomers());
    house.stop().await;
}

#[tokio::test]
async fn what_is_lifted_at_the_firewall_is_noticed_and_what_is_switched_off_is_said() {
    let house = house("2026-11-19T02:00:00").start().await;
    until_desired(house.home(), "the curfew", |desired| desired.blocks.contains_key("xbox")).await;
    until_screen(&house, "/screen/status", "the read-back", |status| status["enforced"] == "applied").await;
    let trace = sanctum_kernel::Trace::start().id();
    let wall = wall(house.home());
    {
        let mut wall = wall.lock().unwrap();
        wall.desired.blocks.remove("xbox");
        wall.desired.version += 1;
        wall.say(&happening(Kind::Unblocked, "xbox", house.clock().now(), trace));
    }
    until_desired(house.home(), "the block again", |desired| desired.blocks.contains_key("xbox")).await;
    let switch = |off: bool| {
        let mut wall = wall.lock().unwrap();
        wall.off = off;
        wall.say(&Happening { device: None, ..happening(Kind::Drift, "", house.clock().now(), trace) });
    };
    switch(true);
    let status =
        until_screen(&house, "/screen/status", "the truth", |status| status["enforced"] == "not-applied")
            .await;
    assert!(status["detail"].as_str().unwrap().contains("sanctum firewall on"), "{status}");
    switch(false);
    until_screen(&house, "/screen/status", "the read-back", |status| status["enforced"] == "applied").await;
    house.stop().await;
}

#[tokio::test]
async fn a_guest_whom_the_firewall_forgot_takes_nobody_elses_rules_away() {
    let stopped = house("2026-11-19T02:00:00");
    let wall = wall(stopped.home());
    wall.lock().unwrap().devices.insert("switch".to_owned(), device("switch", Standing::Automatic));
    let house = stopped.start().await;
    let both = |desired: &Desired| ["switch", "xbox"].iter().all(|id| desired.blocks.contains_key(*id));
    until_desired(house.home(), "both to be blocked", both).await;
    {
        let mut wall = wall.lock().unwrap();
        wall.devices.remove("switch");
        wall.forgotten = Some("switch");
    }
    let curfew = json!({ "target": "ava", "action": "curfew", "author": "mum", "reason": "late" });
    house.send("screen", "POST", "/screen/override", &curfew).await;
    let desired = until_desired(house.home(), "the rules without the guest", |desired| {
        desired.blocks.get("xbox").is_some_and(|block| block.reason.contains("late"))
    })
    .await;
    assert!(!desired.blocks.contains_key("switch"));
    until_screen(&house, "/screen/status", "it to be said", |status| status["enforced"] == "applied").await;
    house.stop().await;
}

#[tokio::test]
async fn a_service_the_router_does_not_know_keeps_no_other_block_away_and_is_said() {
    let stopped = house("2026-11-18T22:00:00");
    wall(stopped.paths().home()).lock().unwrap().nameless = Some("netflix");
    let house = stopped.start().await;
    let seen = until_desired(house.home(), "the curfew", |desired| desired.blocks.contains_key("tv")).await;
    let Scope::Services(names) = &seen.blocks["tv"].scope else { panic!("{seen:?}") };
    assert!(names.contains(&"youtube".to_owned()) && !names.contains(&"netflix".to_owned()), "{names:?}");
    assert_eq!(seen.blocks["xbox"].scope, Scope::All, "everybody else's rules hold");
    let status =
        until_screen(&house, "/screen/status", "what is wrong", |status| status["enforced"] == "not-applied");
    let detail = status.await["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("`netflix`") && detail.contains("[firewall.services]"), "{detail}");
    wall(house.home()).lock().unwrap().nameless = None;
    until_screen(&house, "/screen/status", "the whole", |status| status["enforced"] == "applied").await;
    house.stop().await;
}

#[tokio::test]
async fn a_machine_that_has_just_started_waits_for_its_clock_to_be_set() {
    let clock = Clock::starting_at(at("2026-11-19T02:00:00"));
    let up = Duration::from_mins(1);
    clock.disciplined(Some(Discipline { synchronised: false, up }));
    let house = house("2026-11-19T02:00:00").clock(clock).start().await;
    let status =
        until_screen(&house, "/screen/status", "the doubt", |status| status["enforced"] == "unknown");
    let detail = status.await["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("has not set its clock"), "{detail}");
    assert_eq!(desired(house.home()), Desired::default(), "nothing is guessed");
    house.clock().disciplined(Some(Discipline { synchronised: true, up }));
    house.clock().step(SignedDuration::from_secs(30));
    until_desired(house.home(), "the curfew", |desired| desired.blocks.contains_key("xbox")).await;
    house.stop().await;
}
