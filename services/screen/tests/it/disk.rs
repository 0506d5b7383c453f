//! A full disk and a read-only one: an act is refused in words, nothing is lost, and reading goes on.

use std::fs::{self, File};
use std::io::Write;

use sanctum_testkit::disk::{Disk, Mount};
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use crate::world::{SOON, house};

async fn extend(house: &House, reason: &str) -> (u16, Value) {
    let act = json!({ "target": "ava", "action": { "extend": { "minutes": 1 } }, "author": "mum", "reason": reason });
    house.send("screen", "POST", "/screen/override", &act).await
}

/// What `undo` takes back, newest first, until nothing is left.
async fn taken_back(house: &House) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let (code, answer) = house.send("screen", "POST", "/screen/undo", &Value::Null).await;
        if code != 200 {
            return all;
        }
        all.push(answer["says"].as_str().unwrap().to_owned());
    }
}

#[tokio::test]
async fn on_a_full_disk_an_act_is_refused_and_the_rules_can_still_be_read() {
    let stopped = house("2026-11-18T17:00:00");
    let small = Mount::small(&stopped.paths().state());
    let house = stopped.start().await;
    assert_eq!(extend(&house, "before").await.0, 200);
    let filler = small.path().join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let (mut kept, mut refused) = (1, None);
    for number in 0..200 {
        let (code, answer) = extend(&house, &format!("n{number}")).await;
        if code != 200 {
            refused = Some((code, answer));
            break;
        }
        kept += 1;
    }
    let (code, problem) = refused.expect("a full disk is noticed");
    let says = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(code, 507, "{problem}");
    assert!(says("title").contains("disk is full") && says("title").contains("screen.db"), "{problem}");
    assert!(says("hint").contains("free some space"), "{problem}");
    for path in ["/screen/status", "/screen/credits", "/screen/explain?device=xbox"] {
        assert_eq!(house.get("screen", path).await.0, 200, "{path}");
    }
    drop(file);
    fs::remove_file(&filler).unwrap();
    eventually("room again", SOON, async || (extend(&house, "after").await.0 == 200).then_some(())).await;
    let acts = taken_back(&house).await;
    assert_eq!(acts.len(), kept + 1, "what was acknowledged is there, and nothing else: {acts:?}");
    assert!(acts[0].contains("after") && acts[kept].contains("before"), "{acts:?}");
    drop(house.stop().await);
    drop(small);
}

#[tokio::test]
async fn a_read_only_disk_or_database_is_named_at_the_start() {
    let house = house("2026-11-18T17:00:00").start().await;
    assert_eq!(extend(&house, "before").await.0, 200);
    let stopped = house.stop().await;
    let database = stopped.paths().state().join("screen.db");
    let stopped = {
        let _bound = Mount::read_only(&database);
        let (stopped, why) = stopped.try_start().await.expect_err("it cannot keep anything");
        assert!(why.contains("read-only") && why.contains("screen.db") && why.contains("remount"), "{why}");
        stopped
    };
    let stopped = {
        let _bound = Mount::read_only(&stopped.paths().state());
        let (stopped, why) = stopped.try_start().await.expect_err("it cannot keep anything");
        assert!(why.to_lowercase().contains("read-only") && why.contains("state"), "{why}");
        stopped
    };
    let house = stopped.start().await;
    assert_eq!(taken_back(&house).await.len(), 1, "nothing is lost");
    house.stop().await;
}

#[tokio::test]
async fn a_database_that_becomes_read_only_under_the_service_is_named_and_recovers() {
    let stopped = house("2026-11-18T17:00:00");
    let disk = Disk::mount(&stopped.paths().state());
    let house = stopped.start().await;
    assert_eq!(extend(&house, "before").await.0, 200);
    disk.read_only("screen.db", true);
    let (code, problem) = extend(&house, "meanwhile").await;
    let says = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(code, 503, "{problem}");
    assert!(says("title").contains("read-only") && says("title").contains("screen.db"), "{problem}");
    assert!(says("hint").contains("remount"), "{problem}");
    for path in ["/screen/status", "/screen/credits", "/screen/explain?device=xbox"] {
        assert_eq!(house.get("screen", path).await.0, 200, "{path}");
    }
    disk.read_only("screen.db", false);
    eventually("the right to write", SOON, async || (extend(&house, "after").await.0 == 200).then_some(()))
        .await;
    let acts = taken_back(&house).await;
    assert!(acts.len() == 2 && acts[0].contains("after") && acts[1].contains("before"), "{acts:?}");
    drop(house.stop().await);
}
