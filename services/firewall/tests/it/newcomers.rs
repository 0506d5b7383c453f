//! Devices nobody has named: let in, closed out, asked about.

use sanctum_api::firewall::{Standing, Verdict};
use serde_json::{Value, json};

use crate::house::{
    Heard, MORNING, STRANGER, XBOX, curfew, desire, device, join, packets, simulate, started, until,
};

fn shown() -> Value {
    json!({ "hostname": "XBOX", "vendor_class": "MSFT 5.0 XBOX", "parameters": "1,3,6,15,31" })
}

#[tokio::test]
async fn a_stranger_in_a_curfew_is_closed_out_before_it_sends_and_freed_at_wake_up() {
    let house = started("").await;
    desire(&house, 1, json!({}), "block", Some(MORNING)).await;
    assert_eq!(packets(&house, STRANGER).await, (0, 5), "the gate is closed before anybody is noticed");
    let mut heard = Heard::from_now(&house).await;
    join(&house, STRANGER).await;
    let id = STRANGER.replace(':', "-");
    let stranger = until(&house, &id, "the stranger", |device| device.block.is_some()).await;
    assert_eq!(
        (stranger.standing, stranger.block.unwrap().block.reason.as_str()),
        (Standing::Automatic, "not approved")
    );
    house.clock().set(MORNING.parse().unwrap());
    assert_eq!(heard.next("unblocked").await.device.as_deref(), Some(&*id));
    assert_eq!(device(&house, &id).await.standing, Standing::Seen);
    assert_eq!(packets(&house, STRANGER).await, (5, 0));
    house.stop().await;
}

#[tokio::test]
async fn quarantine_lasts_until_a_person_approves() {
    let house = started("").await;
    desire(&house, 1, json!({}), "quarantine", Some(MORNING)).await;
    join(&house, STRANGER).await;
    let id = STRANGER.replace(':', "-");
    until(&house, &id, "the stranger", |device| device.standing == Standing::Quarantined).await;
    house.clock().set(MORNING.parse().unwrap());
    until(&house, "xbox", "a round", |_| true).await;
    assert_eq!(packets(&house, STRANGER).await, (0, 5));
    let (status, _) = house
        .send(
            "firewall",
            "PUT",
            &format!("/devices/{id}"),
            &json!({ "approved": true, "name": "Lea's phone" }),
        )
        .await;
    assert_eq!(status, 200);
    assert_eq!(packets(&house, STRANGER).await, (5, 0));
    house.stop().await;
}

#[tokio::test]
async fn a_made_up_address_is_proposed_merged_and_parted_again() {
    let house = started("").await;
    simulate(&house, json!({ "join": { "mac": XBOX, "fingerprint": shown() } })).await;
    until(&house, "xbox", "its fingerprint", |device| device.fingerprint.hostname.is_some()).await;
    simulate(&house, json!({ "join": { "mac": STRANGER, "fingerprint": shown() } })).await;
    let id = STRANGER.replace(':', "-");
    let stranger = until(&house, &id, "the likeness", |device| device.resembles.is_some()).await;
    let resembles = stranger.resembles.unwrap();
    assert_eq!((resembles.device.as_str(), stranger.kind.as_deref()), ("xbox", Some("console")));
    assert!(resembles.score > 0.9);
    let (status, xbox) =
        house.send("firewall", "PUT", &format!("/devices/{id}"), &json!({ "same_as": "xbox" })).await;
    assert_eq!((status, xbox["macs"].as_array().unwrap().len()), (200, 3));
    assert_eq!(
        house.get("firewall", &format!("/devices/{id}")).await.1["id"],
        "xbox",
        "its address is found there"
    );
    desire(&house, 1, json!({ "xbox": curfew() }), "allow", None).await;
    assert_eq!(packets(&house, STRANGER).await, (0, 5));
    let (status, _) = house.send("firewall", "PUT", "/devices/xbox", &json!({ "apart": STRANGER })).await;
    assert_eq!(status, 200);
    assert_eq!(packets(&house, STRANGER).await, (5, 0));
    let house = house.stop().await.start().await;
    let apart = device(&house, &id).await;
    assert_eq!((apart.resembles, apart.name.as_str()), (None, "XBOX"));
    assert_eq!(device(&house, "xbox").await.block.map(|state| state.verdict), Some(Verdict::Applied));
    house.stop().await;
}
