//! What people, editors and git do to the files under a running service.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::house::{git, house, paths, put, read, search, until_clean, until_paths, vault, write};

/// What is promised: changes by hand are seen within two seconds.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn edits_renames_and_deletions_by_hand_are_seen_at_once() {
    let house = house().await;
    let vault = vault(&house);
    let seen = async |what: &str, query: &str, wanted: &[&str]| {
        sanctum_testkit::eventually(what, SOON, async || {
            (search(&house, query).await == wanted).then_some(())
        })
        .await;
    };
    put(&vault, "knowledge/cat.md", b"The cat is called Minou.");
    seen("a new file", "minou", &["knowledge/cat.md"]).await;
    put(&vault, "knowledge/cat.md", b"The cat is called Grisou.");
    seen("an edit", "grisou", &["knowledge/cat.md"]).await;
    assert!(search(&house, "minou").await.is_empty());
    fs::rename(vault.join("knowledge/cat.md"), vault.join("knowledge/pets.md")).unwrap();
    seen("a rename", "grisou", &["knowledge/pets.md"]).await;
    fs::rename(vault.join("knowledge"), vault.join("things")).unwrap();
    seen("a renamed folder", "grisou", &["things/pets.md"]).await;
    fs::remove_dir_all(vault.join("things")).unwrap();
    seen("a deletion", "grisou", &[]).await;
    fs::create_dir_all(vault.join("a/b/c")).unwrap();
    put(&vault, "a/b/c/deep.md", b"Grisou again.");
    seen("a new folder with a file", "grisou", &["a/b/c/deep.md"]).await;
    house.stop().await;
}

#[tokio::test]
async fn a_note_keeps_its_id_wherever_it_is_moved() {
    let house = house().await;
    let vault = vault(&house);
    let head = write(&house, json!({ "text": "The tank holds 300 litres.", "agent": "claude" })).await;
    fs::create_dir_all(vault.join("knowledge/water")).unwrap();
    fs::rename(vault.join(head["path"].as_str().unwrap()), vault.join("knowledge/water/Tank.md")).unwrap();
    until_paths(&house, &["knowledge/water/Tank.md"]).await;
    let note = read(&house, head["id"].as_str().unwrap()).await;
    assert_eq!((&note["path"], &note["agent"]), (&json!("knowledge/water/Tank.md"), &json!("claude")));
    house.stop().await;
}

#[tokio::test]
async fn a_checkout_under_the_service_is_followed() {
    let house = house().await;
    let vault = vault(&house);
    for number in 0..40 {
        put(&vault, &format!("knowledge/{number}.md"), format!("Old word {number}.").as_bytes());
    }
    sanctum_testkit::eventually("all", crate::house::PATIENCE, async || {
        (paths(&house).await.len() == 40).then_some(())
    })
    .await;
    until_clean(&vault).await;
    let old = git(&vault, &["rev-parse", "HEAD"]);
    for number in 0..40 {
        put(&vault, &format!("knowledge/{number}.md"), format!("New word {number}.").as_bytes());
    }
    put(&vault, "knowledge/more.md", b"Only new.");
    sanctum_testkit::eventually("the new ones", crate::house::PATIENCE, async || {
        (paths(&house).await.len() == 41).then_some(())
    })
    .await;
    until_clean(&vault).await;
    git(&vault, &["checkout", "-q", "--detach", old.trim()]);
    sanctum_testkit::eventually("the old state", SOON, async || {
        (search(&house, "new").await.is_empty() && paths(&house).await.len() == 40).then_some(())
    })
    .await;
    git(&vault, &["checkout", "-q", "main"]);
    sanctum_testkit::eventually("the new state", SOON, async || {
        (!search(&house, "only new").await.is_empty() && paths(&house).await.len() == 41).then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn what_people_wrote_stays_as_they_wrote_it() {
    let house = house().await;
    let vault = vault(&house);
    let plain = "# Mine\n\nNo front matter, *my* style.  \n";
    let mine = "---\n# a comment\naliases: [x]\ntags:\n  - one\n\nweather: \"fine: yes\" # why\n---\nText.\n";
    put(&vault, "plain.md", plain.as_bytes());
    put(&vault, "mine.md", mine.as_bytes());
    until_paths(&house, &["mine.md", "plain.md"]).await;
    assert_eq!(fs::read_to_string(vault.join("plain.md")).unwrap(), plain);
    assert_eq!(fs::read_to_string(vault.join("mine.md")).unwrap(), mine);
    // A change touches what it changes and nothing else.
    let id = read(&house, "mine.md").await["id"].as_str().unwrap().to_owned();
    write(&house, json!({ "id": id, "importance": 0.8 })).await;
    let now = fs::read_to_string(vault.join("mine.md")).unwrap();
    assert!(
        now.starts_with("---\n# a comment\naliases: [x]\ntags:\n  - one\n\nweather: \"fine: yes\" # why\n"),
        "{now}"
    );
    assert!(now.contains("importance: 0.8\n") && now.ends_with("---\nText.\n"), "{now}");
    assert_eq!(read(&house, &id).await["path"], "mine.md", "its id is in the file now");
    // Only the text of a plain file is changed: it gets no front matter for that.
    let id = read(&house, "plain.md").await["id"].as_str().unwrap().to_owned();
    write(&house, json!({ "id": id, "text": "# Mine\n\nChanged.\n" })).await;
    let now = fs::read_to_string(vault.join("plain.md")).unwrap();
    assert!(now.ends_with("# Mine\n\nChanged.\n"), "{now}");
    house.stop().await;
}

#[tokio::test]
async fn an_editor_that_saves_while_the_service_writes_is_not_overwritten_unseen() {
    let house = house().await;
    let vault = vault(&house);
    let head = write(&house, json!({ "text": "One.", "folder": "knowledge", "title": "N" })).await;
    let path = head["path"].as_str().unwrap();
    let text = fs::read_to_string(vault.join(path)).unwrap();
    put(&vault, path, text.replace("One.", "By hand.").as_bytes());
    // Whoever read version one cannot replace what it has not seen, whether the watch has seen it or not.
    let change = json!({ "id": head["id"], "version": head["version"], "text": "Two." });
    let (status, _) = house.send("memory", "POST", "/write", &change).await;
    assert_eq!(status, 409);
    assert_eq!(read(&house, head["id"].as_str().unwrap()).await["text"], "By hand.\n");
    house.stop().await;
}
