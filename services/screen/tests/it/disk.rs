//! A full disk and a read-only one: an act is refused in words, nothing is lost, and reading goes on.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use crate::world::{SOON, house};

/// A file system of its own, gone with this value.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        run(&["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", &path.display().to_string()]);
        Self(path.to_owned())
    }

    /// The same place, but nothing can be written there.
    fn bind_read_only(path: &Path) -> Self {
        let text = path.display().to_string();
        run(&["mount", "--bind", &text, &text]);
        run(&["mount", "-o", "remount,bind,ro", &text]);
        Self(path.to_owned())
    }
}

/// An ext4 of its own in a file, where `chattr` can take every right to write away while a file is open.
struct Disk {
    at: PathBuf,
    image: tempfile::NamedTempFile,
}

impl Disk {
    fn mount(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(16 * 1024 * 1024).unwrap();
        let file = image.path().display().to_string();
        run(&["mkfs.ext4", "-q", "-F", &file]);
        run(&["mount", "-o", "loop", &file, &path.display().to_string()]);
        Self { at: path.to_owned(), image }
    }

    /// From now on, or no longer, every write to the database fails, as root as well.
    fn read_only(&self, database: &str, on: bool) {
        for end in ["", "-wal"] {
            let file = self.at.join(format!("{database}{end}")).display().to_string();
            run(&["chattr", if on { "+i" } else { "-i" }, &file]);
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(&["umount", "-l", &self.at.display().to_string()]);
        assert!(self.image.path().exists(), "the image outlives its mount");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run(&["umount", "-l", &self.0.display().to_string()]);
    }
}

fn run(words: &[&str]) {
    let output = Command::new(words[0])
        .args(&words[1..])
        .output()
        .unwrap_or_else(|error| panic!("`{}` is needed: {error}", words[0]));
    assert!(
        output.status.success(),
        "this test needs root: {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

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
    let small = Small::mount(&stopped.paths().state());
    let house = stopped.start().await;
    assert_eq!(extend(&house, "before").await.0, 200);
    let filler = small.0.join("filler");
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
        let _bound = Small::bind_read_only(&database);
        let (stopped, why) = stopped.try_start().await.expect_err("it cannot keep anything");
        assert!(why.contains("read-only") && why.contains("screen.db") && why.contains("remount"), "{why}");
        stopped
    };
    let stopped = {
        let _bound = Small::bind_read_only(&stopped.paths().state());
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
