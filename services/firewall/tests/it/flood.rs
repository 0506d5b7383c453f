//! Made-up addresses by the thousand: recognised, told once, and nothing grows.

use std::time::Duration;

use sanctum_api::firewall::{Kind, Standing};
use sanctum_kernel::Mac;
use sanctum_testkit::{House, eventually};
use serde_json::json;

use crate::house::{
    Heard, MORNING, TABLET, XBOX, client, curfew, desire, device, join, packets, simulate, started, until,
};

const MANY: u32 = 2000;
const SOON: Duration = Duration::from_secs(20);

fn made_up(n: u32) -> String {
    let [_, a, b, c] = n.to_be_bytes();
    Mac([0x06, 0, 0, a, b, c]).to_string()
}

async fn strangers(house: &House) -> usize {
    let devices = client(house).devices().await.unwrap();
    devices.iter().filter(|device| !["xbox", "tablet"].contains(&device.id.as_str())).count()
}

#[tokio::test]
async fn a_flood_in_a_curfew_is_told_once_and_makes_no_row_for_each() {
    let house = started("reconcile = \"500ms\"").await;
    desire(&house, 1, json!({ "xbox": curfew() }), "block", Some(MORNING)).await;
    let mut heard = Heard::from_now(&house).await;
    for n in 0..MANY {
        join(&house, &made_up(n)).await;
    }
    // The curfew goes on beside it.
    join(&house, XBOX).await;
    join(&house, TABLET).await;
    until(&house, "tablet", "the tablet", |device| device.online).await;
    assert_eq!((packets(&house, XBOX).await, packets(&house, TABLET).await), ((0, 5), (5, 0)));
    assert_eq!(packets(&house, &made_up(MANY - 1)).await, (0, 5), "the gate needs no row to keep them out");
    assert!(strangers(&house).await <= 32, "{} strangers are kept", strangers(&house).await);
    let health = house.get("firewall", "/health").await.1;
    assert_eq!(health["parts"]["strangers"]["status"], "degraded", "{health}");
    assert!(health["parts"]["strangers"]["hint"].as_str().unwrap().contains("unplug"), "{health}");
    // It is over when nobody new comes, and whoever is gone is forgotten.
    for n in 0..MANY {
        simulate(&house, json!({ "leave": made_up(n) })).await;
    }
    house.clock().set("2026-11-21T01:53:00Z".parse().unwrap());
    let all = heard.all_until("flood").await;
    assert!(all.iter().all(|event| event.device.as_deref() != Some(&made_up(MANY - 1).replace(':', "-"))));
    assert!(all.last().unwrap().detail.contains("the gate keeps them all out"));
    let between = heard.all_until("flood").await;
    let (over, between) = between.split_last().unwrap();
    assert!(over.detail.contains("is over"), "{}", over.detail);
    assert!(between.iter().all(|event| event.kind != Kind::Flood));
    eventually("those who came with it to be forgotten", SOON, async || {
        (strangers(&house).await == 0).then_some(())
    })
    .await;
    assert_eq!(house.get("firewall", "/health").await.1["parts"]["strangers"], json!(null));
    // Somebody real is noticed again.
    join(&house, "de:ad:be:00:00:48").await;
    until(&house, "de-ad-be-00-00-48", "a guest", |device| device.standing == Standing::Automatic).await;
    house.stop().await;
}

#[tokio::test]
async fn a_new_house_may_show_all_its_devices_at_once() {
    let house = started("").await;
    for n in 0..200 {
        join(&house, &made_up(n)).await;
    }
    for n in 0..200 {
        let id = made_up(n).replace(':', "-");
        until(&house, &id, "each of them", |device| device.online).await;
    }
    assert_eq!(device(&house, &made_up(7)).await.standing, Standing::Seen);
    assert_eq!(house.get("firewall", "/health").await.1["parts"]["strangers"], json!(null));
    house.stop().await;
}

#[tokio::test]
async fn who_came_once_and_never_again_is_forgotten_and_who_matters_to_somebody_is_not() {
    let house = started("keep = \"24h\"\nreconcile = \"200ms\"").await;
    let (passer, named, here) = (made_up(1), made_up(2), made_up(3));
    for mac in [&passer, &named, &here] {
        join(&house, mac).await;
    }
    let id = |mac: &str| mac.replace(':', "-");
    until(&house, &id(&here), "the last of them", |device| device.online).await;
    let (status, _) =
        house.send("firewall", "PUT", &format!("/devices/{}", id(&named)), &json!({ "name": "Lea" })).await;
    assert_eq!(status, 200);
    for mac in [&passer, &named] {
        simulate(&house, json!({ "leave": mac })).await;
        until(&house, &id(mac), "that it left", |device| !device.online).await;
    }
    house.clock().set("2026-11-23T02:00:00Z".parse().unwrap());
    eventually("the passer-by to be forgotten", SOON, async || {
        (house.get("firewall", &format!("/devices/{}", id(&passer))).await.0 == 404).then_some(())
    })
    .await;
    for mac in [&named, &here] {
        assert_eq!(device(&house, &id(mac)).await.id, id(mac));
    }
    let house = house.stop().await.start().await;
    assert_eq!(strangers(&house).await, 2, "forgotten on the disk as well");
    house.stop().await;
}
