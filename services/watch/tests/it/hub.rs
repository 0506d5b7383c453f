//! The hub is down: what it should tell waits in its spool, in order, and is told once.

use sanctum_api::watch::{Stage, State};
use sanctum_testkit::eventually;

use crate::world::{Mood, SOON, Target, calls, client, declared, incident, is, new, said};

#[tokio::test]
async fn what_the_hub_could_not_take_is_told_once_when_it_is_back() {
    let target = Target::new(Mood::Well);
    let house = new(&declared("app", &[], &target.url(), "")).only(&["supervise", "watch"]).start().await;
    is(&house, "app", State::Healthy).await;
    // The hub is a service like another: its own trouble is an incident, told as far as that goes.
    target.set(Mood::Sick);
    incident(&house, "app", "a person to be asked", |one| one.stage == Stage::Escalated).await;
    let spool = house.paths().spool();
    let waiting = || {
        let files =
            std::fs::read_dir(&spool).unwrap().flatten().map(|file| file.file_name().into_string().unwrap());
        files.filter(|name| name.starts_with("watch-")).count()
    };
    eventually("the spool", SOON, async || (waiting() > 0).then_some(())).await;
    eventually("the board to say so", SOON, async || {
        let (_, health) = house.get("watch", "/health").await;
        health["parts"]["messages"]["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("spool"))
            .then_some(())
    })
    .await;
    // It is over before the hub is back: the end must not come before the beginning.
    target.set(Mood::Well);
    incident(&house, "app", "it to be over", |one| one.stage == Stage::Resolved).await;
    eventually("beginning and end in the spool", SOON, async || (waiting() >= 2).then_some(())).await;
    let house = house.stop().await.only(&[]).start().await;
    let app = |told: &[sanctum_api::notify::Notification]| {
        let of: Vec<_> = told
            .iter()
            .filter(|one| one.notice.labels.get("service").is_some_and(|name| name == "app"))
            .cloned()
            .collect();
        of
    };
    let told =
        said(&house, "beginning and end", |told| app(told).iter().any(|one| one.notice.resolved)).await;
    let told = app(&told);
    assert_eq!(calls(&told).len(), 1, "{told:?}");
    assert!(told.iter().all(|one| one.resolved.is_some()), "nothing of it is left open: {told:?}");
    assert!(client(&house).body().await.is_ok());
    house.stop().await;
}
