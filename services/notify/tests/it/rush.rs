//! In a rush an acceptance writes one row; whoever looks, resolves or restarts finds all the same.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use sanctum_store::Connection;
use sanctum_testkit::House;
use serde_json::json;

use crate::house::{CATALOGUE, NOON, all, at, life, notice, until, with};
use crate::peers::hook::{Hook, Mood};

/// Notifications whose deliveries are not rows yet.
fn waiting(database: &std::path::Path) -> Vec<i64> {
    let db = Connection::open(database).unwrap();
    let mut ids = db.prepare("SELECT id FROM notifications WHERE sends IS NOT NULL ORDER BY id").unwrap();
    ids.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn what_is_no_row_yet_is_seen_resolved_and_told_after_a_restart() {
    let hook = Hook::open().await;
    hook.mood(Mood::Status(503));
    let config = format!(
        "[notify]\nper-hour = 0\n[notify.roles]\nphone = [\"phone\"]\ndashboard = []\n[notify.channel.webhook.phone]\nurl = \"{}\"\n\
         [notify.delivery]\nbreaker-after = 1\nbreaker-open = \"1h\"\n[notify.trouble]\ndisk = 100\n",
        hook.url()
    );
    let house = House::new(&CATALOGUE).clock(at(NOON)).config(&config).start().await;
    let database = house.paths().state().join("notify.db");
    let first = crate::house::say(&house, notice("error", "first")).await;
    until(&house, &first["id"], "refused", |life| all(life, "phone", "failed")).await;
    let say = |number: u32| {
        let body =
            with(notice("error", &format!("rush {number}")), json!({ "dedup_key": format!("k{number}") }));
        let house = &house;
        async move { crate::house::say(house, body).await }
    };
    let said = join_all((0..64).map(say)).await;
    assert!(said.iter().all(|answer| answer["channels"] == json!(["phone"])), "{said:?}");
    let before = waiting(&database);
    assert!(before.len() > 10, "most of a rush waits in its own row: {}", before.len());
    let (seen, ended) = (before[before.len() / 2], *before.last().unwrap());
    assert!(all(&life(&house, &json!(seen)).await, "phone", "pending"), "who looks sees what waits");
    let key = said.iter().position(|answer| answer["id"] == ended).unwrap();
    let over = with(notice("error", "over"), json!({ "dedup_key": format!("k{key}"), "resolved": true }));
    let over = crate::house::say(&house, over).await;
    assert_eq!(over["channels"], json!(["phone"]), "whoever will be told is told of the end as well");
    let stopped = house.stop().await;
    assert!(!waiting(&database).is_empty(), "the rest waits for the next start");
    hook.mood(Mood::Well);
    let house = stopped.start().await;
    let told = |answer: &serde_json::Value| answer["id"].clone();
    for id in said.iter().map(told).chain([first["id"].clone()]) {
        until(&house, &id, "told", |life| all(life, "phone", "delivered")).await;
    }
    let keys: Vec<String> = hook.got().iter().map(|got| got.header("idempotency-key")).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "nothing is told twice");
    assert_eq!(waiting(&database), [0_i64; 0]);
    let (_, page) = house.get("notify", "/history?limit=100").await;
    assert!(page["notifications"].as_array().unwrap().len() >= 66);
    house.stop().await;
}
