//! `/explain` says what would happen, and asks nobody.

use serde_json::json;

use super::house::World;

#[tokio::test]
async fn every_candidate_is_told_with_its_reason() {
    let world = World::new();
    let house = world.house("[proxy.agent.windu]\ncap = \"0.0001\"\n").await;
    let ask = |body: serde_json::Value| {
        let house = &house;
        async move { house.send("proxy", "POST", "/explain", &body).await }
    };
    let (status, told) = ask(json!({ "prompt": "Hello", "model": "strong" })).await;
    assert_eq!(
        (status, &told["winner"], &told["rule"]),
        (200, &json!("cloud/strong"), &json!("exact")),
        "{told}"
    );
    let (_, told) = ask(json!({ "prompt": "Hello", "model": "strong", "class": "health" })).await;
    assert_eq!((&told["winner"], &told["privacy"]), (&json!("local/small"), &json!("health")));
    let cloud = told["candidates"].as_array().unwrap().iter().find(|one| one["provider"] == "cloud").unwrap();
    assert_eq!(cloud["kept"], false);
    assert!(cloud["because"].as_str().unwrap().contains("must not leave"), "{cloud}");
    let (_, told) = ask(json!({ "prompt": "Hello", "model": "strong", "agent": "windu" })).await;
    assert_eq!(told["winner"], "local/small", "{told}");
    let (_, told) =
        ask(json!({ "prompt": "Hello", "model": "strong", "agent": "windu", "class": "code" })).await;
    assert!(told["winner"].is_null() && told["refusal"].as_str().unwrap().contains("money"), "{told}");
    let (_, told) = ask(json!({ "prompt": "Hello", "class": "security" })).await;
    assert_eq!(
        (&told["tier"], &told["winner"]),
        (&json!("strong"), &json!("other/second")),
        "the cheapest of the strongest"
    );
    let (_, told) = ask(json!({ "prompt": "Hello", "model": "nobody" })).await;
    assert!(told["refusal"].as_str().unwrap().contains("nobody"));
    assert!(world.cloud.connections().is_empty() && world.local.connections().is_empty());
    house.stop().await;
}
