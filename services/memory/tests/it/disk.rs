//! A full disk and a vault that cannot be written: an honest answer, nothing acknowledged, nothing torn.

use std::fs::{self, File};
use std::io::Write as _;

use sanctum_testkit::disk::Mount;
use serde_json::json;

use crate::house::{PATIENCE, WORDS, paths, read, until_health, write};

#[tokio::test]
async fn a_full_disk_is_answered_honestly_and_keeps_what_there_was() {
    let outside = tempfile::tempdir().unwrap();
    let small = Mount::small(&outside.path().join("vault"));
    let config =
        format!("[memory]\nvault = \"{}\"\n{WORDS}[memory.git]\non = false\n", small.path().display());
    let house = crate::house::stopped(&config).start().await;
    let before = write(&house, json!({ "text": "Before.", "folder": "knowledge" })).await;
    let filler = small.path().join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let (status, problem) = house.send("memory", "POST", "/write", &json!({ "text": "During." })).await;
    assert_eq!((status, &problem["type"]), (507, &json!("urn:sanctum:disk-full")), "{problem}");
    let change = json!({ "id": before["id"], "text": "Changed." });
    assert_eq!(house.send("memory", "POST", "/write", &change).await.0, 507);
    until_health(&house, "vault", "unwell", "full").await;
    assert_eq!(
        read(&house, before["id"].as_str().unwrap()).await["text"],
        "Before.\n",
        "what there was is whole"
    );
    assert_eq!(paths(&house).await, ["knowledge/before.md"]);
    drop(file);
    fs::remove_file(&filler).unwrap();
    sanctum_testkit::eventually("room again", PATIENCE, async || {
        (house.send("memory", "POST", "/write", &json!({ "text": "After." })).await.0 == 200).then_some(())
    })
    .await;
    until_health(&house, "vault", "well", "vault").await;
    drop(house.stop().await);
}

#[tokio::test]
async fn a_read_only_vault_can_be_asked_and_says_that_it_keeps_nothing() {
    let stopped = crate::house::stopped(WORDS);
    let house = stopped.start().await;
    let before = write(&house, json!({ "text": "Marmalade.", "folder": "knowledge" })).await;
    let stopped = house.stop().await;
    let bound = Mount::read_only(&stopped.home().join("vault"));
    let house = stopped.start().await;
    until_health(&house, "vault", "unwell", "cannot be written").await;
    let (status, problem) = house.send("memory", "POST", "/write", &json!({ "text": "During." })).await;
    assert_eq!((status, &problem["type"]), (503, &json!("urn:sanctum:read-only")), "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("remount"), "{problem}");
    assert_eq!(house.send("memory", "DELETE", "/delete/knowledge%2Fmarmalade.md", &json!(null)).await.0, 503);
    assert_eq!(read(&house, before["id"].as_str().unwrap()).await["text"], "Marmalade.\n");
    assert_eq!(crate::house::search(&house, "marmalade").await, ["knowledge/marmalade.md"]);
    drop(house.stop().await);
    drop(bound);
}
