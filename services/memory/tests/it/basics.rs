//! Notes are written, read, found, listed, linked, archived, and all of that again after a rebuild.

use serde_json::{Value, json};

use crate::house::{WORDS, house, list, paths, put, read, search, until_paths, vault, write};

#[tokio::test]
async fn a_note_is_a_file_that_people_can_read() {
    let house = house().await;
    let head = write(
        &house,
        json!({ "text": "The dentist is at 12 rue des Lilas.", "folder": "knowledge/health", "title": "Dentist", "key": "dentist.address", "tags": ["health"], "class": "health" }),
    )
    .await;
    assert_eq!(head["path"], "knowledge/health/dentist.md");
    assert_eq!(head["origin"], "owner");
    let text = std::fs::read_to_string(vault(&house).join("knowledge/health/dentist.md")).unwrap();
    assert!(text.starts_with("---\nid: n-") && text.contains("\nkey: dentist.address\n"), "{text}");
    assert!(text.ends_with("---\n\nThe dentist is at 12 rue des Lilas.\n"), "{text}");
    let id = head["id"].as_str().unwrap();
    let note = read(&house, id).await;
    assert_eq!(note["text"], "The dentist is at 12 rue des Lilas.\n");
    assert_eq!(read(&house, "knowledge/health/dentist.md").await["id"], id);
    assert_eq!(search(&house, "dentist lilas").await, ["knowledge/health/dentist.md"]);
    house.stop().await;
}

#[tokio::test]
async fn who_writes_decides_the_origin_and_no_body_can() {
    let house = house().await;
    let agents = write(&house, json!({ "text": "Ava likes plums.", "agent": "claude" })).await;
    assert_eq!(
        (&agents["origin"], &agents["path"]),
        (&json!("agent"), &json!("inbox/claude/ava-likes-plums.md"))
    );
    let (status, problem) =
        house.send("memory", "POST", "/write", &json!({ "text": "x", "origin": "owner" })).await;
    assert_eq!((status, &problem["type"]), (422, &json!("urn:sanctum:bad-field")), "{problem}");
    // The owner's words stay the owner's until somebody else changes them.
    let own = write(&house, json!({ "text": "The key is under the pot.", "folder": "knowledge" })).await;
    let changed =
        write(&house, json!({ "id": own["id"], "text": "The key is in the shed.", "agent": "claude" })).await;
    assert_eq!(changed["origin"], "agent");
    house.stop().await;
}

#[tokio::test]
async fn a_change_replaces_the_version_it_was_made_of() {
    let house = house().await;
    let first =
        write(&house, json!({ "text": "One.", "folder": "knowledge", "title": "N", "tags": ["a"] })).await;
    let change = json!({ "id": first["id"], "version": first["version"], "text": "Two." });
    let second = write(&house, change.clone()).await;
    assert_ne!(first["version"], second["version"]);
    assert_eq!(
        (&second["tags"], &second["title"], &second["path"]),
        (&json!(["a"]), &json!("N"), &first["path"])
    );
    let (status, problem) = house.send("memory", "POST", "/write", &change).await;
    assert_eq!(
        (status, &problem["type"], &problem["allowed"]),
        (409, &json!("urn:sanctum:conflict"), &second["version"])
    );
    assert_eq!(read(&house, first["id"].as_str().unwrap()).await["text"], "Two.\n");
    // Metadata alone, and another folder: the id stays.
    let moved =
        write(&house, json!({ "id": first["id"], "folder": "knowledge/garden", "importance": 0.9 })).await;
    assert_eq!((&moved["path"], &moved["id"]), (&json!("knowledge/garden/n.md"), &first["id"]));
    assert_eq!(read(&house, first["id"].as_str().unwrap()).await["text"], "Two.\n");
    until_paths(&house, &["knowledge/garden/n.md"]).await;
    house.stop().await;
}

#[tokio::test]
async fn a_deleted_note_is_archived_and_not_found() {
    let house = house().await;
    let head = write(&house, json!({ "text": "The boiler was serviced.", "folder": "events/2026/11" })).await;
    let id = head["id"].as_str().unwrap();
    let (status, gone) = house.send("memory", "DELETE", &format!("/delete/{id}"), &Value::Null).await;
    assert_eq!((status, &gone["path"]), (200, &json!("archive/the-boiler-was-serviced.md")), "{gone}");
    assert!(search(&house, "boiler").await.is_empty());
    let (_, found) =
        house.send("memory", "POST", "/search", &json!({ "query": "boiler", "history": true })).await;
    assert_eq!(found["results"][0]["id"], id);
    let (status, problem) = house.send("memory", "DELETE", "/delete/n-none", &Value::Null).await;
    assert_eq!((status, &problem["type"]), (404, &json!("urn:sanctum:not-found")));
    house.stop().await;
}

#[tokio::test]
async fn links_lead_both_ways_and_make_a_graph() {
    let house = house().await;
    let vault = vault(&house);
    put(&vault, "knowledge/Rose Garden.md", b"Roses. See [[plan|the plan]] and [[Nowhere]].");
    put(&vault, "knowledge/Plan.md", b"# The Plan\n\nBack to [garden](Rose%20Garden.md).");
    until_paths(&house, &["knowledge/Plan.md", "knowledge/Rose Garden.md"]).await;
    let (_, links) = house.get("memory", "/links/knowledge%2FRose%20Garden.md").await;
    let plan = read(&house, "knowledge/Plan.md").await;
    assert_eq!(links["out"][0], json!({ "name": "plan", "id": plan["id"], "title": "The Plan" }), "{links}");
    assert_eq!(links["out"][1], json!({ "name": "Nowhere" }));
    assert_eq!(links["back"].as_array().unwrap().len(), 1, "{links}");
    assert_eq!(links["back"][0]["id"], plan["id"]);
    let (_, graph) = house.get("memory", "/graph").await;
    assert_eq!(
        (graph["nodes"].as_array().unwrap().len(), graph["edges"].as_array().unwrap().len()),
        (2, 2),
        "{graph}"
    );
    house.stop().await;
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let house = house().await;
    for number in 0..7 {
        let kind = if number % 2 == 0 { "semantic" } else { "procedural" };
        write(&house, json!({ "text": format!("Note {number}."), "folder": "knowledge", "type": kind, "tags": ["Odd"] })).await;
    }
    let mut titles = Vec::new();
    let mut path = "/list?limit=3".to_owned();
    loop {
        let (_, page) = house.get("memory", &path).await;
        let notes = page["notes"].as_array().unwrap();
        assert!(notes.len() <= 3);
        titles.extend(notes.iter().map(|note| note["title"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/list?limit=3&cursor={next}");
    }
    assert_eq!(titles, (0..7).rev().map(|number| format!("note-{number}")).collect::<Vec<_>>());
    assert_eq!(list(&house, "&type=procedural").await.len(), 3);
    assert_eq!(list(&house, "&tag=odd").await.len(), 7);
    assert_eq!(list(&house, "&folder=inbox").await.len(), 0);
    let (status, problem) = house.get("memory", "/list?cursor=x").await;
    assert_eq!((status, &problem["field"]), (422, &json!("cursor")));
    house.stop().await;
}

/// Everything that is asked of a house, in one value.
async fn answers(house: &sanctum_testkit::House) -> Value {
    let mut all = Vec::new();
    for query in ["garden", "plan roses", "note 3", "lilas"] {
        let (_, mut found) = house.send("memory", "POST", "/search", &json!({ "query": query })).await;
        found["took_us"] = Value::Null;
        all.push(found);
    }
    let mut notes = list(house, "").await;
    notes.sort_by_key(|note| note["path"].as_str().unwrap().to_owned());
    json!([all, notes, house.get("memory", "/links/knowledge%2FPlan.md").await.1])
}

#[tokio::test]
async fn a_rebuild_and_a_lost_index_give_the_same_answers() {
    let house = house().await;
    let vault = vault(&house);
    put(&vault, "knowledge/Rose Garden.md", b"Roses in the garden. See [[plan]].");
    put(&vault, "knowledge/Plan.md", b"# The Plan\n\nBack to [[Rose Garden]].");
    put(&vault, "knowledge/broken.md", b"---\na: [1\n---\nThe garden again.");
    for number in 0..20 {
        write(
            &house,
            json!({ "text": format!("Note {number} of the garden."), "agent": "claude", "session": "s" }),
        )
        .await;
    }
    sanctum_testkit::eventually("all notes", crate::house::PATIENCE, async || {
        (paths(&house).await.len() == 23).then_some(())
    })
    .await;
    let before = answers(&house).await;
    let (status, rebuilt) = house.send("memory", "POST", "/rebuild", &Value::Null).await;
    assert_eq!((status, &rebuilt["notes"], &rebuilt["troubles"]), (200, &json!(23), &json!(1)), "{rebuilt}");
    assert_eq!(answers(&house).await, before);
    let stopped = house.stop().await;
    for end in ["", "-wal", "-shm"] {
        std::fs::remove_file(stopped.paths().state().join(format!("memory.db{end}"))).ok();
    }
    let house = stopped.start().await;
    assert_eq!(answers(&house).await, before);
    let house = house.stop().await.start().await;
    assert_eq!(answers(&house).await, before, "and after an ordinary start");
    house.stop().await;
}

#[tokio::test]
async fn an_answer_for_a_prompt_keeps_to_its_tokens() {
    let house = crate::house::stopped(WORDS).start().await;
    for number in 0..10 {
        let text = format!("Fact {number} about the harbour. {}", "The tide comes and goes. ".repeat(20));
        write(&house, json!({ "text": text, "folder": "knowledge" })).await;
    }
    let ask = json!({ "agent": "claude", "query": "harbour tide", "tokens": 500 });
    let (status, found) = house.send("memory", "POST", "/recall", &ask).await;
    let results = found["results"].as_array().unwrap();
    let bytes: usize = results.iter().map(|hit| hit["text"].as_str().unwrap().len()).sum();
    assert!(status == 200 && !results.is_empty() && bytes <= 1500, "{bytes}: {found}");
    assert!(found["degraded"].as_str().unwrap().contains("words"), "{found}");
    let (status, problem) =
        house.send("memory", "POST", "/recall", &json!({ "agent": "a", "query": "x", "tokens": 9999 })).await;
    assert_eq!((status, &problem["field"]), (422, &json!("tokens")));
    house.stop().await;
}

#[tokio::test]
async fn what_was_done_in_a_story_is_told_and_says_no_private_title() {
    let house = house().await;
    let story = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{story}-b7ad6b7169203331-01");
    for (text, class) in [("The ladder is in the barn.", "general"), ("Ava takes metformin.", "health")] {
        let note = json!({ "text": text, "folder": "knowledge", "class": class }).to_string();
        let headers = [("traceparent", parent.as_str()), ("content-type", "application/json")];
        let answer = house.raw("memory", "POST", "/write", &headers, note.into_bytes()).await;
        assert_eq!(answer.status, 200);
    }
    let (_, moments) = house.get("memory", &format!("/trace/{story}")).await;
    let told: Vec<(&str, &str)> = moments
        .as_array()
        .unwrap()
        .iter()
        .map(|moment| (moment["what"].as_str().unwrap(), moment["detail"].as_str().unwrap()))
        .collect();
    assert_eq!(told.len(), 2, "{moments}");
    assert_eq!(told[0], ("created", "knowledge/the-ladder-is-in-the-barn.md"));
    assert!(told[1].0 == "created" && told[1].1.starts_with("n-"), "{moments}");
    house.stop().await;
}
