//! A full disk: an honest answer, nothing half done, nothing lost. Needs root, for a small file system.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::house::{XBOX, curfew, desire, made, packets};

/// A small file system in memory, gone with this value.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        run(&["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", &path.display().to_string()]);
        Self(path.to_owned())
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
