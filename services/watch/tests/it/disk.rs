//! A memory that is damaged is put aside; a disk that is full is no reason to stop watching.

use std::fs::{self, File};
use std::io::Write;

use sanctum_api::watch::{Stage, State};
use sanctum_testkit::disk::Mount;
use sanctum_testkit::eventually;

use crate::world::{Mood, SOON, Target, client, declared, incident, is, new};

#[tokio::test]
async fn a_damaged_memory_is_put_aside_and_said() {
    let target = Target::new(Mood::Well);
    let stopped = new(&declared("app", &[], &target.url(), "")).start().await.stop().await;
    let state = stopped.paths().state();
    sanctum_kernel::files::replace(&state.join("watch.db"), &[7; 8192], 0o600).unwrap();
    for end in ["-wal", "-shm"] {
        fs::remove_file(state.join(format!("watch.db{end}"))).ok();
    }
    let house = stopped.start().await;
    is(&house, "app", State::Healthy).await;
    let (code, health) = house.get("watch", "/health").await;
    let memory = &health["parts"]["memory"];
    assert_eq!((code, memory["status"].as_str()), (200, Some("degraded")), "{health}");
    assert!(memory["detail"].as_str().unwrap().contains("watch.db.damaged-"), "{health}");
    let aside = fs::read_dir(&state)
        .unwrap()
        .flatten()
        .any(|file| file.file_name().to_string_lossy().contains(".damaged-"));
    assert!(aside, "it is kept");
    target.set(Mood::Sick);
    incident(&house, "app", "a person to be asked", |one| one.stage == Stage::Escalated).await;
    house.stop().await;
}

#[tokio::test]
async fn on_a_full_disk_it_goes_on_watching_and_keeps_it_later() {
    let target = Target::new(Mood::Well);
    let stopped = new(&declared("app", &[], &target.url(), "")).only(&["supervise", "watch"]);
    let small = Mount::small(&stopped.paths().state());
    let house = stopped.start().await;
    is(&house, "app", State::Healthy).await;
    let filler = small.path().join("filler");
    let mut file = File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    target.set(Mood::Sick);
    is(&house, "app", State::Failed).await;
    let part = async || {
        let (_, health) = house.get("watch", "/health").await;
        Some(health["parts"]["memory"].clone())
    };
    let turns = std::cell::Cell::new(0_u32);
    let seen = eventually("the full disk to be said", SOON, async || {
        // A page may still fit: it goes on writing until none does.
        turns.set(turns.get() + 1);
        target.set(if (turns.get() / 200).is_multiple_of(2) { Mood::Sick } else { Mood::Well });
        part().await.filter(|part| part["status"] == "degraded")
    })
    .await;
    assert!(
        seen["detail"].as_str().unwrap().contains("disk is full")
            && seen["detail"].as_str().unwrap().contains("from memory"),
        "{seen}"
    );
    target.set(Mood::Sick);
    let open =
        incident(&house, "app", "what is at hand to be shown", |one| one.stage != Stage::Resolved).await;
    assert!(!open.timeline.is_empty(), "{open:?}");
    drop(file);
    fs::remove_file(&filler).unwrap();
    eventually("everything to be kept", SOON, async || part().await.filter(|part| part["status"] == "well"))
        .await;
    let log = client(&house).transitions(1, Some("app")).await.unwrap();
    assert!(log.iter().any(|turn| turn.to == State::Failed), "{log:?}");
    drop(house.stop().await);
    drop(small);
}
