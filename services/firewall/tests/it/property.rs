//! Whatever is wanted and however the router misbehaves: no verdict is ever better than the truth, and once the
//! router behaves, what is wanted is so.

use proptest::prelude::*;
use sanctum_api::firewall::Verdict;
use sanctum_testkit::House;
use serde_json::{Value, json};

use crate::house::{STRANGER, TABLET, XBOX, client, curfew, fault, join, packets, simulate, started};

const FAULTS: [&str; 5] = ["lies", "forgets", "leaks", "refuses", "unreachable"];

#[derive(Debug, Clone)]
enum Step {
    Want { xbox: bool, tablet: bool, newcomers: &'static str },
    Fault(usize, bool),
    Join(&'static str),
    Leave(&'static str),
    Send(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    let mac = prop::sample::select(vec![XBOX, TABLET, STRANGER]);
    let policy = prop::sample::select(vec!["allow", "block"]);
    prop_oneof![
        3 => (any::<bool>(), any::<bool>(), policy).prop_map(|(xbox, tablet, newcomers)| Step::Want { xbox, tablet, newcomers }),
        3 => (0..FAULTS.len(), any::<bool>()).prop_map(|(at, on)| Step::Fault(at, on)),
        1 => mac.clone().prop_map(Step::Join),
        1 => mac.clone().prop_map(Step::Leave),
        2 => mac.prop_map(Step::Send),
    ]
}

/// Sends the current intention again, which is one whole round.
async fn round(house: &House) -> Value {
    let (_, desired) = house.get("firewall", "/desired").await;
    let (status, answer) = house.send("firewall", "PUT", "/desired", &desired).await;
    assert_eq!(status, 200, "{answer}");
    desired
}

async fn take(house: &House, step: &Step, on: &mut [bool; 5]) {
    match step {
        Step::Want { xbox, tablet, newcomers } => {
            let version = house.get("firewall", "/desired").await.1["version"].as_u64().unwrap() + 1;
            let mut blocks = serde_json::Map::new();
            for (id, _) in [("xbox", xbox), ("tablet", tablet)].into_iter().filter(|(_, wanted)| **wanted) {
                blocks.insert(id.to_owned(), curfew());
            }
            let body = json!({ "version": version, "blocks": blocks, "newcomers": newcomers });
            let (status, answer) = house.send("firewall", "PUT", "/desired", &body).await;
            assert_eq!(status, 200, "an intention is never lost to a router: {answer}");
        }
        Step::Fault(at, state) => {
            on[*at] = *state;
            fault(house, FAULTS[*at], *state).await;
        }
        Step::Join(mac) => join(house, mac).await,
        Step::Leave(mac) => drop(simulate(house, json!({ "leave": mac })).await),
        Step::Send(mac) => drop(packets(house, mac).await),
    }
}

/// A good verdict means that nothing passes. What leaks or forgets can be caught only after it has.
async fn never_better_than_the_truth(house: &House, on: &[bool; 5]) {
    round(house).await;
    if on[1] || on[2] {
        return;
    }
    for device in client(house).devices().await.unwrap() {
        let good =
            device.block.is_some_and(|state| matches!(state.verdict, Verdict::Proven | Verdict::Applied));
        for mac in device.macs.iter().filter(|_| good) {
            let (passed, _) = packets(house, &mac.to_string()).await;
            assert_eq!(passed, 0, "{} has a good verdict and its packets pass", device.id);
        }
    }
}

/// With a router that behaves, what is wanted is so.
async fn comes_right(house: &House) {
    for name in FAULTS {
        fault(house, name, false).await;
    }
    round(house).await;
    let desired = round(house).await;
    for (id, mac) in [("xbox", XBOX), ("tablet", TABLET)] {
        let (passed, dropped) = packets(house, mac).await;
        let blocked = !desired["blocks"][id].is_null();
        assert_eq!((passed == 0, dropped == 0), (blocked, !blocked), "{id} in {desired}");
    }
    round(house).await;
    assert_eq!(house.get("firewall", "/health").await.1["parts"]["router"]["status"], "well");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_verdict_is_better_than_the_truth_and_all_comes_right(steps in prop::collection::vec(step(), 1..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = started("").await;
            let mut on = [false; 5];
            for step in &steps {
                take(&house, step, &mut on).await;
                never_better_than_the_truth(&house, &on).await;
            }
            comes_right(&house).await;
            house.stop().await;
        });
    }
}
