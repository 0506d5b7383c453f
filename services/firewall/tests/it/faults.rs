//! A router that lies, forgets, leaks, refuses or is gone: each is called by its name.

use sanctum_api::firewall::{Kind, Verdict};
use sanctum_testkit::eventually;
use serde_json::json;

use crate::house::{Heard, XBOX, client, curfew, desire, device, fault, packets, started, until};

#[tokio::test]
async fn a_lying_router_is_caught_and_mended_when_it_stops() {
    let house = started("canary-visible = \"300ms\"").await;
    fault(&house, "lies", true).await;
    let mut heard = Heard::from_now(&house).await;
    assert_eq!(desire(&house, 1, json!({ "xbox": curfew() }), "allow", None).await.0, 200);
    assert_eq!(device(&house, "xbox").await.block.unwrap().verdict, Verdict::Missing);
    let drift = heard.next("drift").await;
    assert!(
        drift.detail.contains("said it did, and did not") && drift.detail.contains(XBOX),
        "{}",
        drift.detail
    );
    assert_eq!(house.get("firewall", "/health").await.1["status"], "unwell");
    assert_eq!(client(&house).canary().await.unwrap().verdict, Some(Verdict::Missing));
    fault(&house, "lies", false).await;
    packets(&house, XBOX).await;
    until(&house, "xbox", "the block", |device| device.block.as_ref().unwrap().verdict != Verdict::Missing)
        .await;
    assert_eq!(packets(&house, XBOX).await, (0, 5));
    assert_eq!(client(&house).canary().await.unwrap().verdict, Some(Verdict::Applied));
    assert_eq!(house.get("firewall", "/health").await.1["status"], "well");
    house.stop().await;
}

#[tokio::test]
async fn a_forgetful_router_is_caught_and_mended() {
    let house = started("reconcile = \"100ms\"").await;
    desire(&house, 1, json!({ "xbox": curfew() }), "allow", None).await;
    let mut heard = Heard::from_now(&house).await;
    fault(&house, "forgets", true).await;
    let drift = heard.next("drift").await;
    assert!(
        drift.detail.contains("was removed on the router (repaired)") || drift.detail.contains("(repaired)"),
        "{}",
        drift.detail
    );
    assert!(drift.detail.contains("the block of 60:45:bd:12:34:56 was removed"), "{}", drift.detail);
    fault(&house, "forgets", false).await;
    until(&house, "xbox", "the block", |device| device.block.as_ref().unwrap().verdict == Verdict::Applied)
        .await;
    house.stop().await;
}

#[tokio::test]
async fn a_leak_is_a_leak_whatever_the_router_says() {
    let house = started("").await;
    desire(&house, 1, json!({ "xbox": curfew() }), "allow", None).await;
    fault(&house, "leaks", true).await;
    let mut heard = Heard::from_now(&house).await;
    assert_eq!(packets(&house, XBOX).await, (5, 0));
    let drift = heard.next("drift").await;
    assert!(drift.detail.contains("5 packets of 60:45:bd:12:34:56 passed"), "{}", drift.detail);
    assert_eq!(device(&house, "xbox").await.block.unwrap().verdict, Verdict::Leaking);
    fault(&house, "leaks", false).await;
    packets(&house, XBOX).await;
    until(&house, "xbox", "the proof", |device| device.block.as_ref().unwrap().verdict == Verdict::Proven)
        .await;
    house.stop().await;
}

#[tokio::test]
async fn a_router_that_refuses_or_is_gone_loses_no_intention() {
    let house = started("").await;
    for (name, verdict) in [("refuses", Verdict::Missing), ("unreachable", Verdict::Unknown)] {
        fault(&house, name, true).await;
        let version = house.get("firewall", "/desired").await.1["version"].as_u64().unwrap();
        let mut heard = Heard::from_now(&house).await;
        assert_eq!(desire(&house, version + 1, json!({ "xbox": curfew() }), "allow", None).await.0, 200);
        assert_eq!(device(&house, "xbox").await.block.unwrap().verdict, verdict);
        assert_eq!(heard.next("drift").await.kind, Kind::Drift);
        fault(&house, name, false).await;
        packets(&house, XBOX).await;
        let in_force = |verdict| matches!(verdict, Verdict::Applied | Verdict::Proven);
        until(&house, "xbox", "the block", |device| in_force(device.block.as_ref().unwrap().verdict)).await;
        assert_eq!(desire(&house, version + 2, json!({}), "allow", None).await.0, 200);
    }
    house.stop().await;
}

#[tokio::test]
async fn single_services_that_cannot_be_blocked_are_closed_fully_after_the_grace() {
    let house = started("[firewall.simulated]\nservices = false").await;
    let block = json!({ "scope": { "services": ["youtube"] }, "reason": "homework" });
    desire(&house, 1, json!({ "xbox": block }), "allow", None).await;
    let state = device(&house, "xbox").await.block.unwrap();
    assert_eq!(state.verdict, Verdict::Missing);
    assert!(state.evidence.contains("youtube") && state.evidence.contains("Sat 02:07"), "{}", state.evidence);
    assert_eq!(packets(&house, XBOX).await.0, 5);
    // The timer survives a restart.
    let house = house.stop().await.start().await;
    let mut heard = Heard::from_now(&house).await;
    house.clock().step(jiff::SignedDuration::from_mins(20));
    assert!(heard.next("drift").await.detail.contains("everything is closed instead"));
    until(&house, "xbox", "the full block", |device| {
        device.block.as_ref().unwrap().verdict == Verdict::Applied
    })
    .await;
    assert_eq!(packets(&house, XBOX).await, (0, 5));
    house.stop().await;
}

#[tokio::test]
async fn single_services_are_blocked_where_the_router_can() {
    let house = started("").await;
    let block = json!({ "scope": { "services": ["youtube"] }, "reason": "homework" });
    desire(&house, 1, json!({ "xbox": block }), "allow", None).await;
    assert_eq!(device(&house, "xbox").await.block.unwrap().verdict, Verdict::Applied);
    assert_eq!(packets(&house, XBOX).await, (5, 0));
    let send = json!({ "send": { "mac": XBOX, "up": 1, "service": "youtube" } });
    assert_eq!(crate::house::simulate(&house, send).await["dropped"], 1);
    house.stop().await;
}

#[tokio::test]
async fn canaries_fly_by_their_own_timer_and_a_lost_one_is_told_until_one_comes_through() {
    let house = started("canary = \"400ms\"\ncanary-visible = \"200ms\"").await;
    let mut heard = Heard::from_now(&house).await;
    for _ in 0..2 {
        let canary = heard.next("canary").await;
        assert_eq!(canary.verdict, Some(Verdict::Applied), "nobody asked for it: {}", canary.detail);
    }
    fault(&house, "lies", true).await;
    let missing = async |heard: &mut Heard, wanted| loop {
        let canary = heard.next("canary").await;
        if canary.verdict == Some(wanted) {
            return canary;
        }
    };
    let lost = missing(&mut heard, Verdict::Missing).await;
    assert!(lost.detail.contains("was not visible on the router within"), "{}", lost.detail);
    let part = house.get("firewall", "/health").await.1["parts"]["canary"].clone();
    assert_eq!(part["status"], "unwell", "{part}");
    fault(&house, "lies", false).await;
    missing(&mut heard, Verdict::Applied).await;
    eventually("that it is well again", std::time::Duration::from_secs(10), async || {
        (house.get("firewall", "/health").await.1["parts"]["canary"]["status"] == "well").then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn a_slow_router_keeps_no_reader_waiting_and_loses_nothing() {
    let house = started("").await;
    fault(&house, "slow", true).await;
    let mut put = Box::pin(desire(&house, 1, json!({ "xbox": curfew() }), "allow", None));
    // While the router takes its time, everybody else is answered from what is known.
    tokio::select! {
        biased;
        _ = &mut put => panic!("a slow router was not waited for"),
        seen = async {
            let mut seen = Vec::new();
            for path in ["/devices", "/router", "/desired", "/health"] {
                seen.push(house.get("firewall", path).await.0);
            }
            seen
        } => assert_eq!(seen, [200; 4]),
    }
    let (status, answer) = put.await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        device(&house, "xbox").await.block.unwrap().verdict,
        Verdict::Applied,
        "it was waited for, and seen"
    );
    let mut heard = Heard::from_now(&house).await;
    crate::house::join(&house, XBOX).await;
    let attempt = heard.next("attempt").await;
    assert_eq!(attempt.verdict, Some(Verdict::Applied), "{}", attempt.detail);
    assert_eq!(packets(&house, XBOX).await, (0, 5));
    fault(&house, "slow", false).await;
    house.stop().await;
}
