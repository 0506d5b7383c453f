//! A full disk and a read-only one: an honest answer, nothing acknowledged, nothing lost.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::house::{CATALOGUE, NOON, at, life, notice, say};

/// A small file system in memory, gone with this value.
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

#[tokio::test]
async fn f1_a_full_disk_is_answered_honestly() {
    let stopped = sanctum_testkit::House::new(&CATALOGUE).clock(at(NOON));
    let small = Small::mount(&stopped.paths().state());
    let house = stopped.start().await;
    let before = say(&house, notice("error", "before")).await;
    let filler = small.0.join("filler");
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
    let stopped = sanctum_testkit::House::new(&CATALOGUE).clock(at(NOON));
    let house = stopped.start().await;
    say(&house, notice("error", "before")).await;
    let stopped = house.stop().await;
    let database = stopped.paths().state().join("notify.db");
    let stopped = {
        let _bound = Small::bind_read_only(&database);
        let (stopped, why) = stopped.try_start().await.expect_err("it cannot keep anything");
        assert!(why.contains("read-only") && why.contains("notify.db") && why.contains("remount"), "{why}");
        stopped
    };
    let stopped = {
        let _bound = Small::bind_read_only(&stopped.paths().state());
        let (stopped, why) = stopped.try_start().await.expect_err("it cannot keep anything");
        assert!(why.to_lowercase().contains("read-only") && why.contains("state"), "{why}");
        stopped
    };
    let house = stopped.start().await;
    let (_, page) = house.get("notify", "/history").await;
    assert_eq!(page["notifications"][0]["notice"]["title"], "before", "nothing is lost");
    house.stop().await;
}
