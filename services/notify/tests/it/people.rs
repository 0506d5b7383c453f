//! What people do: acknowledge, snooze, resolve, search, follow.

use futures_util::StreamExt;
use jiff::SignedDuration;
use sanctum_api::notify::Client;
use serde_json::{Value, json};

use crate::house::{CATALOGUE, NOON, PATIENCE, all, at, house, life, notice, say, until, with};
use crate::peers::hook::Hook;
use crate::routing::phone;

#[tokio::test]
async fn an_acknowledgement_is_attributed_and_travels() {
    let hook = Hook::open().await;
    let house = house(NOON, &phone(&hook)).await;
    let said = say(&house, notice("error", "n")).await;
    until(&house, &said["id"], "shown", |life| {
        all(life, "dashboard", "delivered") && all(life, "phone", "delivered")
    })
    .await;
    let path = format!("/notifications/{}/ack", said["id"]);
    for _ in 0..2 {
        let (status, life) = house.send("notify", "POST", &path, &json!({ "who": "ann" })).await;
        assert_eq!((status, life["acks"].as_array().unwrap().len()), (200, 1), "twice is once");
    }
    assert_eq!(hook.wait(2).await[1].json()["event"], "ack");
    let (_, banners) = house.get("notify", "/banners").await;
    assert_eq!(banners[0]["acked"]["who"], "ann");
    let (status, problem) = house.send("notify", "POST", &path, &json!({ "who": " " })).await;
    assert_eq!((status, &problem["field"]), (422, &json!("who")));
    assert_eq!(house.send("notify", "POST", "/notifications/999/ack", &json!({ "who": "ann" })).await.0, 404);
    house.stop().await;
}

#[tokio::test]
async fn a_snooze_hides_and_tells_again() {
    let hook = Hook::open().await;
    let house = house(NOON, &phone(&hook)).await;
    let said = say(&house, notice("error", "n")).await;
    until(&house, &said["id"], "shown", |life| {
        all(life, "dashboard", "delivered") && all(life, "phone", "delivered")
    })
    .await;
    let path = format!("/notifications/{}/snooze", said["id"]);
    let (status, _) =
        house.send("notify", "POST", &path, &json!({ "who": "ann", "until": "2026-11-18T12:00:00Z" })).await;
    assert_eq!((status, house.get("notify", "/banners").await.1), (200, json!([])));
    house.clock().step(SignedDuration::from_hours(1));
    hook.wait(2).await;
    sanctum_testkit::eventually("the banner", PATIENCE, async || {
        (house.get("notify", "/banners").await.1.as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    let (status, problem) = house.send("notify", "POST", &path, &json!({ "who": "ann" })).await;
    assert_eq!((status, &problem["field"]), (422, &json!("until")));
    house.stop().await;
}

#[tokio::test]
async fn a_snooze_that_somebody_has_acknowledged_ends_quietly() {
    let hook = Hook::open().await;
    let house = house(NOON, &phone(&hook)).await;
    let said = say(&house, notice("error", "n")).await;
    until(&house, &said["id"], "shown", |life| all(life, "phone", "delivered")).await;
    let path = |what: &str| format!("/notifications/{}/{what}", said["id"]);
    let later = json!({ "who": "ann", "until": "2026-11-18T12:00:00Z" });
    assert_eq!(house.send("notify", "POST", &path("snooze"), &later).await.0, 200);
    let (_, before) = house.send("notify", "POST", &path("ack"), &json!({ "who": "ann" })).await;
    house.clock().step(SignedDuration::from_hours(1));
    let after =
        until(&house, &said["id"], "the end of the snooze", |life| life["snoozed_until"].is_null()).await;
    let count = |life: &Value| life["deliveries"].as_array().unwrap().len();
    assert_eq!(count(&after), count(&before), "{after}");
    house.stop().await;
}

#[tokio::test]
async fn banners_are_followed_as_they_come_and_go() {
    let house = house(NOON, "").await;
    let mut events = Client::new(house.transport("notify")).events(None).await.unwrap();
    let said = say(&house, with(notice("error", "n"), json!({ "dedup_key": "k" }))).await;
    let next = async |events: &mut sanctum_api::Events| {
        let event = tokio::time::timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap();
        (event.kind, event.id, serde_json::from_str::<Value>(&event.data).unwrap())
    };
    let (kind, id, data) = next(&mut events).await;
    assert_eq!((kind.as_str(), &data["banner"]["id"]), ("banner", &said["id"]));
    let worse = say(&house, with(notice("critical", "m"), json!({ "dedup_key": "k" }))).await;
    drop(events);
    until(&house, &worse["id"], "shown", |life| all(life, "dashboard", "delivered")).await;
    let mut resumed = Client::new(house.transport("notify")).events(id).await.unwrap();
    let (kind, _, data) = next(&mut resumed).await;
    assert_eq!(
        (kind.as_str(), &data["cleared"]["id"]),
        ("cleared", &said["id"]),
        "the last one replaces what is shown"
    );
    let (kind, _, data) = next(&mut resumed).await;
    assert_eq!((kind.as_str(), &data["banner"]["id"]), ("banner", &worse["id"]));
    let (status, _) = house
        .send("notify", "POST", &format!("/notifications/{}/resolve", worse["id"]), &json!({ "who": "ann" }))
        .await;
    let (kind, _, _) = next(&mut resumed).await;
    assert_eq!((status, kind.as_str()), (200, "cleared"));
    drop(resumed);
    house.stop().await;
}

#[tokio::test]
async fn the_history_is_searched_and_paged() {
    let house = house(NOON, "[notify]\nper-hour = 0\n").await;
    for number in 0..25 {
        let text = if number % 5 == 0 { "the freezer \"door\" is open" } else { "nothing special" };
        say(&house, with(notice("info", &format!("Report {number}")), json!({ "message": text }))).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = house.get("notify", &format!("/history?source=test&limit=10{cursor}")).await;
        seen.extend(
            page["notifications"].as_array().unwrap().iter().map(|life| life["id"].as_i64().unwrap()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first");
    for (words, count) in
        [("freezer", 5), ("free", 5), ("door%20open", 5), ("%22door", 5), ("zebra", 0), ("OR%20NEAR(", 0)]
    {
        let (status, page) = house.get("notify", &format!("/history?q={words}&limit=100")).await;
        assert_eq!(
            (status, page["notifications"].as_array().map(Vec::len)),
            (200, Some(count)),
            "{words}: {page}"
        );
    }
    house.stop().await;
}

#[tokio::test]
async fn the_spool_is_taken_in_exactly_once() {
    let stopped = sanctum_testkit::House::new(&CATALOGUE).clock(at(NOON));
    let dir = stopped.paths().spool();
    sanctum_kernel::files::private_dir(&dir).unwrap();
    let spooled = |title: &str| {
        serde_json::to_vec(&json!({ "notice": notice("error", title), "at": "2026-11-18T10:46:00Z" }))
            .unwrap()
    };
    let put =
        |name: &str, bytes: &[u8]| sanctum_kernel::files::replace(&dir.join(name), bytes, 0o600).unwrap();
    put("0.json", b"\xff\xfe not text");
    put("1.json", &spooled("While you were out"));
    put("2.json", b"{ not json");
    let first = stopped.start().await;
    let found = async |house: &sanctum_testkit::House, count: usize| {
        sanctum_testkit::eventually("the spool", PATIENCE, async || {
            let (_, page) = house.get("notify", "/history?source=test").await;
            let all = page["notifications"].as_array().unwrap().clone();
            (all.len() == count).then_some(all)
        })
        .await
    };
    let all = found(&first, 1).await;
    assert_eq!(all[0]["accepted"], "2026-11-18T10:46:00Z", "with the time it was said");
    sanctum_testkit::eventually("the bad files aside", PATIENCE, async || {
        ["0.json.bad", "2.json.bad"].iter().all(|name| dir.join(name).exists()).then_some(())
    })
    .await;
    // As if the hub had died between the commit and the removal.
    put("1.json", &spooled("While you were out"));
    put("3.json", &spooled("Another"));
    let house = first.stop().await.start().await;
    found(&house, 2).await;
    sanctum_testkit::eventually("an empty spool", PATIENCE, async || {
        (!dir.join("1.json").exists()).then_some(())
    })
    .await;
    found(&house, 2).await;
    life(&house, &all[0]["id"]).await;
    house.stop().await;
}
