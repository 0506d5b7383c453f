//! What others remember, brought in and taken out again.

use sanctum_testkit::House;
use serde_json::{Value, json};

use crate::house::{house, list, read, search, write};

async fn bring(house: &House, query: &str, body: &str) -> (u16, Value) {
    let answer = house.raw("memory", "POST", &format!("/import{query}"), &[], body.as_bytes().to_vec()).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
}

async fn take(house: &House, format: &str) -> String {
    let (mut file, mut cursor) = (String::new(), String::new());
    loop {
        let (status, page) = house.get("memory", &format!("/export?format={format}{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        page["pieces"].as_array().unwrap().iter().for_each(|piece| file.push_str(piece.as_str().unwrap()));
        let Some(next) = page["next"].as_str() else { return file };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn an_import_says_what_it_took_and_what_it_could_not_and_twice_is_once() {
    let house = house().await;
    let secret = format!("{}{}", "sk-", "a1B2c3D4e5".repeat(4));
    let lines = [
        r#"{"type":"entity","name":"Bert","entityType":"person","observations":["Likes leeks","Lives in Namur"]}"#.to_owned(),
        r#"{"type":"relation","from":"Bert","to":"Chloé","relationType":"is_married_to"}"#.to_owned(),
        format!(r#"{{"type":"entity","name":"Key","entityType":"thing","observations":["is {secret}"]}}"#),
        "not json".to_owned(),
    ];
    let (status, imported) = bring(&house, "", &lines.join("\n")).await;
    assert_eq!(
        (status, &imported["taken"], &imported["left_out"]),
        (200, &json!(1), &json!(2)),
        "{imported}"
    );
    assert!(imported.to_string().contains("line 4") && !imported.to_string().contains(&secret), "{imported}");
    let notes = list(&house, "").await;
    assert_eq!(
        (notes.len(), &notes[0]["origin"]),
        (1, &json!("untrusted")),
        "who brings it makes it no truer"
    );
    assert_eq!(search(&house, "who likes leeks?").await.len(), 1);
    let (_, again) = bring(&house, "?format=mcp-memory", &lines.join("\n")).await;
    assert_eq!((&again["taken"], &again["duplicates"]), (&json!(0), &json!(1)));
    let (status, problem) = bring(&house, "?format=diary", "x").await;
    assert_eq!((status, &problem["field"]), (422, &json!("format")));
    assert_eq!(bring(&house, "", "what is this?").await.0, 422);
    assert_eq!(
        std::fs::read_dir(house.home().join("state"))
            .unwrap()
            .flatten()
            .filter(|file| file.file_name().to_string_lossy().starts_with("import-"))
            .count(),
        0
    );
    house.stop().await;
}

#[tokio::test]
async fn what_one_house_takes_out_another_brings_in() {
    let one = house().await;
    write(&one, json!({ "text": "# Leeks\nSow in March.", "title": "Leeks", "folder": "knowledge/garden", "tags": ["garden"], "key": "leeks.sow" })).await;
    write(&one, json!({ "text": "Bert's pill is at eight.", "class": "health", "agent": "yoda" })).await;
    let lines = take(&one, "jsonl").await;
    assert_eq!(lines.lines().count(), 2);
    let other = house().await;
    let (_, imported) = bring(&other, "", &lines).await;
    assert_eq!((&imported["taken"], &imported["left_out"]), (&json!(2), &json!(0)), "{imported}");
    for line in lines.lines() {
        let note: Value = serde_json::from_str(line).unwrap();
        let same = read(&other, note["id"].as_str().unwrap()).await;
        for field in ["id", "title", "text", "class", "key", "tags", "created", "agent", "type"] {
            assert_eq!(same[field], note[field], "{field}");
        }
    }
    let (_, imported) = bring(&other, "", &lines).await;
    assert_eq!(imported["duplicates"], 2);
    let mem0: Value = serde_json::from_str(&take(&one, "mem0").await).unwrap();
    assert_eq!(mem0.as_array().unwrap().len(), 2);
    assert!(take(&one, "obsidian").await.contains("\"path\":\"knowledge/garden/"));
    assert!(take(&one, "mcp-memory").await.contains("\"type\":\"entity\""));
    let answer = one.get("memory", "/export?format=claude").await;
    assert_eq!((answer.0, &answer.1["field"]), (422, &json!("format")));
    one.stop().await;
    other.stop().await;
}
