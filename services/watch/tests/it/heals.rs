//! A service dies, and is healed; or is not, and a person is asked.

use sanctum_api::notify::Severity;
use sanctum_api::watch::{Stage, State};
use sanctum_testkit::eventually;

use crate::world::{
    Mood, SOON, Target, all_well, calls, client, declared, incident, is, mend, new, orders, said,
};

#[tokio::test]
async fn what_healing_closes_is_a_line_on_the_dashboard_and_nobody_is_called() {
    let target = Target::new(Mood::Well);
    let stopped = new(&declared("app", &[], &target.url(), ""));
    mend(stopped.home(), "app", &target, 1);
    let house = stopped.start().await;
    all_well(&house).await;
    target.set(Mood::Gone);
    is(&house, "app", State::Failed).await;
    let over = incident(&house, "app", "it to be over", |one| one.stage == Stage::Resolved).await;
    assert_eq!(orders(house.home()), ["restart app"]);
    assert_eq!(
        (over.tried.len(), over.tried[0].action.as_str(), over.tried[0].helped),
        (1, "restart app", Some(true))
    );
    let whats: Vec<&str> = over.timeline.iter().map(|entry| entry.what.as_str()).collect();
    assert!(
        whats.starts_with(&["seen", "believed"])
            && whats.contains(&"tried")
            && whats.ends_with(&["recovered"]),
        "{whats:?}"
    );
    assert!(over.began <= over.detected && over.detected <= over.resolved.unwrap());
    let told = said(&house, "the line on the dashboard", |told| !told.is_empty()).await;
    assert!(calls(&told).is_empty(), "{told:?}");
    assert!(
        told[0].notice.title.contains("healed in") && told[0].notice.severity == Severity::Info,
        "{told:?}"
    );
    let page = client(&house).post_mortem(over.id).await.unwrap().text;
    for part in [
        "# Incident 1: app",
        "Detected",
        "healed",
        "restart app: it helped",
        "## Timeline",
        "_To be written._",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let trend = client(&house).trends(1).await.unwrap();
    assert_eq!((trend.len(), trend[0].incidents, trend[0].by_itself), (1, 1, 1));
    assert!(trend[0].to_heal > 0.0 && trend[0].to_detect >= 0.0);
    let log = client(&house).transitions(1, Some("app")).await.unwrap();
    let turns: Vec<_> = log.iter().map(|turn| (turn.from, turn.to)).collect();
    assert_eq!(
        turns,
        [(State::Unknown, State::Healthy), (State::Healthy, State::Failed), (State::Failed, State::Healthy)]
    );
    house.stop().await;
}

#[tokio::test]
async fn what_healing_cannot_close_is_one_notification_that_ends_itself() {
    let target = Target::new(Mood::Well);
    let house = new(&declared("app", &[], &target.url(), "")).start().await;
    all_well(&house).await;
    target.set(Mood::Sick);
    let open = incident(&house, "app", "a person to be asked", |one| one.stage == Stage::Escalated).await;
    assert!(
        !open.tried.is_empty() && open.tried.iter().all(|tried| tried.helped != Some(true)),
        "{:?}",
        open.tried
    );
    is(&house, "app", State::Blocked).await;
    let told = said(&house, "the call", |told| !calls(told).is_empty()).await;
    let call = calls(&told)[0].clone();
    assert_eq!((calls(&told).len(), call.notice.severity), (1, Severity::Error));
    assert_eq!(call.notice.dedup_key.as_deref(), Some("incident-1"));
    for part in ["503", "since ", "Tried: restart app (did not help", "To do: ", "sanctum why app"] {
        assert!(call.notice.message.contains(part), "{part}: {}", call.notice.message);
    }
    target.set(Mood::Well);
    incident(&house, "app", "it to be over", |one| one.stage == Stage::Resolved).await;
    let told = said(&house, "its end", |told| told.iter().any(|one| one.notice.resolved)).await;
    assert_eq!(calls(&told).len(), 1, "{told:?}");
    let end = told.last().unwrap();
    assert!(end.notice.title.contains("well again") && end.notice.message.starts_with("After "), "{end:?}");
    let first = told.iter().find(|one| one.id == call.id).unwrap();
    assert!(first.resolved.is_some(), "what was told is over at the hub as well");
    house.stop().await;
}

/// W9: the second time it is known what helped the first time.
#[tokio::test]
async fn w9_the_same_trouble_again_remembers_what_helped() {
    let target = Target::new(Mood::Well);
    let stopped = new(&declared("app", &[], &target.url(), ""));
    mend(stopped.home(), "app", &target, 1);
    let house = stopped.start().await;
    all_well(&house).await;
    target.set(Mood::Sick);
    let first = incident(&house, "app", "the first to be over", |one| one.stage == Stage::Resolved).await;
    assert_eq!(first.memory, None);
    all_well(&house).await;
    target.set(Mood::Sick);
    let second = incident(&house, "app", "the second", |one| one.id != first.id).await;
    let memory = second.memory.unwrap();
    assert!(
        memory.starts_with("2nd time this month; restart app fixed it in ") && memory.ends_with(" last time"),
        "{memory}"
    );
    assert_eq!(second.fingerprint, first.fingerprint);
    house.stop().await;
}

#[tokio::test]
async fn a_story_is_told_by_its_trace() {
    let target = Target::new(Mood::Well);
    let house = new(&declared("app", &[], &target.url(), "")).start().await;
    all_well(&house).await;
    target.set(Mood::Hung);
    let told = said(&house, "the call", |told| !calls(told).is_empty()).await;
    let trace = calls(&told)[0].trace_id;
    let story = eventually("the story", SOON, async || {
        let (code, story) = house.get("watch", &format!("/trace/{trace}")).await;
        (code == 200 && story.as_array().is_some_and(|story| story.len() > 2)).then_some(story)
    })
    .await;
    assert_eq!(story[0]["what"], "seen", "{story}");
    house.stop().await;
}
