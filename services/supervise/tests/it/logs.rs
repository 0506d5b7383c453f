//! What children print, and what the disk does with it.

use std::path::PathBuf;
use std::process::Command;

use sanctum_api::supervise::Phase;
use sanctum_testkit::eventually;

use crate::house::{SOON, listener, log, new, phase, sinner, start};

#[tokio::test]
async fn c7_last_words_are_kept() {
    let house =
        start(vec![sinner("app", &["--say", "hello", "--crash-after", "0", "--exit-code", "78"])]).await;
    phase(&house, "app", Phase::Locked).await;
    let paths = house.paths().clone();
    eventually("the log", SOON, async || {
        log(&paths, "app").contains("--- ended: exit code 78").then_some(())
    })
    .await;
    let lines: Vec<_> =
        log(&paths, "app").lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with("--- started: process "));
    assert_eq!(lines[1..3], ["hello", "these are my last words"]);
    house.stop().await;
}

#[tokio::test]
async fn a_flood_is_rotated_and_its_end_is_there() {
    let config =
        format!("{}[supervise.log]\nsize = \"256KiB\"\nkeep = 2\npatience = \"10s\"\n", crate::house::QUICK);
    let house = new(vec![listener("app", &["--flood", "40000", "--say", "before"], &[])])
        .config(&config)
        .start()
        .await;
    phase(&house, "app", Phase::Ready).await;
    let paths = house.paths().clone();
    eventually("the end of the flood", SOON, async || {
        log(&paths, "app").contains(" line 39999 of a flood").then_some(())
    })
    .await;
    let size = |name: &str| std::fs::metadata(paths.logs().join(name)).map_or(0, |metadata| metadata.len());
    for name in ["app.log", "app.log.1", "app.log.2"] {
        assert!(size(name) > 0 && size(name) <= 256 * 1024, "{name} has {} bytes", size(name));
    }
    assert_eq!(size("app.log.3"), 0, "only two are kept");
    let all: String = ["app.log.2", "app.log.1", "app.log"]
        .map(|name| std::fs::read_to_string(paths.logs().join(name)).unwrap())
        .concat();
    let numbers: Vec<u32> =
        all.lines().filter_map(|line| line.split_once(" line ")?.1.split(' ').next()?.parse().ok()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "no line is lost or out of order");
    house.stop().await;
}

/// A small file system of its own; gone with the test.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn on(place: PathBuf, size: &str) -> Self {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"])
            .arg(&place)
            .status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "this test mounts a small tmpfs: it needs root and mount(8)"
        );
        Self(place)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg("-l").arg(&self.0).status().is_ok_and(|status| status.success()));
    }
}

#[tokio::test]
async fn c7_a_full_disk_stops_nobody_and_the_loss_is_counted() {
    let stopped = new(vec![listener("app", &["--flood", "20000"], &[])]);
    let paths = stopped.paths();
    paths.prepare().unwrap();
    let disk = Tmpfs::on(paths.logs(), "64k");
    let house = stopped.start().await;
    let app = phase(&house, "app", Phase::Ready).await;
    let logs = eventually("the trouble to be seen", SOON, async || {
        let (_, health) = house.get("supervise", "/health").await;
        let logs = health["parts"]["logs"].clone();
        (logs["status"] == "degraded").then_some(logs)
    })
    .await;
    let detail = logs["detail"].as_str().unwrap();
    assert!(detail.contains("app.log") && detail.contains("lines were dropped"), "{detail}");
    let now = phase(&house, "app", Phase::Ready).await;
    assert_eq!((now.pid, now.restarts), (app.pid, 0), "it runs as if nothing were");
    let stopped = house.stop().await;
    drop(disk);
    drop(stopped);
}

#[tokio::test]
async fn c7_a_disk_that_hangs_holds_nobody_longer_than_allowed() {
    let config = format!("{}[supervise.log]\npatience = \"100ms\"\n", crate::house::QUICK);
    let stopped = new(vec![listener("app", &["--flood", "40000"], &[])]).config(&config);
    let paths = stopped.paths();
    paths.prepare().unwrap();
    // Whoever opens this to write waits until somebody reads: for ever.
    let log = paths.logs().join("app.log");
    assert!(Command::new("mkfifo").arg(&log).status().is_ok_and(|status| status.success()));
    let house = stopped.start().await;
    // It prints more than any pipe holds before it is ready: it was not held.
    let app = phase(&house, "app", Phase::Ready).await;
    assert_eq!(app.restarts, 0);
    let reader = std::thread::spawn(move || std::fs::File::open(log).map(drop));
    house.stop().await;
    reader.join().unwrap().unwrap();
}
