//! What was said to models: kept once, read once, whatever happens in between.

use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use crate::house::{PATIENCE, house, list, search};

fn said(key: &str, user: &str, assistant: &str) -> Value {
    json!({ "key": key, "agent": "yoda", "at": 0, "class": "general", "user": user, "assistant": assistant, "model": "local/small" })
}

async fn tell(house: &House, exchange: &Value) -> (u16, Value) {
    house.send("memory", "POST", "/ingest", exchange).await
}

async fn until_read(house: &House) {
    eventually("the queue to be read", PATIENCE, async || {
        let (_, state) = house.get("memory", "/state").await;
        (state["queued"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_said_becomes_one_note_that_is_found() {
    let house = house().await;
    let exchange = said("k1", "My sister Chloé moves to Liège in March.", "I will remember the move.");
    assert_eq!(tell(&house, &exchange).await, (202, json!({ "key": "k1", "repeated": false })));
    assert_eq!(tell(&house, &exchange).await.1["repeated"], true);
    until_read(&house).await;
    assert_eq!(tell(&house, &exchange).await.1["repeated"], true, "also after it was read");
    let notes = list(&house, "").await;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(
        (&notes[0]["agent"], &notes[0]["origin"], &notes[0]["type"]),
        (&json!("yoda"), &json!("agent"), &json!("episodic"))
    );
    let path = notes[0]["path"].as_str().unwrap();
    assert_eq!(search(&house, "who moves to Liège?").await.first().map(String::as_str), Some(path));
    house.stop().await;
}

#[tokio::test]
async fn secrets_loops_and_noise_do_not_become_notes() {
    let house = house().await;
    let token = format!("{}{}", "ghp_", "a1B2c3D4e5".repeat(4));
    tell(
        &house,
        &said(
            "a",
            &format!("Use {token} for the deploy of the garden site."),
            "Done, the garden site is deployed.",
        ),
    )
    .await;
    tell(&house, &said("b", "HEARTBEAT", "HEARTBEAT_OK")).await;
    until_read(&house).await;
    let notes = list(&house, "").await;
    assert_eq!(notes.len(), 1, "{notes:?}");
    for folder in ["vault", "state"] {
        let found = holds(&house.home().join(folder), token.as_bytes());
        assert_eq!(found, None, "the secret is on the disk");
    }
    // What is recalled and repeated is no news; neither is the question.
    let ask = json!({ "agent": "yoda", "query": "garden site deployed" });
    let (_, found) = house.send("memory", "POST", "/recall", &ask).await;
    assert_eq!(found["results"].as_array().unwrap().len(), 2, "{found}");
    tell(
        &house,
        &said("c", "Is the garden site deployed?", "As you said earlier, the garden site is deployed."),
    )
    .await;
    until_read(&house).await;
    assert_eq!(list(&house, "").await.len(), 1);
    house.stop().await;
}

fn holds(folder: &std::path::Path, needle: &[u8]) -> Option<std::path::PathBuf> {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = holds(&path, needle) {
                return Some(found);
            }
        } else if std::fs::read(&path)
            .unwrap_or_default()
            .windows(needle.len())
            .any(|window| window == needle)
        {
            return Some(path);
        }
    }
    None
}

#[tokio::test]
async fn a_restart_between_telling_and_reading_loses_nothing_and_doubles_nothing() {
    let mut house = house().await;
    let exchange = |i: usize| {
        said(
            &format!("k{i}"),
            &format!("On day {i} the well stood at {i}{i} centimetres."),
            "Noted, I keep the level of the well.",
        )
    };
    for round in 0..4 {
        for i in round * 5..round * 5 + 5 {
            assert_eq!(tell(&house, &exchange(i)).await.0, 202);
        }
        // Not waited for: the queue is read after the start.
        house = house.stop().await.start().await;
        for i in 0..round * 5 + 5 {
            assert_eq!(tell(&house, &exchange(i)).await.1["repeated"], true, "{i}");
        }
    }
    until_read(&house).await;
    assert_eq!(list(&house, "").await.len(), 20);
    house.stop().await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_with_its_field() {
    let house = house().await;
    let mut odd = said("a", "x", "y");
    odd["class"] = json!("secret");
    let (status, problem) = tell(&house, &odd).await;
    assert_eq!((status, &problem["field"]), (422, &json!("class")));
    let long = said(&"k".repeat(300), "x", "y");
    assert_eq!(tell(&house, &long).await.1["field"], "key");
    house.stop().await;
}
