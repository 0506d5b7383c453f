//! The vault's history: every change is committed, and can be taken back.

use std::fs;
use std::process::Command;

use sanctum_testkit::House;
use serde_json::{Value, json};

use crate::house::{
    PATIENCE, WORDS, git, house, put, read, search, until_clean, until_health, until_paths, vault, write,
};

async fn undo(house: &House, id: &str) -> (u16, Value) {
    house.send("memory", "POST", &format!("/undo/{id}"), &Value::Null).await
}

#[tokio::test]
async fn each_change_is_committed_by_who_made_it_and_can_be_undone_step_by_step() {
    let house = house().await;
    let vault = vault(&house);
    let head =
        write(&house, json!({ "text": "One.", "folder": "knowledge", "title": "N", "agent": "claude" }))
            .await;
    let id = head["id"].as_str().unwrap().to_owned();
    let history = async |count: usize| {
        let (status, changes) = house.get("memory", &format!("/history/{id}")).await;
        assert_eq!((status, changes.as_array().unwrap().len()), (200, count), "{changes}");
        changes
    };
    assert!(history(1).await[0]["what"].as_str().unwrap().starts_with("claude: created N"));
    write(&house, json!({ "id": id, "text": "Two." })).await;
    history(2).await;
    put(
        &vault,
        "knowledge/n.md",
        fs::read_to_string(vault.join("knowledge/n.md")).unwrap().replace("Two.", "By hand.").as_bytes(),
    );
    sanctum_testkit::eventually("the edit", crate::house::PATIENCE, async || {
        (!search(&house, "hand").await.is_empty()).then_some(())
    })
    .await;
    assert!(history(3).await[0]["what"].as_str().unwrap().starts_with("hand: changed"));
    house.send("memory", "DELETE", &format!("/delete/{id}"), &Value::Null).await;
    let text = async || read(&house, &id).await["text"].as_str().unwrap().to_owned();
    let (status, changes) = undo(&house, &id).await;
    assert_eq!(
        (status, read(&house, &id).await["path"].as_str()),
        (200, Some("knowledge/n.md")),
        "{changes}"
    );
    for wanted in ["Two.\n", "One.\n"] {
        assert_eq!(undo(&house, &id).await.0, 200);
        assert_eq!(text().await, wanted);
    }
    assert_eq!(undo(&house, &id).await.0, 200);
    assert_eq!(
        house.get("memory", &format!("/read/{id}")).await.0,
        404,
        "it was new, and is not there any more"
    );
    until_paths(&house, &[]).await;
    until_clean(&vault).await;
    assert_eq!(git(&vault, &["log", "--format=%an", "--reverse", "-n", "1", "--skip=0"]).trim(), "cli");
    house.stop().await;
}

#[tokio::test]
async fn without_git_everything_else_works_and_it_is_said() {
    let config = format!("{WORDS}[memory.git]\non = false\n");
    let house = crate::house::stopped(&config).start().await;
    let head = write(&house, json!({ "text": "One." })).await;
    let (status, problem) = undo(&house, head["id"].as_str().unwrap()).await;
    assert_eq!((status, &problem["type"]), (503, &json!("urn:sanctum:no-history")), "{problem}");
    until_health(&house, "history", "well", "switched off").await;
    assert!(!vault(&house).join(".git").exists());
    house.stop().await;
}

#[tokio::test]
async fn a_repository_of_the_owners_own_is_respected() {
    let own = tempfile::tempdir().unwrap();
    let vault = own.path().join("notes");
    fs::create_dir_all(&vault).unwrap();
    git(own.path(), &["init", "-q", "-b", "trunk"]);
    put(&vault, "mine.md", b"Mine.");
    put(own.path(), "code.rs", b"fn main() {}");
    git(own.path(), &["add", "-A"]);
    git(own.path(), &["commit", "-q", "-m", "mine"]);
    put(own.path(), "code.rs", b"fn main() { staged(); }");
    git(own.path(), &["add", "code.rs"]);
    put(&vault, "draft.md", b"Not yet.");
    let config = format!("[memory]\nvault = \"{}\"\n{WORDS}", vault.display());
    let house = crate::house::stopped(&config).start().await;
    until_health(&house, "history", "well", "your own repository").await;
    let head = write(&house, json!({ "text": "Theirs.", "folder": "knowledge" })).await;
    let id = head["id"].as_str().unwrap();
    // Whoever asks for the history has it committed.
    assert_eq!(house.get("memory", &format!("/history/{id}")).await.1.as_array().unwrap().len(), 1);
    write(&house, json!({ "id": id, "text": "Theirs, changed." })).await;
    assert_eq!(undo(&house, id).await.0, 200);
    assert_eq!(read(&house, id).await["text"], "Theirs.\n");
    let shown = git(own.path(), &["log", "--name-only", "--format=", "trunk"]);
    let files: std::collections::BTreeSet<&str> = shown.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        files.into_iter().collect::<Vec<_>>(),
        ["code.rs", "notes/knowledge/theirs.md", "notes/mine.md"]
    );
    let status = git(own.path(), &["status", "--porcelain"]);
    assert_eq!(
        status, "M  code.rs\n?? notes/draft.md\n",
        "what is staged stays staged, what is new stays new"
    );
    house.stop().await;
}

#[tokio::test]
async fn a_lock_that_was_left_behind_is_removed_and_one_that_is_held_is_waited_for() {
    let house = house().await;
    let vault = vault(&house);
    write(&house, json!({ "text": "One." })).await;
    until_clean(&vault).await;
    let lock = vault.join(".git/index.lock");
    // As git itself takes it: the one that has just committed may still hold it.
    let take = async || fs::File::create_new(&lock).ok();
    sanctum_testkit::eventually("the lock", PATIENCE, take).await;
    let second = write(&house, json!({ "text": "Two." })).await;
    until_health(&house, "history", "degraded", "index.lock").await;
    assert!(lock.exists(), "a fresh lock is somebody's");
    // As old as one from yesterday.
    let status = Command::new("touch").args(["-d", "yesterday"]).arg(&lock).status().unwrap();
    assert!(status.success());
    until_clean(&vault).await;
    assert!(!lock.exists());
    until_health(&house, "history", "well", "committed").await;
    let (_, changes) = house.get("memory", &format!("/history/{}", second["id"].as_str().unwrap())).await;
    assert_eq!(changes.as_array().unwrap().len(), 1);
    house.stop().await;
}
