//! A playing device at the edge of a curfew: nothing passes after the verdict, and nobody else notices.

use std::sync::Arc;
use std::time::Duration;

use sanctum_api::firewall::Verdict;
use sanctum_testkit::eventually;
use serde_json::json;

use crate::lab::{Lab, TABLET, XBOX, client, curfew, desire, house, until};
use crate::traffic::{counts, talk};

#[test]
fn nothing_passes_after_the_verdict_in_v4_and_v6_by_tcp_and_udp_in_both_directions() {
    let lab = Arc::new(Lab::up());
    lab.address("xb", XBOX, 50);
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        // The proof is seen by a round; the first may look before anything was sent.
        let house = house("reconcile = \"1s\"\n").start().await;
        let _playing = talk(&lab, "xb", 8080);
        let _streaming = talk(&lab, "tb", 9090);
        let flowing = async |part: &'static str, port| {
            eventually("all four flows in both directions", Duration::from_secs(20), async || {
                let all = [counts(&lab, part, port), counts(&lab, "in", port)].concat();
                all.iter().all(|count| *count > 20).then_some(())
            })
            .await;
        };
        flowing("xb", 8080).await;
        flowing("tb", 9090).await;
        desire(&house, json!({ "xbox": curfew() }), "allow").await;
        let verdict = client(&house).device("xbox").await.unwrap().block.unwrap().verdict;
        assert!(matches!(verdict, Verdict::Applied | Verdict::Proven), "{verdict:?}");
        let before = [counts(&lab, "xb", 8080), counts(&lab, "in", 8080)];
        let tablet = counts(&lab, "tb", 9090);
        until(&house, "xbox", "the proof", |device| {
            device.block.as_ref().unwrap().verdict == Verdict::Proven
        })
        .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(
            [counts(&lab, "xb", 8080), counts(&lab, "in", 8080)],
            before,
            "packets passed after the verdict"
        );
        assert!(
            counts(&lab, "tb", 9090).iter().zip(&tablet).all(|(now, then)| now > then),
            "the tablet noticed"
        );
        // The LAN and the router stay open, the internet does not; afterwards everything is open again.
        assert!(lab.pings("xb", "10.77.0.20") && lab.pings("xb", "10.77.0.1") && lab.pings("xb", "fd77::20"));
        assert!(!lab.pings("xb", "203.0.113.2") && !lab.pings("xb", "2001:db8:113::2"));
        assert!(lab.pings("tb", "203.0.113.2"));
        let bytes = client(&house).device(TABLET).await.unwrap().bytes;
        assert!(bytes > 10_000, "{bytes} bytes counted for the tablet");
        desire(&house, json!({}), "allow").await;
        assert!(lab.pings("xb", "203.0.113.2") && lab.pings("xb", "2001:db8:113::2"));
        house.stop().await;
    });
}

#[test]
fn what_the_kernel_holds_outlives_the_service_and_is_taken_over_again() {
    let lab = Arc::new(Lab::up());
    lab.address("xb", XBOX, 50);
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        let house = house("").start().await;
        desire(&house, json!({ "xbox": curfew() }), "allow").await;
        let stopped = house.stop().await;
        assert!(!lab.pings("xb", "203.0.113.2"), "the block is gone with the service");
        let house = stopped.start().await;
        until(&house, "xbox", "the block", |device| {
            device.block.as_ref().is_some_and(|block| block.verdict != Verdict::Missing)
        })
        .await;
        assert!(!lab.pings("xb", "203.0.113.2"));
        assert_eq!(client(&house).canary().await.unwrap().verdict, Some(Verdict::Applied));
        // The recovery line works while the service runs switched off, and removes nothing else.
        client(&house).off(true).await.unwrap();
        lab.nft("rt", sanctum_firewall::backend::nftables::RECOVERY);
        lab.nft("rt", sanctum_firewall::backend::nftables::RECOVERY);
        assert!(lab.pings("xb", "203.0.113.2"));
        assert!(lab.exec("rt", &["nft", "list", "tables"]).contains("inet base"));
        client(&house).off(false).await.unwrap();
        assert!(!lab.pings("xb", "203.0.113.2"));
        house.stop().await;
    });
}
