//! What people say: leave it alone, heed this, look now, try again; and what the supervisor says.

use sanctum_api::watch::{AttentionRequest, HoldRequest, Stage, State};
use sanctum_kernel::Period;
use serde_json::json;

use crate::world::{
    Mood, Target, all_well, calls, change, client, declared, incident, is, mend, new, orders, said, told,
    when,
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
    let locked = json!({ "at": "2026-11-22T00:00:00Z", "reason": "5 failures", "last_lines": [] });
    change(house.home(), "app", json!({ "phase": "locked", "pid": null, "locked": locked }));
    incident(&house, "app", "a person to be asked", |one| one.stage == Stage::Escalated).await;
    // The supervisor's breaker calls people itself: here it is only shown, with the way out.
    let told = said(&house, "the line on the dashboard", |told| !told.is_empty()).await;
    assert!(calls(&told).is_empty(), "{told:?}");
    let message = &told[0].notice.message;
    assert!(message.contains("sanctum unlock app"), "{message}");
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
