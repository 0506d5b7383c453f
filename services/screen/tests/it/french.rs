//! A house that speaks French: every kind of message, as a family reads it.

use sanctum_api::firewall::{Kind, Standing};
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use crate::stubs::{hub, wall};
use crate::world::{HOUSE, SOON, at, device, happening, house, trace, until_screen};

/// The title and the message of the newest notice about something.
async fn told(house: &House, about: &str) -> String {
    let hub = hub(house.home());
    eventually(about, SOON, async || {
        let notices = hub.lock().unwrap().notices.clone();
        let notice = notices.into_iter().rev().map(|(notice, _, _)| notice).find(|notice| {
            // The TV of the house has a warning of its own.
            notice.labels["about"] == about
                && notice.labels.get("person").is_none_or(|person| person == "ava")
        })?;
        let actions: Vec<String> = notice.actions.iter().map(|action| action.label.clone()).collect();
        Some(format!("{}\n  {}\n  {actions:?}", notice.title, notice.message.replace('\n', "\n  ")))
    })
    .await
}

async fn post(house: &House, path: &str, body: Value) -> Value {
    let (code, answer) = house.send("screen", "POST", path, &body).await;
    assert_eq!(code, 200, "{path}: {answer}");
    answer
}

#[tokio::test]
async fn every_message_to_the_family_is_in_its_language() {
    let french = HOUSE.replace("[house]", "[house]\nlanguage = \"fr\"");
    let house = house("2026-11-18T20:59:59").config(&french).start().await;
    let mut all = vec![told(&house, "wind-down").await];
    let asked = json!({ "person": "ava", "minutes": 20, "reason": "un dernier niveau" });
    let request = post(&house, "/screen/requests", asked).await;
    all.push(told(&house, "request").await);
    let id = request["id"].as_i64().unwrap();
    post(
        &house,
        &format!("/screen/requests/{id}/answer"),
        json!({ "approve": false, "author": "maman", "reason": "il est tard" }),
    )
    .await;
    all.push(told(&house, "answer").await);
    until_screen(&house, "/health", "the events to be followed", |health| {
        health["parts"]["events"]["status"] == "well"
    })
    .await;
    let wall = wall(house.home());
    let guest = "b6-c2-00-00-00-09";
    let mut stranger = device(guest, Standing::Seen);
    stranger.macs = vec!["b6:c2:00:00:00:09".parse().unwrap()];
    wall.lock().unwrap().devices.insert(guest.to_owned(), stranger);
    wall.lock().unwrap().say(&happening(Kind::Joined, guest, at("2026-11-18T21:00:10"), trace()));
    all.push(told(&house, "guest").await);
    house.clock().set(at("2026-11-19T02:47:00"));
    wall.lock().unwrap().say(&happening(Kind::Attempt, "xbox", at("2026-11-19T02:47:03"), trace()));
    all.push(told(&house, "violation").await);
    house.clock().set(at("2026-11-22T18:00:01"));
    all.push(told(&house, "digest").await);
    house.clock().set("1970-01-02T00:00:00Z".parse().unwrap());
    all.push(told(&house, "clock").await);
    insta::assert_snapshot!(all.join("\n\n"));
    house.stop().await;
}
