//! What people say: leave it alone, heed this, look now, try again; and what the supervisor says.

use sanctum_api::notify::Severity;
use sanctum_api::watch::{AttentionRequest, HoldRequest, Stage, State};
use sanctum_kernel::Period;
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use crate::world::{
    Mood, SOON, Target, all_well, calls, change, client, declared, incident, is, kept, mend, new, orders,
    said, told, when,
};

#[tokio::test]
async fn what_is_held_is_seen_and_nothing_is_done_until_it_is_released() {
    let target = Target::new(Mood::Well);
    let house = new(&declared("app", &[], &target.url(), "")).start().await;
    all_well(&house).await;
    let request = HoldRequest { length: Period::hours(1), why: "new disk".to_owned() };
    let hold = client(&house).hold("app", &request).await.unwrap();
    assert_eq!((hold.by.as_str(), hold.why.as_str()), ("cli", "new disk"));
    target.set(Mood::Sick);
    let node = is(&house, "app", State::Failed).await;
    assert_eq!(node.hold, Some(hold));
    // Long enough for a whole ladder of this test's house.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(orders(house.home()).is_empty() && told(&house).await.is_empty());
    client(&house).release("app").await.unwrap();
    incident(&house, "app", "a person to be asked", |one| one.stage == Stage::Escalated).await;
    assert!(!orders(house.home()).is_empty());
    house.stop().await;
}

#[tokio::test]
async fn a_hold_survives_a_restart() {
    let target = Target::new(Mood::Well);
    let house = new(&declared("app", &[], &target.url(), "")).start().await;
    all_well(&house).await;
    let request = HoldRequest { length: Period::hours(1), why: String::new() };
    client(&house).hold("app", &request).await.unwrap();
    let house = house.stop().await.start().await;
    target.set(Mood::Sick);
    let node = is(&house, "app", State::Failed).await;
    assert!(node.hold.is_some());
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(orders(house.home()).is_empty() && told(&house).await.is_empty());
    house.stop().await;
}

#[tokio::test]
async fn who_was_stopped_on_purpose_is_left_alone() {
    let target = Target::new(Mood::Well);
    let house = new(&declared("app", &[], &target.url(), "")).start().await;
    all_well(&house).await;
    change(house.home(), "app", json!({ "phase": "stopped", "pid": null }));
    when(&house, "app", "the hold of the supervisor", |node| {
        node.hold.as_ref().is_some_and(|hold| hold.by == "supervise")
    })
    .await;
    target.set(Mood::Gone);
    is(&house, "app", State::Failed).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(orders(house.home()).is_empty() && told(&house).await.is_empty());
    house.stop().await;
}

#[tokio::test]
async fn what_the_supervisor_locks_has_failed_and_the_way_out_is_said() {
    let target = Target::new(Mood::Well);
    let house = new(&declared("app", &[], &target.url(), "")).start().await;
    all_well(&house).await;
    target.set(Mood::Gone);
    // The supervisor has called people itself: here it is only shown, with the way out.
    lock(&house, 5, &json!("supervise"));
    incident(&house, "app", "a person to be asked", |one| one.stage == Stage::Escalated).await;
    let told = said(&house, "the line on the dashboard", |told| !told.is_empty()).await;
    assert!(calls(&told).is_empty(), "{told:?}");
    let message = &told[0].notice.message;
    assert!(message.contains("sanctum unlock app"), "{message}");
    house.stop().await;
}

fn lock(house: &House, failures: u32, told: &Value) {
    let locked = json!({
        "at": "2026-11-22T00:00:00Z", "reason": "it failed 5 times within 10m", "last_lines": ["no such zone"], "told": told
    });
    let state = json!({ "phase": "locked", "pid": null, "restarts": failures, "locked": locked });
    change(house.home(), "app", state);
}

/// Whom the supervisor believes to tell people of the lock.
async fn teller(house: &House, wanted: &str) {
    let kept = kept(house.home());
    eventually("the lock to be claimed", SOON, async || {
        (kept.lock().unwrap().states["app"]["locked"]["told"] == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_lock_is_one_call_that_says_everything_is_claimed_and_ends_itself() {
    let target = Target::new(Mood::Well);
    let house = new(&declared("app", &[], &target.url(), "")).start().await;
    all_well(&house).await;
    target.set(Mood::Gone);
    lock(&house, 5, &Value::Null);
    teller(&house, "watch").await;
    let told = said(&house, "the call", |told| !calls(told).is_empty()).await;
    let call = calls(&told)[0].notice.clone();
    assert_eq!((call.severity, call.title.as_str()), (Severity::Critical, "app is locked"));
    for part in [
        "It failed 5 times within 10m; locked since ",
        "Tried: the supervisor started it again 4 times",
        "To do: remove the cause, then `sanctum unlock app` starts it again",
        "Its last lines:\nno such zone",
    ] {
        assert!(call.message.contains(part), "{part}: {}", call.message);
    }
    // The supervisor was killed before it could write that down, and is locked out of nothing: it hears it again.
    lock(&house, 5, &Value::Null);
    teller(&house, "watch").await;
    incident(&house, "app", "the ladder to have ended", |one| one.stage == Stage::Escalated).await;
    target.set(Mood::Well);
    change(house.home(), "app", json!({ "phase": "ready", "pid": 7, "restarts": 0, "locked": null }));
    incident(&house, "app", "it to be over", |one| one.stage == Stage::Resolved).await;
    let told = said(&house, "its end", |told| told.iter().any(|one| one.notice.resolved)).await;
    assert_eq!(calls(&told).len(), 1, "{told:?}");
    assert!(told.iter().all(|one| one.resolved.is_some()), "nothing of it is left open: {told:?}");
    house.stop().await;
}

/// What was told of an incident before the supervisor gave up is less than that: people hear it once more, and then no more.
#[tokio::test]
async fn a_lock_in_the_middle_of_an_incident_is_told_in_its_notice() {
    let target = Target::new(Mood::Well);
    let house = new(&declared("app", &[], &target.url(), "")).start().await;
    all_well(&house).await;
    target.set(Mood::Sick);
    let open = incident(&house, "app", "a person to be asked", |one| one.stage == Stage::Escalated).await;
    said(&house, "the first call", |told| calls(told).len() == 1).await;
    lock(&house, 5, &Value::Null);
    teller(&house, "watch").await;
    let told = said(&house, "the lock", |told| calls(told).len() == 2).await;
    let calls = calls(&told);
    assert_eq!(calls[0].notice.dedup_key, calls[1].notice.dedup_key, "one thing on every screen");
    assert_eq!((calls[0].notice.severity, calls[1].notice.severity), (Severity::Error, Severity::Critical));
    assert_eq!(client(&house).incidents(1).await.unwrap()[0].id, open.id);
    house.stop().await;
}

#[tokio::test]
async fn a_person_begins_the_ladder_anew() {
    let target = Target::new(Mood::Well);
    let stopped = new(&declared("app", &[], &target.url(), ""));
    let house = stopped.start().await;
    all_well(&house).await;
    target.set(Mood::Sick);
    let open = incident(&house, "app", "a person to be asked", |one| one.stage == Stage::Escalated).await;
    let before = orders(house.home()).len();
    mend(house.home(), "app", &target, 1);
    // The recipe's own pause is longer than this test's house.
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    client(&house).again(open.id).await.unwrap();
    incident(&house, "app", "it to be over", |one| one.stage == Stage::Resolved).await;
    assert!(orders(house.home()).len() > before);
    let told = said(&house, "its end", |told| told.iter().any(|one| one.notice.resolved)).await;
    assert_eq!(calls(&told).len(), 1, "{told:?}");
    house.stop().await;
}

#[tokio::test]
async fn a_look_now_asks_every_check_and_attention_is_seen() {
    let target = Target::new(Mood::Well);
    let service = declared("app", &[], &target.url(), "").replace("200ms", "1h");
    let house = new(&service).start().await;
    all_well(&house).await;
    let first = client(&house).check("app").await.unwrap().checks[0].at.unwrap();
    let second = client(&house).check("app").await.unwrap().checks[0].at.unwrap();
    assert!(second > first);
    let request = AttentionRequest { word: "recording".to_owned(), length: Period::hours(1) };
    let attention = client(&house).attend(&request).await.unwrap();
    assert_eq!(client(&house).body().await.unwrap().attention, Some(attention));
    house.stop().await;
}
