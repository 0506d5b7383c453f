//! Files that are not what they should be: each is kept, named, and hinders nothing else.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;

use jiff::SignedDuration;
use serde_json::json;

use crate::house::{WORDS, house, list, put, read, search, until_health, until_paths, vault, write};

#[tokio::test]
async fn broken_front_matter_and_binaries_are_kept_found_and_named() {
    let house = house().await;
    let vault = vault(&house);
    put(&vault, "none.md", b"No front matter, plums.");
    put(&vault, "broken.md", b"---\ntags: [a\n---\nBroken, with plums.");
    put(&vault, "binary.md", &[0, 159, 146, 150, 0]);
    until_paths(&house, &["binary.md", "broken.md", "none.md"]).await;
    until_health(&house, "notes", "degraded", "broken.md: its front matter is broken").await;
    let mut found = search(&house, "plums").await;
    found.sort();
    assert_eq!(found, ["broken.md", "none.md"]);
    let troubled = list(&house, "&trouble=true").await;
    assert_eq!(troubled.len(), 2, "{troubled:?}");
    assert_eq!(fs::read(vault.join("binary.md")).unwrap(), [0, 159, 146, 150, 0]);
    // What cannot be understood is not rewritten; it can be put away.
    let id = read(&house, "broken.md").await["id"].as_str().unwrap().to_owned();
    let (status, problem) =
        house.send("memory", "POST", "/write", &json!({ "id": id, "importance": 1.0 })).await;
    assert_eq!((status, &problem["type"]), (409, &json!("urn:sanctum:broken")), "{problem}");
    let (status, gone) = house.send("memory", "DELETE", &format!("/delete/{id}"), &json!(null)).await;
    assert_eq!((status, &gone["path"]), (200, &json!("archive/broken.md")), "{gone}");
    put(&vault, "binary.md", b"A text now.");
    put(&vault, "archive/broken.md", b"---\ntags: [a]\n---\nMended.");
    until_health(&house, "notes", "well", "every file is read").await;
    house.stop().await;
}

#[tokio::test]
async fn a_note_of_fifty_megabytes_is_named_and_its_beginning_found() {
    let house = house().await;
    let vault = vault(&house);
    let mut file = fs::File::create(vault.join("huge.md")).unwrap();
    file.write_all(b"# Huge\n\nAardvarks come first.\n\n").unwrap();
    let line = "Some other words that follow each other for a long time. ".repeat(18);
    for _ in 0..50 * 1024 {
        file.write_all(line.as_bytes()).unwrap();
    }
    drop(file);
    until_health(&house, "notes", "degraded", "huge.md: it has 5").await;
    assert_eq!(search(&house, "aardvarks").await[0], "huge.md");
    let id = read(&house, "huge.md").await["id"].as_str().unwrap().to_owned();
    let (status, problem) = house.send("memory", "POST", "/write", &json!({ "id": id, "text": "x" })).await;
    assert_eq!((status, &problem["type"]), (413, &json!("urn:sanctum:too-large")), "{problem}");
    let large = "x ".repeat(3 * 1024 * 1024);
    let (status, problem) = house.send("memory", "POST", "/write", &json!({ "text": large })).await;
    assert_eq!((status, &problem["type"]), (413, &json!("urn:sanctum:too-large")), "{problem}");
    house.stop().await;
}

#[tokio::test]
async fn no_name_and_no_link_leads_out_of_the_vault() {
    let house = house().await;
    let vault = vault(&house);
    let outside = tempfile::tempdir().unwrap();
    put(outside.path(), "secret.md", b"Outside.");
    for folder in ["..", "../..", "/tmp", "a/../../b", ".git", "knowledge/.hidden", "a\\..\\b", ""] {
        let (status, problem) =
            house.send("memory", "POST", "/write", &json!({ "text": "x", "folder": folder })).await;
        assert_eq!((status, &problem["field"]), (422, &json!("folder")), "{folder}: {problem}");
    }
    for id in ["..%2F..%2Fsanctum.toml", "%2Fetc%2Fpasswd", "..%2Fvault%2Fx.md", ".git%2Fconfig"] {
        assert_eq!(house.get("memory", &format!("/read/{id}")).await.0, 404, "{id}");
    }
    let title =
        write(&house, json!({ "text": "x", "title": "../../../escape", "folder": "knowledge" })).await;
    assert_eq!(title["path"], "knowledge/escape.md");
    std::os::unix::fs::symlink(outside.path(), vault.join("way")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.md"), vault.join("secret.md")).unwrap();
    std::os::unix::fs::symlink("..", vault.join("knowledge/loop")).unwrap();
    std::os::unix::fs::symlink("self.md", vault.join("self.md")).unwrap();
    fs::File::create(vault.join(OsStr::from_bytes(b"caf\xe9.md"))).unwrap();
    let (status, problem) =
        house.send("memory", "POST", "/write", &json!({ "text": "y", "folder": "way/in" })).await;
    assert_eq!((status, &problem["field"]), (422, &json!("folder")), "{problem}");
    assert!(!outside.path().join("in").exists());
    assert!(search(&house, "outside").await.is_empty());
    // A sweep names them.
    house.send("memory", "POST", "/rebuild", &json!(null)).await;
    let (_, state) = house.get("memory", "/state").await;
    let troubles: Vec<&str> =
        state["troubles"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    for name in [
        "way: it is a link",
        "secret.md: it is a link",
        "knowledge/loop: it is a link",
        "self.md: it is a link",
        "caf\u{fffd}.md: its name",
    ] {
        assert!(troubles.iter().any(|trouble| trouble.starts_with(name)), "{name}: {troubles:?}");
    }
    assert_eq!(house.get("memory", "/health").await.1["parts"]["notes"]["status"], "degraded");
    house.stop().await;
}

#[tokio::test]
async fn of_two_notes_with_one_id_the_copy_goes_by_another() {
    let house = house().await;
    let vault = vault(&house);
    let head = write(&house, json!({ "text": "Original.", "folder": "knowledge", "title": "N" })).await;
    let id = head["id"].as_str().unwrap();
    fs::copy(vault.join("knowledge/n.md"), vault.join("knowledge/n copy.md")).unwrap();
    until_paths(&house, &["knowledge/n copy.md", "knowledge/n.md"]).await;
    assert_eq!(read(&house, id).await["path"], "knowledge/n.md");
    let copy = read(&house, "knowledge/n copy.md").await;
    assert_ne!(copy["id"], id);
    assert!(copy["trouble"].as_str().unwrap().contains("knowledge/n.md"), "{copy}");
    until_health(&house, "notes", "degraded", "is that of").await;
    house.send("memory", "POST", "/rebuild", &json!(null)).await;
    assert_eq!(read(&house, "knowledge/n copy.md").await["id"], copy["id"], "whenever it is read");
    // When the original goes, the copy has the id.
    fs::remove_file(vault.join("knowledge/n.md")).unwrap();
    until_paths(&house, &["knowledge/n copy.md"]).await;
    sanctum_testkit::eventually("the heir", crate::house::PATIENCE, async || {
        (house.get("memory", &format!("/read/{id}")).await.0 == 200).then_some(())
    })
    .await;
    until_health(&house, "notes", "well", "every file").await;
    house.stop().await;
}

#[tokio::test]
async fn a_damaged_index_is_made_again_at_the_start_and_while_it_runs() {
    let house = house().await;
    for number in 0..200 {
        write(
            &house,
            json!({ "text": format!("Note {number}: {}", "word ".repeat(100)), "folder": "knowledge" }),
        )
        .await;
    }
    let stopped = house.stop().await;
    let path = stopped.paths().state().join("memory.db");
    sanctum_kernel::files::replace(
        &path,
        b"this is no database at all, but it is long enough to be looked at",
        0o600,
    )
    .unwrap();
    let house = stopped.start().await;
    assert_eq!(list(&house, "").await.len(), 200);
    until_health(&house, "index", "well", "made again").await;
    // Pages in the middle: found by the look at the start.
    let stopped = house.stop().await;
    // What had not yet come into the file would be read past the damage.
    let index = sanctum_store::Connection::open(&path).unwrap();
    index.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(index);
    let mut bytes = fs::read(&path).unwrap();
    let (from, to) = (bytes.len() / 4, bytes.len() * 3 / 4);
    bytes[from..to].fill(0xa5);
    sanctum_kernel::files::replace(&path, &bytes, 0o600).unwrap();
    let house = stopped.start().await;
    until_health(&house, "index", "well", "made again").await;
    sanctum_testkit::eventually("all notes", crate::house::PATIENCE, async || {
        let (status, page) = house.get("memory", "/list?limit=1000").await;
        (status == 200 && page["notes"].as_array().unwrap().len() == 200).then_some(())
    })
    .await;
    assert_eq!(search(&house, "note 77").await[0], "knowledge/note-77-word-word-word-word-word-word.md");
    // Removed while it runs.
    fs::remove_file(&path).unwrap();
    sanctum_testkit::eventually("a note that is kept", crate::house::PATIENCE, async || {
        let note = json!({ "text": "The aftermath.", "folder": "knowledge" });
        (house.send("memory", "POST", "/write", &note).await.0 == 200).then_some(())
    })
    .await;
    until_health(&house, "index", "well", "made again").await;
    assert!(!search(&house, "aftermath").await.is_empty());
    house.stop().await;
}

#[tokio::test]
async fn a_clock_that_went_back_makes_no_change_older() {
    let clock = sanctum_kernel::Clock::starting_at("2026-11-22T10:00:00Z".parse().unwrap());
    let house = crate::house::stopped(WORDS).clock(clock.clone()).start().await;
    let first = write(&house, json!({ "text": "One.", "folder": "knowledge" })).await;
    clock.step(SignedDuration::from_hours(-24));
    let second = write(&house, json!({ "id": first["id"], "text": "Two." })).await;
    let updated =
        |note: &serde_json::Value| note["updated"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(updated(&second) > updated(&first), "{second}");
    let third = write(&house, json!({ "text": "Three.", "folder": "knowledge" })).await;
    assert!(
        third["id"].as_str().unwrap().get(..12) >= first["id"].as_str().unwrap().get(..12),
        "ids stay in order"
    );
    house.send("memory", "POST", "/rebuild", &json!(null)).await;
    until_health(&house, "clock", "degraded", "went back").await;
    clock.step(SignedDuration::from_hours(25));
    house.send("memory", "POST", "/rebuild", &json!(null)).await;
    assert!(house.get("memory", "/health").await.1["parts"].get("clock").is_none());
    house.stop().await;
}
