//! What callers may ask, what they are refused, and what survives a restart.

use std::time::Duration;

use jiff::Timestamp;
use sanctum_api::firewall::{Kind, Standing, Verdict};
use sanctum_testkit::eventually;
use serde_json::json;

use crate::house::{
    Heard, MORNING, STRANGER, TABLET, XBOX, client, curfew, desire, device, join, made, packets, simulate,
    started, until,
};

#[tokio::test]
async fn the_night_a_blocked_console_joins_and_everything_is_one_story() {
    let house = started("").await;
    let (status, _) = desire(&house, 1, json!({ "xbox": curfew() }), "block", Some(MORNING)).await;
    assert_eq!(status, 200);
    let blocked = device(&house, "xbox").await.block.unwrap();
    assert_eq!((blocked.verdict, blocked.block.reason.as_str()), (Verdict::Applied, "curfew"));
    let mut heard = Heard::from_now(&house).await;
    join(&house, XBOX).await;
    let joined = heard.next("joined").await;
    let attempt = heard.next("attempt").await;
    assert_eq!(joined.trace_id, attempt.trace_id);
    assert_eq!((attempt.device.as_deref(), attempt.verdict), (Some("xbox"), Some(Verdict::Applied)));
    assert_eq!(packets(&house, XBOX).await, (0, 5));
    until(&house, "xbox", "the proof", |device| device.block.as_ref().unwrap().verdict == Verdict::Proven)
        .await;
    assert_eq!(packets(&house, TABLET).await, (5, 0));
    let words = eventually("the whole story", Duration::from_secs(10), async || {
        let story = client(&house).trace(attempt.trace_id).await.unwrap();
        let words: Vec<String> = story.into_iter().map(|moment| moment.what).collect();
        words.iter().any(|word| word == "proven").then_some(words)
    })
    .await;
    assert_eq!(words, ["joined", "attempt", "verified", "proven"]);
    house.clock().set(MORNING.parse::<Timestamp>().unwrap());
    assert_eq!(heard.next("unblocked").await.device.as_deref(), Some("xbox"));
    assert_eq!(packets(&house, XBOX).await, (5, 0));
    house.stop().await;
}

#[tokio::test]
async fn the_intended_state_is_compared_and_set_and_may_be_sent_twice() {
    let house = started("").await;
    let blocks = json!({ "xbox": curfew() });
    assert_eq!(desire(&house, 1, blocks.clone(), "allow", None).await.0, 200);
    assert_eq!(desire(&house, 1, blocks.clone(), "allow", None).await.0, 200);
    let (status, problem) = desire(&house, 1, json!({}), "allow", None).await;
    assert_eq!(
        (status, problem["field"].as_str(), problem["allowed"].as_str()),
        (409, Some("version"), Some("2"))
    );
    let (status, problem) = desire(&house, 2, json!({ "toaster": curfew() }), "allow", None).await;
    assert_eq!((status, problem["field"].as_str()), (422, Some("blocks.toaster")));
    assert_eq!(house.get("firewall", "/desired").await.1["version"], 1);
    house.stop().await;
}

#[tokio::test]
async fn bad_requests_name_the_thing_and_the_way_out() {
    let house = started("").await;
    let answer = house
        .raw(
            "firewall",
            "PUT",
            "/desired",
            &[("content-type", "application/json")],
            b"{\"version\": ".to_vec(),
        )
        .await;
    assert_eq!(answer.status, 400);
    let (status, problem) =
        house.send("firewall", "PUT", "/devices/aa:bb:cc:00:00:01/block", &curfew()).await;
    assert_eq!((status, problem["value"].as_str()), (404, Some("aa:bb:cc:00:00:01")));
    assert!(problem["hint"].as_str().unwrap().contains("/devices"));
    let past = json!({ "scope": "all", "reason": "late", "until": "2020-01-01T00:00:00Z" });
    let (status, problem) = house.send("firewall", "PUT", "/devices/xbox/block", &past).await;
    assert_eq!((status, problem["field"].as_str()), (422, Some("until")));
    let none = json!({ "scope": { "services": [] }, "reason": "homework" });
    assert_eq!(house.send("firewall", "PUT", "/devices/xbox/block", &none).await.0, 422);
    let answer = house
        .raw("firewall", "PUT", "/devices/xbox/block", &[("authorization", "Bearer wrong")], Vec::new())
        .await;
    assert_eq!(answer.status, 401);
    house.stop().await;
}

#[tokio::test]
async fn two_devices_with_one_address_are_refused() {
    let twice = "[device.other]\nmac = [\"60:45:bd:12:34:56\"]\ntier = \"gaming\"";
    let Err((_, why)) = made(twice).try_start().await else { panic!("it started") };
    assert!(why.contains("60:45:bd:12:34:56") && why.contains("other") && why.contains("xbox"), "{why}");
    assert_eq!(why.matches("error: ").count(), 1, "it is complained of once: {why}");
    let house = started("").await;
    let mut export = client(&house).export().await.unwrap();
    let mut copy = export.devices[0].clone();
    "copy".clone_into(&mut copy.id);
    export.devices.push(copy);
    let (status, problem) =
        house.send("firewall", "POST", "/import", &serde_json::to_value(&export).unwrap()).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(problem["field"], "devices[2].macs");
    house.stop().await;
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_says_nothing_twice() {
    let house = started("").await;
    desire(&house, 1, json!({ "xbox": curfew() }), "block", Some(MORNING)).await;
    join(&house, STRANGER).await;
    let id = STRANGER.replace(':', "-");
    until(&house, &id, "the stranger", |device| device.standing == Standing::Automatic).await;
    let house = house.stop().await.start().await;
    assert_eq!(house.get("firewall", "/desired").await.1["version"], 1);
    let xbox = until(&house, "xbox", "the block", |device| device.block.is_some()).await;
    assert_eq!(xbox.block.unwrap().verdict, Verdict::Applied);
    assert_eq!(packets(&house, XBOX).await.0, 0);
    assert_eq!(device(&house, &id).await.standing, Standing::Automatic);
    let stopped = house.stop().await;
    let late = sanctum_kernel::Clock::starting_at(MORNING.parse().unwrap());
    let house = stopped.clock(late).start().await;
    until(&house, "xbox", "freedom", |device| device.block.is_none()).await;
    assert_eq!(packets(&house, XBOX).await, (5, 0));
    assert_eq!(
        until(&house, &id, "to be let in", |device| device.standing == Standing::Seen).await.block,
        None
    );
    house.stop().await;
}

#[tokio::test]
async fn a_person_blocks_and_lifts_and_a_block_ends_by_itself() {
    let house = started("").await;
    let mut heard = Heard::from_now(&house).await;
    let body = json!({ "scope": "all", "reason": "dinner", "until": "2026-11-21T02:00:00Z" });
    let (status, xbox) = house.send("firewall", "PUT", &format!("/devices/{XBOX}/block"), &body).await;
    assert_eq!(
        (status, xbox["id"].as_str(), xbox["block"]["verdict"].as_str()),
        (200, Some("xbox"), Some("applied"))
    );
    assert_eq!(heard.next("blocked").await.verdict, Some(Verdict::Applied));
    house.clock().set("2026-11-21T02:00:00Z".parse().unwrap());
    assert_eq!(heard.next("unblocked").await.device.as_deref(), Some("xbox"));
    desire(&house, 1, json!({ "xbox": curfew() }), "allow", None).await;
    let (status, xbox) = house.send("firewall", "DELETE", "/devices/xbox/block", &json!(null)).await;
    assert_eq!((status, &xbox["block"]), (200, &json!(null)));
    assert_eq!(house.get("firewall", "/desired").await.1["version"], 2);
    house.stop().await;
}

#[tokio::test]
async fn an_arrival_is_one_event_and_a_short_absence_is_none() {
    let house = started("").await;
    let mut heard = Heard::from_now(&house).await;
    join(&house, TABLET).await;
    let shown = json!({ "hostname": "tablet", "parameters": "1,3,6" });
    simulate(&house, json!({ "join": { "mac": TABLET, "address": "10.0.0.7", "fingerprint": shown } })).await;
    simulate(&house, json!({ "join": { "mac": TABLET, "address": "10.0.0.8" } })).await;
    simulate(&house, json!({ "leave": TABLET })).await;
    let all = heard.all_until("left").await;
    assert_eq!(all.iter().filter(|event| event.kind == Kind::Joined).count(), 1);
    join(&house, TABLET).await;
    heard.next("joined").await;
    let tablet = device(&house, "tablet").await;
    assert_eq!(
        tablet.addresses,
        ["10.0.0.8".parse::<std::net::IpAddr>().unwrap(), "10.0.0.7".parse().unwrap()]
    );
    assert!(tablet.online);
    house.stop().await;
}

#[tokio::test]
async fn switched_off_it_changes_nothing_and_says_so() {
    let house = started("").await;
    client(&house).off(true).await.unwrap();
    desire(&house, 1, json!({ "xbox": curfew() }), "allow", None).await;
    assert_eq!(packets(&house, XBOX).await, (5, 0));
    assert_eq!(house.get("firewall", "/health").await.1["parts"]["router"]["status"], "unwell");
    client(&house).off(false).await.unwrap();
    assert_eq!(packets(&house, XBOX).await, (0, 5));
    house.stop().await;
}

#[tokio::test]
async fn who_left_while_nobody_watched_arrives_anew() {
    let house = started("").await;
    desire(&house, 1, json!({ "xbox": curfew() }), "allow", None).await;
    join(&house, XBOX).await;
    until(&house, "xbox", "the console", |device| device.online).await;
    // The simulated network forgets everybody when it stops.
    let house = house.stop().await.start().await;
    until(&house, "xbox", "that it left", |device| !device.online).await;
    let mut heard = Heard::from_now(&house).await;
    join(&house, XBOX).await;
    let joined = heard.next("joined").await;
    assert_eq!(heard.next("attempt").await.trace_id, joined.trace_id);
    house.stop().await;
}

#[tokio::test]
async fn a_canary_in_a_house_that_is_switched_off_is_no_alarm() {
    let house = started("").await;
    client(&house).off(true).await.unwrap();
    let canary = client(&house).canary().await.unwrap();
    assert_eq!(canary.verdict, Some(Verdict::Unknown));
    assert!(canary.detail.contains("switched off"), "{}", canary.detail);
    assert_eq!(house.get("firewall", "/health").await.1["parts"]["canary"], json!(null));
    house.stop().await;
}

#[tokio::test]
async fn what_is_refused_half_way_changes_nothing() {
    let house = started("").await;
    let id = STRANGER.replace(':', "-");
    join(&house, STRANGER).await;
    until(&house, &id, "the stranger", |device| device.online).await;
    let before = client(&house).export().await.unwrap();
    let ask =
        json!({ "name": "Lea", "owner": "ava", "approved": true, "kind": "phone", "same_as": "nobody" });
    let (status, problem) = house.send("firewall", "PUT", &format!("/devices/{id}"), &ask).await;
    assert_eq!((status, problem["field"].as_str()), (422, Some("same_as")));
    let ask = json!({ "same_as": "xbox", "apart": TABLET });
    let (status, problem) = house.send("firewall", "PUT", &format!("/devices/{id}"), &ask).await;
    assert_eq!((status, problem["field"].as_str()), (422, Some("apart")));
    assert_eq!(client(&house).export().await.unwrap(), before, "a refused name leaves everything as it was");
    for (field, wrong) in [
        ("desired.blocks.toaster", json!({ "toaster": curfew() })),
        (
            "desired.blocks.xbox.scope.services",
            json!({ "xbox": { "scope": { "services": [] }, "reason": "x" } }),
        ),
    ] {
        let mut import = serde_json::to_value(&before).unwrap();
        for device in import["devices"].as_array_mut().unwrap() {
            device["name"] = json!("changed");
        }
        import["desired"]["blocks"] = wrong;
        let (status, problem) = house.send("firewall", "POST", "/import", &import).await;
        assert_eq!((status, problem["field"].as_str()), (422, Some(field)), "{problem}");
        assert_eq!(
            client(&house).export().await.unwrap(),
            before,
            "a refused import leaves everything as it was"
        );
    }
    house.stop().await;
}
