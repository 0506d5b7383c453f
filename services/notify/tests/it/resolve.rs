//! F6: what is over is told wherever its beginning was told.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::house::{NOON, all, house, life, notice, say, until, with};
use crate::peers::hook::{Hook, Mood};
use crate::routing::{INHIBIT, host, phone, service};

fn thing(more: Value) -> Value {
    with(with(notice("error", "Thing"), json!({ "dedup_key": "thing" })), more)
}

fn over() -> Value {
    thing(json!({ "resolved": true, "title": "Thing is well" }))
}

/// What the receiver heard: event and id, in order.
fn heard(hook: &Hook) -> Vec<(String, i64)> {
    hook.got()
        .iter()
        .map(|got| (got.json()["event"].as_str().unwrap().to_owned(), got.json()["id"].as_i64().unwrap()))
        .collect()
}

#[tokio::test]
async fn f6_resolve_follows_fire_on_every_channel() {
    let hook = Hook::open().await;
    let house = house(NOON, &phone(&hook)).await;
    let fire = say(&house, thing(json!({}))).await;
    let id = fire["id"].as_i64().unwrap();
    hook.wait(1).await;
    until(&house, &fire["id"], "shown", |life| {
        all(life, "dashboard", "delivered") && all(life, "phone", "delivered")
    })
    .await;
    house.clock().step(SignedDuration::from_mins(4));
    let end = say(&house, over()).await;
    assert_eq!(end["channels"], json!(["dashboard", "phone"]));
    hook.wait(2).await;
    assert_eq!(heard(&hook), [("fire".to_owned(), id), ("resolve".to_owned(), id)]);
    let text = hook.got()[1].json();
    assert_eq!(text["title"], "Resolved: Thing is well");
    assert!(text["message"].as_str().unwrap().contains("over after 4 min"), "{text}");
    until(&house, &end["id"], "told", |life| all(life, "dashboard", "delivered")).await;
    assert_eq!(house.get("notify", "/banners").await.1, json!([]));
    assert!(life(&house, &fire["id"]).await["resolved"].is_string());
    assert_eq!(say(&house, over()).await["status"], "suppressed", "nothing is open any more");
    let again = say(&house, thing(json!({}))).await;
    assert_eq!(again["status"], "accepted", "what returns is news, also within the dedup window");
    house.stop().await;
}

#[tokio::test]
async fn f6_alertmanager_226_a_silence_does_not_swallow_the_end() {
    let hook = Hook::open().await;
    let house = house(NOON, &phone(&hook)).await;
    say(&house, thing(json!({}))).await;
    hook.wait(1).await;
    let silence = json!({ "matchers": { "source": "test" }, "author": "ann", "reason": "noise", "until": "2026-11-19T00:00:00Z" });
    assert_eq!(house.send("notify", "PUT", "/silences", &silence).await.0, 200);
    say(&house, over()).await;
    assert_eq!(hook.wait(2).await[1].json()["event"], "resolve");
    house.stop().await;
}

#[tokio::test]
async fn f6_alertmanager_2754_inhibition_does_not_swallow_the_end() {
    let hook = Hook::open().await;
    let house = house(NOON, &format!("{INHIBIT}{}", phone(&hook))).await;
    say(&house, service("web", "vm")).await;
    hook.wait(1).await;
    say(&house, host("vm")).await;
    hook.wait(2).await;
    say(&house, with(service("web", "vm"), json!({ "resolved": true }))).await;
    assert_eq!(hook.wait(3).await[2].json()["event"], "resolve");
    house.stop().await;
}

#[tokio::test]
async fn f6_alertmanager_2370_a_restart_does_not_lose_the_end() {
    let hook = Hook::open().await;
    let first = house(NOON, &phone(&hook)).await;
    let fire = say(&first, thing(json!({}))).await;
    hook.wait(1).await;
    let house = first.stop().await.start().await;
    say(&house, over()).await;
    assert_eq!(heard(&hook).len().max(hook.wait(2).await.len()), 2);
    assert_eq!(hook.got()[1].json()["id"], fire["id"]);
    house.stop().await;
}

#[tokio::test]
async fn f6_alertmanager_4064_what_is_inhibited_stays_so_after_a_restart() {
    let hook = Hook::open().await;
    let first = house(NOON, &format!("{INHIBIT}{}", phone(&hook))).await;
    say(&first, host("vm")).await;
    hook.wait(1).await;
    let house = first.stop().await.start().await;
    assert_eq!(say(&house, service("web", "vm")).await["status"], "suppressed");
    house.stop().await;
}

#[tokio::test]
async fn f6_the_end_waits_for_a_beginning_that_is_still_on_its_way() {
    let hook = Hook::open().await;
    hook.mood(Mood::Status(503));
    let house = house(
        NOON,
        &format!("[notify.delivery]\nfirst-wait = \"100ms\"\nbreaker-open = \"100ms\"\n{}", phone(&hook)),
    )
    .await;
    let fire = say(&house, thing(json!({}))).await;
    until(&house, &fire["id"], "failing", |life| all(life, "phone", "failed")).await;
    let end = say(&house, over()).await;
    hook.mood(Mood::Well);
    let id = fire["id"].as_i64().unwrap();
    until(&house, &end["id"], "told", |life| all(life, "phone", "delivered")).await;
    assert_eq!(heard(&hook), [("fire".to_owned(), id), ("resolve".to_owned(), id)]);
    house.stop().await;
}
