//! Somebody else changes the rules: each sabotage is named right and repaired.

use std::sync::Arc;

use sanctum_api::firewall::{Kind, Verdict};
use serde_json::json;

use crate::lab::{Heard, Lab, XBOX, client, curfew, desire, house, until};

/// What is done, and what the drift must say.
const SABOTAGES: &[(&str, &str)] = &[
    ("flush ruleset", "table `inet sanctum` is gone"),
    ("delete table bridge sanctum", "table `bridge sanctum` is gone"),
    ("flush chain inet sanctum gate", "every rule of chain `gate` in table `inet sanctum` was deleted"),
    ("flush chain bridge sanctum down", "every rule of chain `down` in table `bridge sanctum` was deleted"),
    (
        "insert rule inet sanctum gate ct state established accept",
        "somebody put a rule above ours in chain `gate` of table `inet sanctum`",
    ),
    (
        "delete element inet sanctum blocked { 60:45:bd:12:34:56 }",
        "half of the block of 60:45:bd:12:34:56 was removed",
    ),
    (
        "delete element inet sanctum blocked { 60:45:bd:12:34:56 }; delete element bridge sanctum blocked { 60:45:bd:12:34:56 }",
        "the block of 60:45:bd:12:34:56 was removed",
    ),
    ("add table inet sanctum { flags dormant; }", "table `inet sanctum` is gone"),
    ("add element inet sanctum blocked { f0:18:98:00:00:01 }", "somebody else blocked f0:18:98:00:00:01"),
    ("delete element inet sanctum known { f0:18:98:00:00:01 }", "f0:18:98:00:00:01 was made a stranger"),
    ("delete element bridge sanctum closed { 0x0800 }", "somebody opened the gate for strangers"),
];

#[test]
fn each_sabotage_is_named_and_repaired() {
    let lab = Arc::new(Lab::up());
    lab.address("xb", XBOX, 50);
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        let house = house("").start().await;
        desire(&house, json!({ "xbox": curfew() }), "block").await;
        for (line, words) in SABOTAGES {
            let mut heard = Heard::from_now(&house).await;
            lab.nft("rt", line);
            let drift =
                heard.next(&format!("the drift after `{line}`"), |event| event.kind == Kind::Drift).await;
            assert!(
                drift.detail.contains(words) && drift.detail.ends_with("(repaired)"),
                "`{line}`: {}",
                drift.detail
            );
            assert!(!lab.pings("xb", "203.0.113.2"), "`{line}` let packets pass after the repair");
            until(&house, "xbox", "a good verdict", |device| {
                matches!(device.block.as_ref().unwrap().verdict, Verdict::Applied | Verdict::Proven)
            })
            .await;
            assert_eq!(client(&house).router().await.unwrap().drift, None, "`{line}`");
        }
        // A rule of somebody else's in a table of theirs concerns nobody.
        lab.nft("rt", "add table inet theirs");
        assert!(!lab.pings("xb", "203.0.113.2"));
        house.stop().await;
    });
}

#[test]
fn what_is_missing_is_named_with_the_way_out() {
    let lab = Arc::new(Lab::up());
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        let refused = async |config: &str, words: &[&str]| {
            let Err((_, why)) = house(config).try_start().await else { panic!("it started with {config}") };
            assert!(words.iter().all(|word| why.contains(word)), "{why}");
        };
        refused(
            "[firewall.nftables]\nlan = [\"br-nope\"]",
            &["br-nope", "br-lan", "[firewall.nftables] lan"],
        )
        .await;
        refused("[firewall.nftables]\nlan = [\"wan0\"]", &["`wan0` is not a bridge", "ip link add"]).await;
        refused("[firewall.nftables]\nnft = \"/nowhere/nft\"", &["/nowhere/nft", "apt-get install nftables"])
            .await;
        refused("[firewall.nftables]\nlan = [\"a b\"]", &["a b", "name of an interface"]).await;
        refused("[firewall.nftables]\nprefixes = [\"10.0.0.0/99\"]", &["10.0.0.0/99"]).await;
        drop(lab);
    });
    let nobody = rustix::process::Uid::from_raw(65534);
    let thread = lab.inside("rt", move || {
        // Only this thread: the namespace and everything the test opened stay root's.
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        sanctum_firewall::backend::nftables::Config::default().try_open()
    });
    let why = thread.join().unwrap().unwrap_err();
    assert!(why.contains("needs root") && why.contains("CAP_NET_ADMIN"), "{why}");
}
