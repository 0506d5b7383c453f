//! The first promises: kept, told, shown.

use serde_json::json;

use crate::house::{NOON, all, house, notice, say, until, with};
use crate::peers::hook::Hook;

#[tokio::test]
async fn a_notice_is_kept_told_and_shown() {
    let hook = Hook::open().await;
    let config = format!(
        "[notify.channel.webhook.phone]\nurl = \"{}\"\n[notify.roles]\nphone = [\"phone\"]\n",
        hook.url()
    );
    let house = house(NOON, &config).await;
    let accepted = say(&house, notice("error", "The console joined")).await;
    assert_eq!(accepted["channels"], json!(["phone", "dashboard"]));
    assert_eq!((&accepted["status"], &accepted["quiet_hours"]), (&json!("accepted"), &json!(false)));
    let got = hook.wait(1).await;
    assert_eq!(got[0].json()["title"], "The console joined");
    assert_eq!(got[0].json()["manner"], "sound");
    assert!(got[0].header("traceparent").contains(accepted["trace_id"].as_str().unwrap()));
    let life = until(&house, &accepted["id"], "delivered", |life| {
        all(life, "phone", "delivered") && all(life, "dashboard", "delivered")
    })
    .await;
    assert_eq!(life["deliveries"][0]["attempts"][0]["far_id"], "far-1");
    let (_, banners) = house.get("notify", "/banners").await;
    assert_eq!((&banners[0]["id"], &banners[0]["title"]), (&accepted["id"], &json!("The console joined")));
    let (_, trace) = house.get("notify", &format!("/trace/{}", accepted["trace_id"].as_str().unwrap())).await;
    let words: Vec<_> =
        trace.as_array().unwrap().iter().map(|moment| moment["what"].as_str().unwrap()).collect();
    assert!(
        words.contains(&"accepted") && words.contains(&"delivered") && words.contains(&"banner"),
        "{words:?}"
    );
    house.stop().await;
}

#[tokio::test]
async fn a_repeat_is_counted_and_shown() {
    let house = house(NOON, "").await;
    let first = say(&house, notice("error", "Again")).await;
    until(&house, &first["id"], "shown", |life| all(life, "dashboard", "delivered")).await;
    for _ in 0..13 {
        let repeat = say(&house, notice("error", "Again")).await;
        assert_eq!((&repeat["deduplicated"], &repeat["channels"]), (&json!(true), &json!([])));
        assert_ne!(repeat["id"], first["id"], "a repeat is stored");
    }
    let (_, banners) = house.get("notify", "/banners").await;
    assert_eq!((banners.as_array().unwrap().len(), &banners[0]["count"]), (1, &json!(14)));
    let worse = say(&house, with(notice("critical", "Again"), json!({}))).await;
    assert_eq!(worse["deduplicated"], false, "worse is news");
    house.stop().await;
}
