//! Evenings of a family: warnings, credits, homework, requests, guests, holidays, the week.

use sanctum_api::firewall::{Scope, Standing};
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use crate::stubs::{hub, wall};
use crate::world::{SOON, at, device, house, until_desired, until_screen};

async fn post(house: &House, path: &str, body: Value) -> Value {
    let (code, answer) = house.send("screen", "POST", path, &body).await;
    assert_eq!(code, 200, "{path}: {answer}");
    answer
}

async fn why(house: &House, device: &str, at: &str) -> Value {
    let (code, answer) =
        house.get("screen", &format!("/screen/explain?device={device}&at={}", at.replace(' ', "%20"))).await;
    assert_eq!(code, 200, "{answer}");
    answer
}

async fn told(house: &House, about: &str) -> String {
    let hub = hub(house.home());
    eventually(about, SOON, async || {
        hub.lock()
            .unwrap()
            .notices
            .iter()
            .find(|(notice, _, _)| notice.labels["about"] == about)
            .map(|(notice, _, _)| notice.title.clone())
    })
    .await
}

#[tokio::test]
async fn a_warning_comes_before_bedtime_and_moves_with_it() {
    let house = house("2026-11-18T20:59:59").start().await;
    assert_eq!(told(&house, "wind-down").await, "Ava: 30 minutes left");
    post(&house, "/screen/override", json!({ "target": "ava", "action": { "extend": { "minutes": 30 } }, "author": "mum", "reason": "film" })).await;
    let said = why(&house, "xbox", "21:50").await;
    assert_eq!(
        (&said["rules"][0]["rule"], &said["blocked"]["services"].is_array()),
        (&json!("wind-down"), &true),
        "{said}"
    );
    house.clock().set(at("2026-11-18T21:29:59"));
    let hub = hub(house.home());
    eventually("the warning of the later bedtime", SOON, async || {
        let notices = hub.lock().unwrap().notices.clone();
        notices
            .iter()
            .any(|(notice, _, _)| notice.title == "Ava: 30 minutes left" && notice.message.contains("22:00"))
            .then_some(())
    })
    .await;
    let undone = post(&house, "/screen/undo", json!(null)).await;
    assert_eq!(undone["says"], "+30 min for ava, by mum: film, of 21:00");
    until_desired(house.home(), "the old bedtime", |desired| {
        desired.blocks.get("xbox").is_some_and(|block| block.scope == Scope::All)
    })
    .await;
    assert_eq!(house.send("screen", "POST", "/screen/undo", &json!(null)).await.0, 409);
    house.stop().await;
}

#[tokio::test]
async fn what_is_over_is_not_taken_back() {
    let house = house("2026-11-18T20:00:00").start().await;
    let act = |action: Value| json!({ "target": "ava", "action": action, "author": "mum", "reason": "" });
    post(&house, "/screen/override", act(json!("curfew"))).await;
    post(&house, "/screen/override", act(json!({ "extend": { "minutes": 30 } }))).await;
    // The moved bedtime has passed: the minutes are used up, and the curfew of before lasts until the morning.
    house.clock().set(at("2026-11-18T22:30:00"));
    let undone = post(&house, "/screen/undo", json!(null)).await;
    assert_eq!(undone["says"], "curfew now for ava, by mum, of 20:00");
    post(&house, "/screen/override", act(json!("curfew"))).await;
    house.clock().set(at("2026-11-19T15:00:00"));
    let (code, refused) = house.send("screen", "POST", "/screen/undo", &json!(null)).await;
    assert_eq!((code, &refused["title"]), (409, &json!("there is nothing to take back")));
    house.stop().await;
}

#[tokio::test]
async fn credits_are_earned_up_to_a_cap_and_spent_once() {
    let house = house("2026-11-18T17:00:00").start().await;
    for preset in ["chores", "reading", "exercise"] {
        post(&house, "/screen/credit", json!({ "person": "ava", "preset": preset, "author": "mum" })).await;
    }
    let (code, refused) = house
        .send(
            "screen",
            "POST",
            "/screen/credit",
            &json!({ "person": "ava", "preset": "homework", "author": "mum" }),
        )
        .await;
    assert_eq!((code, &refused["allowed"]), (422, &json!("0 more minutes today: 90 of 90 are earned")));
    let redeem = json!({ "person": "ava" }).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("idempotency-key", "tap-1")];
    let (first, again) = tokio::join!(
        house.raw("screen", "POST", "/screen/credit/redeem", &headers, redeem.clone()),
        house.raw(
            "screen",
            "POST",
            "/screen/credit/redeem",
            &[("content-type", "application/json")],
            redeem.clone()
        ),
    );
    let mut codes = [first.status, again.status];
    codes.sort_unstable();
    assert_eq!(codes, [200, 409]);
    let answer: Value =
        serde_json::from_slice(if first.status == 200 { &first.body } else { &again.body }).unwrap();
    assert_eq!(answer["says"], "tonight's curfew begins at 23:00 instead of 21:30");
    assert_eq!(why(&house, "xbox", "22:30").await["blocked"], json!(null));
    assert_eq!(why(&house, "xbox", "23:00").await["blocked"], json!("all"));
    assert_eq!(why(&house, "xbox", "tomorrow 21:30").await["blocked"], json!("all"));
    let (_, balances) = house.get("screen", "/screen/credits").await;
    assert_eq!((&balances[0]["earned"], &balances[0]["left"]), (&json!(90), &json!(0)));
    // Tomorrow nothing of it is left.
    house.clock().set(at("2026-11-19T17:00:00"));
    let (_, balances) = house.get("screen", "/screen/credits").await;
    assert_eq!(balances[0]["earned"], 0);
    house.stop().await;
}

#[tokio::test]
async fn a_repeated_redemption_returns_the_first_answer() {
    let house = house("2026-11-18T17:00:00").start().await;
    post(&house, "/screen/credit", json!({ "person": "ava", "preset": "chores", "author": "mum" })).await;
    let body = |person: &str| json!({ "person": person }).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("idempotency-key", "tap-1")];
    let first = house.raw("screen", "POST", "/screen/credit/redeem", &headers, body("ava")).await;
    let again = house.raw("screen", "POST", "/screen/credit/redeem", &headers, body("ava")).await;
    assert_eq!((first.status, again.status, &first.body), (200, 200, &again.body));
    let other = house.raw("screen", "POST", "/screen/credit/redeem", &headers, body("mum")).await;
    assert_eq!(other.status, 422);
    // Taken back, the credit can be spent again.
    post(&house, "/screen/undo", json!(null)).await;
    post(&house, "/screen/credit/redeem", json!({ "person": "ava" })).await;
    house.stop().await;
}

#[tokio::test]
async fn retries_that_overtake_each_other_get_one_answer() {
    let house = house("2026-11-18T17:00:00").start().await;
    post(&house, "/screen/credit", json!({ "person": "ava", "preset": "chores", "author": "mum" })).await;
    let headers = [("content-type", "application/json"), ("idempotency-key", "tap-1")];
    let redeem = || {
        let body = json!({ "person": "ava" }).to_string().into_bytes();
        house.raw("screen", "POST", "/screen/credit/redeem", &headers, body)
    };
    let (a, b, c, d) = tokio::join!(redeem(), redeem(), redeem(), redeem());
    for answer in [&a, &b, &c, &d] {
        assert_eq!((answer.status, &answer.body), (200, &a.body));
    }
    assert!(String::from_utf8_lossy(&a.body).contains("22:00 instead of 21:30"));
    post(&house, "/screen/undo", json!(null)).await;
    let (code, _) = house.send("screen", "POST", "/screen/undo", &json!(null)).await;
    assert_eq!(code, 409, "it was redeemed once");
    house.stop().await;
}

#[tokio::test]
async fn homework_ends_by_itself() {
    let house = house("2026-11-18T16:00:00").start().await;
    post(&house, "/screen/homework", json!({ "person": "ava", "author": "mum" })).await;
    let block = until_desired(house.home(), "homework", |desired| desired.blocks.contains_key("xbox"))
        .await
        .blocks["xbox"]
        .clone();
    assert!(block.reason.contains("homework"), "{block:?}");
    let left = block.until.unwrap().duration_since(house.clock().now()).as_mins();
    assert!((115..=120).contains(&left), "{left}");
    house.clock().step(jiff::SignedDuration::from_mins(121));
    until_desired(house.home(), "its end", |desired| desired.blocks.is_empty()).await;
    house.stop().await;
}

#[tokio::test]
async fn a_request_is_answered_once_and_applied() {
    let house = house("2026-11-18T21:40:00").start().await;
    until_desired(house.home(), "the curfew", |desired| desired.blocks.contains_key("xbox")).await;
    let asked = post(
        &house,
        "/screen/requests",
        json!({ "person": "ava", "minutes": 20, "reason": "one more level" }),
    )
    .await;
    assert_eq!(told(&house, "request").await, "Ava asks for 20 more minutes");
    let path = format!("/screen/requests/{}/answer", asked["id"]);
    let answered = post(&house, &path, json!({ "approve": true, "author": "mum", "minutes": 15 })).await;
    assert_eq!((&answered["state"], &answered["minutes"]), (&json!("approved"), &json!(15)));
    until_desired(house.home(), "the console to be free", |desired| !desired.blocks.contains_key("xbox"))
        .await;
    assert_eq!(told(&house, "answer").await, "Ava has 15 more minutes");
    let (code, again) =
        house.send("screen", "POST", &path, &json!({ "approve": false, "author": "dad" })).await;
    assert_eq!((code, again["title"].as_str().unwrap()), (409, "request 1 has been answered by mum"));
    house.stop().await;
}

#[tokio::test]
async fn a_stranger_after_the_first_look_is_a_guest_with_a_pass() {
    let stopped = house("2026-11-18T15:00:00");
    let wall = wall(stopped.home());
    wall.lock().unwrap().devices.insert("thermostat".to_owned(), device("thermostat", Standing::Seen));
    let house = stopped.start().await;
    until_screen(&house, "/screen/guests", "the first look", |guests| guests[0]["pass"] == "resident").await;
    wall.lock().unwrap().devices.insert("switch".to_owned(), device("switch", Standing::Seen));
    let join = crate::world::happening(
        sanctum_api::firewall::Kind::Joined,
        "switch",
        house.clock().now(),
        crate::world::trace(),
    );
    wall.lock().unwrap().say(&join);
    until_screen(&house, "/screen/guests", "the guest", |guests| {
        guests
            .as_array()
            .unwrap()
            .iter()
            .any(|guest| guest["device"] == "switch" && guest["pass"] == "waiting")
    })
    .await;
    assert_eq!(told(&house, "guest").await, "A new device: switch");
    assert_eq!(why(&house, "switch", "22:00").await["blocked"], "all");
    let approved =
        post(&house, "/screen/guest/approve", json!({ "device": "switch", "author": "mum" })).await;
    assert_eq!(approved["pass"], "approved");
    assert_eq!(why(&house, "switch", "tomorrow 14:00").await["blocked"], json!(null));
    let over = why(&house, "switch", "tomorrow 15:30").await;
    assert_eq!((&over["blocked"], &over["because"]), (&json!("all"), &json!("the guest's pass is over")));
    assert_eq!(house.get("screen", "/screen/explain?device=thermostat").await.1["blocked"], json!(null));
    house.stop().await;
}

#[tokio::test]
async fn a_school_calendar_frees_its_nights_and_says_what_it_could_not_take() {
    let house = house("2026-11-16T15:00:00").start().await;
    let event =
        |lines: &str| format!("BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Day off\r\n{lines}\r\nEND:VEVENT\r\n");
    let ics = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}{}END:VCALENDAR\r\n",
        event("DTSTART;VALUE=DATE:20261118\r\nDTEND;VALUE=DATE:20261119"),
        event("DTSTART:20261118T140000Z\r\nDTEND:20261118T150000Z")
    );
    let imported = post(&house, "/screen/holidays", json!({ "name": "school", "ics": ics })).await;
    assert_eq!(
        (&imported["days"], &imported["refused"]),
        (&json!(1), &json!(["`Day off`: it is not all day"]))
    );
    let said = why(&house, "xbox", "wed 22:00").await;
    assert_eq!((&said["blocked"], &said["rules"][0]["rule"]), (&json!(null), &json!("holiday")), "{said}");
    let (code, _) = house.send("screen", "DELETE", "/screen/holidays/school", &Value::Null).await;
    assert_eq!(code, 200);
    assert_eq!(why(&house, "xbox", "wed 22:00").await["blocked"], "all");
    house.stop().await;
}

#[tokio::test]
async fn the_week_is_told_on_sunday_at_six() {
    let house = house("2026-11-20T12:00:00").start().await;
    until_screen(&house, "/screen/status", "the first declaration", |status| status["enforced"] == "applied")
        .await;
    post(&house, "/screen/credit", json!({ "person": "ava", "preset": "chores", "author": "mum" })).await;
    house.clock().set(at("2026-11-22T17:59:59"));
    assert_eq!(told(&house, "digest").await, "The week on screen");
    let (_, digest) = house.get("screen", "/screen/digest").await;
    assert_eq!(
        (&digest["bedtimes_kept"]["ava"], &digest["credits_earned"]),
        (&json!(7), &json!(30)),
        "{digest}"
    );
    house.stop().await;
}
