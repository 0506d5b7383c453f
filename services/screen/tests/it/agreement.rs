//! A house that has agreed: everything is told and shown, and nothing is ever blocked.

use sanctum_api::firewall::{Desired, Newcomers};
use sanctum_testkit::eventually;
use serde_json::json;

use crate::stubs::{hub, wall};
use crate::world::{HOUSE, SOON, desired, house, until_screen};

const AGREED: &str = "[screen]\nmode = \"agreement\"\n";

#[tokio::test]
async fn the_rules_are_shown_and_told_and_nothing_is_blocked() {
    let house = house("2026-11-18T21:25:00").config(&format!("{HOUSE}{AGREED}")).start().await;
    let status =
        until_screen(&house, "/screen/status", "the rules", |status| status["enforced"] == "applied").await;
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&json!({
            "tonight": status["tonight"], "devices": status["devices"], "detail": status["detail"],
        }))
        .unwrap()
    );
    let hub = hub(house.home());
    eventually("the warning", SOON, async || {
        let notices = hub.lock().unwrap().notices.clone();
        notices.iter().any(|(notice, _, _)| notice.labels["about"] == "wind-down").then_some(())
    })
    .await;
    let curfew = json!({ "target": "ava", "action": "curfew", "author": "mum", "reason": "as agreed" });
    let (code, after) = house.send("screen", "POST", "/screen/override", &curfew).await;
    assert_eq!((code, after["detail"].as_str()), (200, status["detail"].as_str()), "{after}");
    let (_, why) = house.get("screen", "/screen/explain?device=xbox").await;
    assert_eq!(why["blocked"], "all", "what would be is said: {why}");
    assert_eq!(desired(house.home()), Desired::default());
    assert_eq!(wall(house.home()).lock().unwrap().puts, 0, "the firewall was never asked for anything");
    house.stop().await;
}

#[tokio::test]
async fn what_was_enforced_is_lifted_when_a_house_agrees_and_comes_back_when_it_does_not() {
    let mut house = house("2026-11-19T02:00:00").start().await;
    crate::world::until_desired(house.home(), "the curfew", |desired| desired.newcomers == Newcomers::Block)
        .await;
    house.reconfigure(&format!("{HOUSE}{AGREED}")).await;
    let free =
        crate::world::until_desired(house.home(), "freedom", |desired| desired.blocks.is_empty()).await;
    assert_eq!((free.newcomers, free.newcomers_until), (Newcomers::Allow, None));
    house.reconfigure(HOUSE).await;
    crate::world::until_desired(house.home(), "the curfew again", |desired| {
        desired.blocks.contains_key("xbox")
    })
    .await;
    house.stop().await;
}
