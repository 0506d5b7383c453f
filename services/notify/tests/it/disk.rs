//! A full disk and a read-only one: an honest answer, nothing acknowledged, nothing lost.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::house::{CATALOGUE, NOON, at, life, notice, say};

/// A small file system in memory, gone with this value.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        run(&["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", &path.display().to_string()]);
        Self(path.to_owned())
    }

    fn read_only(&self) {
        run(&["mount", "-o", "remount,ro", &self.0.display().to_string()]);
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run(&["umount", "-l", &self.0.display().to_string()]);
    }
}

fn run(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap_or_else(|error| panic!("`{}` is needed: {error}", words[0]));
    assert!(output.status.success(), "this test needs root: {words:?}: {}", String::from_utf8_lossy(&output.stderr));
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
        let (status, answer) = house.send("notify", "POST", "/notify", &notice("error", &format!("n{number}"))).await;
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
async fn f1_a_read_only_disk_is_named_at_the_start() {
    let stopped = sanctum_testkit::House::new(&CATALOGUE).clock(at(NOON));
    let small = Small::mount(&stopped.paths().state());
    let house = stopped.start().await;
    say(&house, notice("error", "before")).await;
    let stopped = house.stop().await;
    sanctum_testkit::eventually("the files to be let go", crate::house::PATIENCE, async || {
        let tried = Command::new("mount").args(["-o", "remount,ro", &small.0.display().to_string()]).output().unwrap();
        tried.status.success().then_some(())
    })
    .await;
    small.read_only();
    let (stopped, why) = stopped.try_start().await.expect_err("it cannot keep anything");
    assert!(why.contains("read-only") && why.contains("notify.db"), "{why}");
    assert!(json!(why).is_string());
    drop(small);
    drop(stopped);
}
