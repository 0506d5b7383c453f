//! A house with nothing but memory in it, and short ways to ask.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sanctum_kernel::{Catalogue, Entry, files};
use sanctum_memory::Memory;
use sanctum_testkit::House;
use serde_json::{Value, json};

use crate::peers::{Hub, Proxy};

pub(crate) static CATALOGUE: Catalogue =
    const { Catalogue::new(const { &[Entry::of::<Hub>(), Entry::of::<Proxy>(), Entry::of::<Memory>()] }) };

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A house that recalls by words alone: what is tested here has nothing to do with meaning.
pub(crate) const WORDS: &str = "[memory.recall]\nmeaning = false\n";

/// A house that does not run yet, with this configuration.
pub(crate) fn stopped(config: &str) -> sanctum_testkit::Stopped {
    House::new(&CATALOGUE).config(config).only(&["memory"])
}

pub(crate) async fn house() -> House {
    stopped(WORDS).start().await
}

pub(crate) fn vault(house: &House) -> PathBuf {
    house.home().join("vault")
}

/// Puts a file into the vault, as an editor does.
pub(crate) fn put(vault: &Path, path: &str, text: &[u8]) {
    let path = vault.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    files::replace(&path, text, 0o644).unwrap();
}

/// Writes a note, and expects that it is kept.
pub(crate) async fn write(house: &House, note: Value) -> Value {
    let (status, answer) = house.send("memory", "POST", "/write", &note).await;
    assert_eq!(status, 200, "{answer}");
    answer["note"].clone()
}

pub(crate) async fn read(house: &House, id: &str) -> Value {
    let (status, note) = house.get("memory", &format!("/read/{}", escape(id))).await;
    assert_eq!(status, 200, "{note}");
    note
}

pub(crate) fn escape(id: &str) -> String {
    id.replace('%', "%25").replace('/', "%2F").replace(' ', "%20")
}

/// Paths of what is found.
pub(crate) async fn search(house: &House, query: &str) -> Vec<String> {
    let (status, found) = house.send("memory", "POST", "/search", &json!({ "query": query })).await;
    assert_eq!(status, 200, "{found}");
    found["results"].as_array().unwrap().iter().map(|hit| hit["path"].as_str().unwrap().to_owned()).collect()
}

/// Every note by its path.
pub(crate) async fn list(house: &House, query: &str) -> Vec<Value> {
    let mut notes = Vec::new();
    let mut path = format!("/list?limit=1000{query}");
    loop {
        let (status, page) = house.get("memory", &path).await;
        assert_eq!(status, 200, "{page}");
        notes.extend(page["notes"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return notes };
        path = format!("/list?limit=1000{query}&cursor={next}");
    }
}

pub(crate) async fn paths(house: &House) -> Vec<String> {
    let mut paths: Vec<String> =
        list(house, "").await.iter().map(|note| note["path"].as_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

/// Waits until these are the paths of all notes.
pub(crate) async fn until_paths(house: &House, wanted: &[&str]) {
    let last = std::cell::RefCell::new(Vec::new());
    let look = sanctum_testkit::eventually("the notes", PATIENCE * 2, async || {
        let paths = paths(house).await;
        let there = paths == wanted;
        last.replace(paths);
        there.then_some(())
    });
    let seen = tokio::time::timeout(PATIENCE, look).await;
    assert!(seen.is_ok(), "waited for {wanted:?}, but it is {:?}", last.take());
}

/// Waits until a part of the health says this.
pub(crate) async fn until_health(house: &House, part: &str, status: &str, words: &str) -> Value {
    let last = std::cell::RefCell::new(Value::Null);
    let look = sanctum_testkit::eventually("the health", PATIENCE * 2, async || {
        let health = house.get("memory", "/health").await.1["parts"][part].clone();
        last.replace(health.clone());
        let detail = health["detail"].as_str().unwrap_or_default();
        (health["status"] == status && detail.contains(words)).then_some(health)
    });
    let seen = tokio::time::timeout(PATIENCE, look).await.ok();
    seen.unwrap_or_else(|| {
        panic!("waited for `{part}` to be {status} with `{words}`, but it is {}", last.take())
    })
}

/// git in the vault, as its owner runs it.
pub(crate) fn git(vault: &Path, words: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(vault)
        .args(["-c", "user.name=Ava", "-c", "user.email=ava@house.invalid"])
        .args(words)
        .output()
        .expect("`git` is needed");
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until what was changed is committed.
pub(crate) async fn until_clean(vault: &Path) {
    sanctum_testkit::eventually("everything to be committed", PATIENCE, async || {
        git(vault, &["status", "--porcelain", "-uall"]).is_empty().then_some(())
    })
    .await;
}
