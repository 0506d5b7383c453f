//! What is tried against the rules: a row, a message, one trace.

use sanctum_api::firewall::{Kind, Resembles, Standing, Verdict};
use sanctum_testkit::eventually;
use serde_json::json;

use crate::stubs::{hub, wall};
use crate::world::{SOON, at, device, happening, house, trace, until_screen};

#[tokio::test]
async fn a_join_in_the_curfew_is_one_violation_and_one_message_in_one_story() {
    let house = house("2026-11-19T02:47:00").start().await;
    until_screen(&house, "/health", "the events to be followed", |health| {
        health["parts"]["events"]["status"] == "well"
    })
    .await;
    let (story, moment) = (trace(), at("2026-11-19T02:47:03"));
    let wall = wall(house.home());
    for kind in [Kind::Joined, Kind::Attempt, Kind::Attempt] {
        wall.lock().unwrap().say(&happening(kind, "xbox", moment, story));
    }
    // Traffic later in the same join has a story of its own and no row of its own.
    wall.lock().unwrap().say(&happening(Kind::Attempt, "xbox", moment, trace()));
    let told = until_screen(&house, "/screen/violations", "the notification's id", |rows| {
        rows[0]["notification"].is_i64()
    })
    .await;
    assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    let row = &told[0];
    assert_eq!(
        (&row["device"], &row["owner"], &row["verdict"]),
        (&json!("xbox"), &json!("ava"), &json!("proven"))
    );
    assert_eq!(row["rule"], "weekday curfew 21:30–10:00");
    assert_eq!(row["trace_id"], story.to_string());
    let notices = hub(house.home()).lock().unwrap().notices.clone();
    let (notice, key, seen) =
        notices.iter().find(|(notice, _, _)| notice.labels["about"] == "violation").unwrap();
    assert_eq!((*seen, key.starts_with("violation-1-")), (story, true), "{key}");
    assert!(notice.title.contains("02:47"), "{notice:?}");
    let (_, moments) = house.get("screen", &format!("/trace/{story}")).await;
    let what: Vec<_> =
        moments.as_array().unwrap().iter().map(|moment| moment["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["violation", "told"]);
    // It leaves and comes again: another violation.
    wall.lock().unwrap().say(&happening(Kind::Left, "xbox", moment, trace()));
    wall.lock().unwrap().say(&happening(Kind::Attempt, "xbox", moment, trace()));
    until_screen(&house, "/screen/violations", "the second", |rows| rows.as_array().unwrap().len() == 2)
        .await;
    house.stop().await;
}

#[tokio::test]
async fn a_stranger_that_says_its_name_late_is_told_by_it_and_delays_nobody() {
    let house = house("2026-11-19T02:47:00").start().await;
    until_screen(&house, "/health", "the events to be followed", |health| {
        health["parts"]["events"]["status"] == "well"
    })
    .await;
    let id = "b6-c2-00-00-00-09";
    let mut stranger = device(id, Standing::Automatic);
    stranger.macs = vec!["b6:c2:00:00:00:09".parse().unwrap()];
    let wall = wall(house.home());
    wall.lock().unwrap().devices.insert(id.to_owned(), stranger);
    let like = Resembles { device: "xbox".to_owned(), score: 0.9, because: "hostname".to_owned() };
    wall.lock().unwrap().late = Some((2, like));
    let moment = at("2026-11-19T02:47:03");
    for device in [id, "tv"] {
        wall.lock().unwrap().say(&happening(Kind::Attempt, device, moment, trace()));
    }
    // What came after the stranger is written while it is waited for.
    let rows =
        until_screen(&house, "/screen/violations", "both", |rows| rows.as_array().unwrap().len() == 2).await;
    assert_eq!((&rows[0]["device"], &rows[1]["device"]), (&json!(id), &json!("tv")));
    assert_eq!(rows[0]["name"], "A new device that looks like xbox (b6:c2:00:00:00:09)");
    let hub = hub(house.home());
    eventually("its message", SOON, async || {
        let notices = hub.lock().unwrap().notices.clone();
        let title = "A new device that looks like xbox (b6:c2:00:00:00:09) tried to get online at 02:47";
        notices.iter().any(|(notice, _, _)| notice.title == title).then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn a_message_waits_for_notify_and_keeps_its_time_through_a_restart() {
    let house = house("2026-11-19T02:47:00").start().await;
    hub(house.home()).lock().unwrap().down = true;
    until_screen(&house, "/health", "the events to be followed", |health| {
        health["parts"]["events"]["status"] == "well"
    })
    .await;
    let (story, moment) = (trace(), at("2026-11-19T02:47:03"));
    wall(house.home()).lock().unwrap().say(&happening(Kind::Attempt, "xbox", moment, story));
    until_screen(&house, "/screen/violations", "the row", |rows| {
        rows[0]["notification"].is_null() && rows[0]["id"] == 1
    })
    .await;
    let house = house.stop().await.start().await;
    let hub = hub(house.home());
    assert!(hub.lock().unwrap().notices.is_empty());
    hub.lock().unwrap().down = false;
    let (notice, _, seen) = eventually("the message", SOON, async || {
        hub.lock()
            .unwrap()
            .notices
            .iter()
            .find(|(notice, _, _)| notice.labels["about"] == "violation")
            .cloned()
    })
    .await;
    assert_eq!((seen, notice.labels["at"].parse().ok()), (story, Some(moment)));
    until_screen(&house, "/screen/violations", "the id", |rows| rows[0]["notification"].is_i64()).await;
    house.stop().await;
}

#[tokio::test]
async fn a_join_without_a_verdict_is_a_violation_all_the_same() {
    let house = house("2026-11-19T02:47:00").start().await;
    until_screen(&house, "/health", "the events to be followed", |health| {
        health["parts"]["events"]["status"] == "well"
    })
    .await;
    let story = trace();
    wall(house.home()).lock().unwrap().say(&happening(
        Kind::Joined,
        "xbox",
        at("2026-11-19T02:47:03"),
        story,
    ));
    let rows = until_screen(&house, "/screen/violations", "the row", |rows| rows[0]["id"] == 1).await;
    assert_eq!((&rows[0]["verdict"], &rows[0]["trace_id"]), (&json!("unknown"), &json!(story.to_string())));
    let mut leak = happening(Kind::Attempt, "xbox", at("2026-11-19T02:48:00"), story);
    leak.verdict = Some(Verdict::Leaking);
    wall(house.home()).lock().unwrap().say(&leak);
    until_screen(&house, "/screen/violations", "the worse verdict", |rows| rows[0]["verdict"] == "leaking")
        .await;
    let hub = hub(house.home());
    eventually("the worse news", SOON, async || {
        hub.lock().unwrap().notices.iter().any(|(_, key, _)| key.ends_with("-worse")).then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn a_join_outside_the_curfew_is_nobodys_business() {
    let house = house("2026-11-18T15:00:00").start().await;
    until_screen(&house, "/health", "the events to be followed", |health| {
        health["parts"]["events"]["status"] == "well"
    })
    .await;
    wall(house.home()).lock().unwrap().say(&happening(
        Kind::Joined,
        "xbox",
        at("2026-11-18T15:00:01"),
        trace(),
    ));
    // A later event that does leave a row proves that the first was looked at.
    wall(house.home()).lock().unwrap().say(&happening(
        Kind::Attempt,
        "tv",
        at("2026-11-18T15:00:02"),
        trace(),
    ));
    let rows =
        until_screen(&house, "/screen/violations", "the later row", |rows| rows[0]["device"] == "tv").await;
    assert_eq!(rows.as_array().unwrap().len(), 1);
    house.stop().await;
}
