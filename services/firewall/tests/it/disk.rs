//! A full disk: an honest answer, nothing half done, nothing lost. Needs root, for a small file system.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use sanctum_testkit::eventually;
use serde_json::json;

use crate::house::{Heard, STRANGER, XBOX, client, curfew, desire, device, join, made, packets, until};

const SOON: std::time::Duration = std::time::Duration::from_secs(10);

/// A small file system in memory, gone with this value.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        run(&["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", &path.display().to_string()]);
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
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(
        output.status.success(),
        "this test needs root: {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn an_intention_that_cannot_be_written_down_changes_nothing_and_says_why() {
    let stopped = made("");
    let small = Small::mount(&stopped.paths().state());
    let house = stopped.start().await;
    let filler = small.0.join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    let mut version = 0;
    let problem = loop {
        // The log of the database may have a little room left.
        let (status, answer) = desire(&house, version + 1, json!({ "xbox": curfew() }), "allow", None).await;
        if status != 200 {
            break answer;
        }
        version += 1;
        assert!(version < 2000, "a full disk was never noticed");
    };
    assert_eq!(problem["title"], "it could not be written down, so nothing was changed", "{problem}");
    assert_eq!(problem["status"], 507, "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("free some space"), "{problem}");
    assert_eq!(house.get("firewall", "/desired").await.1["version"], version);
    drop(file);
    fs::remove_file(&filler).unwrap();
    assert_eq!(desire(&house, version + 1, json!({ "xbox": curfew() }), "allow", None).await.0, 200);
    assert_eq!(packets(&house, XBOX).await.0, 0);
    let house = house.stop().await.start().await;
    assert_eq!(house.get("firewall", "/desired").await.1["version"], version + 1);
    house.stop().await;
    drop(small);
}

#[tokio::test]
async fn a_database_that_becomes_read_only_under_the_service_is_named_and_loses_nothing() {
    let stopped = made("reconcile = \"200ms\"");
    let disk = Disk::mount(&stopped.paths().state());
    let house = stopped.start().await;
    assert_eq!(desire(&house, 1, json!({ "xbox": curfew() }), "allow", None).await.0, 200);
    disk.read_only("firewall.db", true);
    let (status, problem) = desire(&house, 2, json!({}), "allow", None).await;
    let says = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (status, says("title").as_str()),
        (503, "it could not be written down, so nothing was changed")
    );
    assert!(says("detail").contains("firewall.db") && says("detail").contains("read-only"), "{problem}");
    assert!(says("hint").contains("remount"), "{problem}");
    assert_eq!(packets(&house, XBOX).await.0, 0, "the block stands");
    // Who comes meanwhile is noticed, shown and remembered.
    let mut heard = Heard::from_now(&house).await;
    join(&house, XBOX).await;
    assert_eq!(heard.next("attempt").await.device.as_deref(), Some("xbox"));
    join(&house, STRANGER).await;
    let id = STRANGER.replace(':', "-");
    until(&house, &id, "the stranger", |device| device.online).await;
    let store = eventually("what is wrong to be said", SOON, async || {
        let part = house.get("firewall", "/health").await.1["parts"]["store"].clone();
        (part["status"] == "unwell").then_some(part)
    });
    assert!(store.await["hint"].as_str().unwrap().contains("remount"));
    let naming = json!({ "name": "Lea", "approved": true });
    let (status, problem) = house.send("firewall", "PUT", &format!("/devices/{id}"), &naming).await;
    assert_eq!(
        (status, problem["title"].as_str()),
        (503, Some("it could not be written down, so nothing was changed"))
    );
    assert_eq!(device(&house, &id).await.name, id);
    let export = client(&house).export().await.unwrap();
    let import = serde_json::to_value(&export).unwrap();
    assert_eq!(house.send("firewall", "POST", "/import", &import).await.0, 503);
    assert_eq!(client(&house).export().await.unwrap(), export);
    disk.read_only("firewall.db", false);
    eventually("everything to be written down", SOON, async || {
        (house.get("firewall", "/health").await.1["parts"]["store"]["status"] == "well").then_some(())
    })
    .await;
    let house = house.stop().await.start().await;
    assert_eq!(device(&house, &id).await.id, id, "who came meanwhile is still known");
    assert_eq!(house.get("firewall", "/desired").await.1["version"], 1);
    house.stop().await;
}
