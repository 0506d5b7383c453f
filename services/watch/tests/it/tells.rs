//! What is told that is no incident: sentinels that turn red, and what grows before it bites; at the hub's own door.

use std::fs;
use std::io::Write;
use std::time::Duration;

use jiff::SignedDuration;
use sanctum_api::notify::{Notification, Severity};
use sanctum_api::watch::Light;
use sanctum_testkit::disk::Mount;
use sanctum_testkit::{House, eventually};

use crate::world::{Mood, SOON, Target, all_well, calls, client, declared, new, said, told};

fn about<'a>(told: &'a [Notification], key: &str) -> Vec<&'a Notification> {
    told.iter().filter(|one| one.notice.dedup_key.as_deref() == Some(key)).collect()
}

async fn light(house: &House, sentinel: &str, wanted: Light) -> String {
    eventually("the sentinel's light", SOON, async || {
        let verdicts = client(house).body().await.ok()?.sentinels;
        let found = verdicts.into_iter().find(|one| one.sentinel == sentinel && one.light == wanted)?;
        Some(found.detail)
    })
    .await
}

#[tokio::test]
async fn only_a_red_sentinel_calls_somebody_once_and_takes_it_back() {
    let away = tempfile::tempdir().unwrap();
    let disk = away.path().join("backup");
    fs::create_dir(&disk).unwrap();
    let looks = |amber: u8| {
        format!(
            "disk-health.off = false\ndisk-health.every = \"100ms\"\ndisk-health.amber = {amber}\n\
             disk-health.red = 100\ndisk-health.paths = [\"{}\"]\n",
            disk.display()
        )
    };
    let quick = crate::world::QUICK.replace("disk-health.off = true\n", &looks(0));
    let house = House::new(&crate::world::CATALOGUE).config(&quick).start().await;
    // Amber is for who looks.
    light(&house, "disk-health", Light::Amber).await;
    assert!(about(&told(&house).await, "sentinel-disk-health").is_empty());

    fs::remove_dir(&disk).unwrap();
    light(&house, "disk-health", Light::Red).await;
    let red =
        said(&house, "the red one to be told", |told| !about(told, "sentinel-disk-health").is_empty()).await;
    let notice = &about(&red, "sentinel-disk-health")[0].notice;
    assert_eq!((notice.severity, notice.title.as_str()), (Severity::Error, "Sentinel disk-health is red"));
    let words = format!("{} is not there.\nTo do: look whether its disk is mounted.", disk.display());
    assert_eq!(notice.message, words);

    // Many looks later it has not been told again.
    let looked = async || client(&house).body().await.unwrap().sentinels[0].at;
    let since = looked().await;
    eventually("ten more looks", SOON, async || {
        (looked().await.duration_since(since) > SignedDuration::from_secs(1)).then_some(())
    })
    .await;
    assert_eq!(calls(&told(&house).await).len(), 1);

    fs::create_dir(&disk).unwrap();
    let over = said(&house, "its end", |told| told.iter().any(|one| one.notice.resolved)).await;
    let end = over.iter().find(|one| one.notice.resolved).unwrap();
    assert_eq!(end.notice.title, "Sentinel disk-health is amber, no longer red");
    assert!(over.iter().all(|one| one.resolved.is_some()), "nothing of it is left open: {over:?}");
    house.stop().await;
}

/// The clock goes this far between two answers.
const STEP: SignedDuration = SignedDuration::from_mins(5);

/// Lets the clock go on, with a few answers at each of its times, until something is told or the steps are over.
async fn pass(house: &House, steps: u32, key: &str, mut each: impl FnMut(u32)) -> Vec<Notification> {
    for step in 0..steps {
        each(step);
        house.clock().step(STEP);
        client(house).check("app").await.unwrap();
        let told = told(house).await;
        if told.iter().any(|one| one.notice.dedup_key.as_deref() == Some(key)) {
            return told;
        }
    }
    told(house).await
}

/// A clock that goes in steps is no clock that somebody has set, here.
const STEPPED: &str = "[watch.blindness]\nstep = \"1h\"\n";

#[tokio::test]
async fn a_disk_that_fills_is_told_before_it_is_full_and_shown_beside_its_service() {
    let away = tempfile::tempdir().unwrap();
    let small = Mount::small(&away.path().join("photos"));
    let target = Target::new(Mood::Well);
    let room = format!(
        "check.room = {{ disk = {{ path = \"{}\", max-used = 99 }}, every = \"100ms\", fails = 2, passes = 1 }}",
        small.path().display()
    );
    let house = new(&format!("{}\n{STEPPED}", declared("app", &[], &target.url(), &room))).start().await;
    all_well(&house).await;
    let mut file = fs::File::create(small.path().join("album")).unwrap();
    let key = "anomaly-app-room";
    let told = pass(&house, 40, key, |_| file.write_all(&vec![1; 49_152]).unwrap()).await;
    let found = about(&told, key);
    assert_eq!(found.len(), 1, "{told:?}");
    let notice = &found[0].notice;
    assert_eq!(notice.severity, Severity::Warn);
    assert!(
        notice.title.starts_with("app: its disk fills by ") && notice.title.contains("it is full in"),
        "{}",
        notice.title
    );
    assert!(
        notice.force_channels.is_empty() && notice.message.ends_with("It has not failed yet."),
        "{notice:?}"
    );
    let shown = client(&house).check("app").await.unwrap().anomalies;
    assert!(shown.iter().any(|text| text.contains("its disk fills by")), "{shown:?}");
    house.stop().await;
}

#[tokio::test]
async fn answers_that_have_become_slow_are_shown_and_call_nobody() {
    let target = Target::new(Mood::Well);
    let house = new(&format!("{}\n{STEPPED}", declared("app", &[], &target.url(), ""))).start().await;
    all_well(&house).await;
    let key = "anomaly-app-latency";
    // A morning as always, and then not.
    let told = pass(&house, 90, key, |_| {}).await;
    assert!(about(&told, key).is_empty(), "{told:?}");
    target.delay(Duration::from_millis(150));
    let told = pass(&house, 20, key, |_| {}).await;
    let found = about(&told, key);
    assert_eq!(found.len(), 1, "{told:?}");
    let notice = &found[0].notice;
    assert_eq!(
        (notice.severity, notice.force_channels.as_slice()),
        (Severity::Info, ["dashboard".to_owned()].as_slice())
    );
    assert!(notice.title.starts_with("app: answers take 1"), "{}", notice.title);
    house.stop().await;
}
