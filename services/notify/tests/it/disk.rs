//! A full disk and a read-only one: an honest answer, nothing acknowledged, nothing lost.

use std::fs::{self, File};
use std::io::Write;

use sanctum_testkit::disk::{Disk, Mount};

use crate::house::{CATALOGUE, NOON, at, life, notice, say};

#[tokio::test]
async fn f1_a_full_disk_is_answered_honestly() {
    let stopped = sanctum_testkit::House::new(&CATALOGUE).clock(at(NOON));
    let small = Mount::small(&stopped.paths().state());
    let house = stopped.start().await;
    let before = say(&house, notice("error", "before")).await;
    let filler = small.path().join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let mut refused = None;
    for number in 0..200 {
        let (status, answer) =
            house.send("notify", "POST", "/notify", &notice("error", &format!("n{number}"))).await;
        if status != 202 {
            refused = Some((status, answer));
            break;
        }
    }
    let (status, problem) = refused.expect("a full disk is noticed");
    assert_eq!((status, problem["type"].as_str().unwrap()), (507, "urn:sanctum:disk-full"), "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("free some space"), "{problem}");
    drop(file);
    fs::remove_file(&filler).unwrap();
    sanctum_testkit::eventually("room again", crate::house::PATIENCE, async || {
        let (status, _) = house.send("notify", "POST", "/notify", &notice("error", "after")).await;
        (status == 202).then_some(())
    })
    .await;
    life(&house, &before["id"]).await;
    drop(house.stop().await);
    drop(small);
}

#[tokio::test]
async fn f1_a_read_only_disk_or_database_is_named_at_the_start() {
    // The disk of whoever runs this may be full for reasons of its own.
    let config = "[notify.trouble]\ndisk = 100\n";
    let stopped = sanctum_testkit::House::new(&CATALOGUE).clock(at(NOON)).config(config);
    let house = stopped.start().await;
    say(&house, notice("error", "before")).await;
    let stopped = house.stop().await;
    let database = stopped.paths().state().join("notify.db");
    let stopped = {
        let _bound = Mount::read_only(&database);
        let (stopped, why) = stopped.try_start().await.expect_err("it cannot keep anything");
        assert!(why.contains("read-only") && why.contains("notify.db") && why.contains("remount"), "{why}");
        stopped
    };
    let stopped = {
        let _bound = Mount::read_only(&stopped.paths().state());
        let (stopped, why) = stopped.try_start().await.expect_err("it cannot keep anything");
        assert!(why.to_lowercase().contains("read-only") && why.contains("state"), "{why}");
        stopped
    };
    let house = stopped.start().await;
    let (_, page) = house.get("notify", "/history").await;
    assert_eq!(page["notifications"][0]["notice"]["title"], "before", "nothing is lost");
    house.stop().await;
}

#[tokio::test]
async fn f1_a_database_that_becomes_read_only_under_the_hub_is_named_and_loses_nothing() {
    let hook = crate::peers::hook::Hook::open().await;
    let config = format!("[notify]\nper-hour = 0\n{}", crate::routing::phone(&hook));
    let stopped = sanctum_testkit::House::new(&CATALOGUE).clock(at(NOON)).config(&config);
    let disk = Disk::mount(&stopped.paths().state());
    let house = stopped.start().await;
    let before = say(&house, notice("error", "before")).await;
    hook.wait(1).await;
    disk.read_only("notify.db", true);
    for number in 0..3 {
        let refused = notice("critical", &format!("refused {number}"));
        let (status, problem) = house.send("notify", "POST", "/notify", &refused).await;
        assert_eq!((status, problem["type"].as_str().unwrap()), (503, "urn:sanctum:read-only"), "{problem}");
        assert!(problem["hint"].as_str().unwrap().contains("remount"), "{problem}");
    }
    let (status, health) = house.get("notify", "/health").await;
    assert_eq!(
        (status, &health["parts"]["store"]["status"]),
        (503, &serde_json::json!("unwell")),
        "{health}"
    );
    assert!(health["parts"]["store"]["detail"].as_str().unwrap().contains("read-only"), "{health}");
    life(&house, &before["id"]).await;
    disk.read_only("notify.db", false);
    let after = sanctum_testkit::eventually("the right to write", crate::house::PATIENCE, async || {
        let (status, answer) = house.send("notify", "POST", "/notify", &notice("error", "after")).await;
        (status == 202).then_some(answer)
    })
    .await;
    assert_eq!(house.get("notify", "/health").await.1["parts"]["store"]["status"], "well");
    for said in [&before, &after] {
        let told = |life: &serde_json::Value| crate::house::all(life, "phone", "delivered");
        crate::house::until(&house, &said["id"], "delivered", told).await;
    }
    let titles: Vec<String> =
        hook.got().iter().map(|got| got.json()["title"].as_str().unwrap().to_owned()).collect();
    assert!(
        !titles.iter().any(|title| title.starts_with("refused")),
        "what was refused is told by nobody: {titles:?}"
    );
    drop(house.stop().await);
}
