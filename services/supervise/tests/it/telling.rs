//! Who tells people of a lock: the watch if it comes to it, or else the supervisor; never both, never nobody.

use sanctum_api::notify::{Notice, Spooled};
use sanctum_api::supervise::{Phase, ServiceState, Teller};
use sanctum_supervise::Plan;
use sanctum_testkit::{House, Stopped, eventually};

use crate::house::{QUICK, SOON, client, new, phase, sinner, told, when};

/// One that is locked at once, until somebody mends it.
fn sick(name: &str) -> Plan {
    let script = "test -e mended && exec sleep 1000; echo 'line 3: no such zone'; exit 78";
    Plan { args: vec!["-c".into(), script.into()], ..Plan::new(name, "/bin/sh") }
}

/// A house whose supervisor waits so long for the watch.
fn waits(plans: Vec<Plan>, length: &str) -> Stopped {
    new(plans).config(&format!("{QUICK}[supervise.breaker]\ntell-after = \"{length}\"\n"))
}

async fn locked(house: &House, name: &str, teller: Option<Teller>) -> ServiceState {
    when(house, name, &format!("`{name}` to be told by {teller:?}"), |state| {
        state.locked.as_ref().is_some_and(|locked| locked.told == teller)
    })
    .await
}

async fn notices(house: &House, count: usize) -> Vec<Notice> {
    let home = house.home().to_owned();
    eventually("the notices", SOON, async || Some(told(&home)).filter(|told| told.len() >= count)).await
}

#[tokio::test]
async fn a_lock_that_the_watch_claims_is_never_told_by_the_supervisor() {
    let house = waits(vec![sinner("watch", &[]), sick("app")], "1h").start().await;
    let home = house.home().to_owned();
    locked(&house, "app", None).await;
    let claimed = client(&house).told("app").await.unwrap();
    assert_eq!(claimed.locked.unwrap().told, Some(Teller::Watch));
    // Written down: neither another supervisor nor a watch that has gone makes it the supervisor's.
    let house = house.stop().await.start().await;
    locked(&house, "app", Some(Teller::Watch)).await;
    client(&house).act("watch", "stop").await.unwrap();
    phase(&house, "watch", Phase::Stopped).await;
    assert_eq!(client(&house).told("app").await.unwrap().locked.unwrap().told, Some(Teller::Watch));
    // Its end is the watch's matter as well.
    std::fs::File::create(house.home().join("mended")).unwrap();
    client(&house).act("app", "unlock").await.unwrap();
    phase(&house, "app", Phase::Ready).await;
    house.stop().await;
    assert_eq!(told(&home), []);
}

#[tokio::test]
async fn a_lock_that_nobody_claims_is_told_by_the_supervisor_once() {
    let house = waits(vec![sinner("watch", &[]), sick("app")], "200ms").start().await;
    let home = house.home().to_owned();
    locked(&house, "app", Some(Teller::Supervise)).await;
    assert_eq!(notices(&house, 1).await[0].dedup_key.as_deref(), Some("supervise.locked.app"));
    // Whoever comes too late hears whose it is.
    assert_eq!(client(&house).told("app").await.unwrap().locked.unwrap().told, Some(Teller::Supervise));
    let book = house.paths().state().join("supervise-locked.json");
    eventually("that to be written down", SOON, async || {
        std::fs::read_to_string(&book).ok().filter(|text| text.contains("\"sent\": true"))
    })
    .await;
    let house = house.stop().await.start().await;
    locked(&house, "app", Some(Teller::Supervise)).await;
    std::fs::File::create(house.home().join("mended")).unwrap();
    client(&house).act("app", "unlock").await.unwrap();
    let all = notices(&house, 2).await;
    assert!(all[1].resolved && all[1].dedup_key == all[0].dedup_key, "{all:?}");
    eventually("the book to be empty", SOON, async || {
        std::fs::read_to_string(&book).ok().filter(|text| text == "{}")
    })
    .await;
    let refused = client(&house).told("app").await.unwrap_err();
    assert_eq!(refused.problem().map(|problem| problem.status), Some(409), "it is not locked any more");
    house.stop().await;
    assert_eq!(told(&home).len(), 2);
}

#[tokio::test]
async fn a_watch_that_is_stopped_is_not_waited_for() {
    let house = waits(vec![sinner("watch", &[]), sick("app")], "1h").start().await;
    locked(&house, "app", None).await;
    assert_eq!(told(house.home()), []);
    client(&house).act("watch", "stop").await.unwrap();
    locked(&house, "app", Some(Teller::Supervise)).await;
    assert_eq!(notices(&house, 1).await.len(), 1);
    house.stop().await;
}

#[tokio::test]
async fn a_locked_watch_and_a_locked_hub_are_told_of_at_once() {
    let house = waits(vec![sick("watch"), sick("app")], "1h").start().await;
    for name in ["watch", "app"] {
        locked(&house, name, Some(Teller::Supervise)).await;
    }
    let all = notices(&house, 2).await;
    let keys: std::collections::BTreeSet<_> = all.iter().filter_map(|one| one.dedup_key.as_deref()).collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["supervise.locked.app", "supervise.locked.watch"]);
    house.stop().await;

    let house = waits(vec![sinner("watch", &[]), sick("notify")], "1h").start().await;
    locked(&house, "notify", Some(Teller::Supervise)).await;
    let spool = house.paths().spool();
    let spooled: Spooled = eventually("a notice for when it is back", SOON, async || {
        let file = std::fs::read_dir(&spool)
            .ok()?
            .flatten()
            .find(|file| file.path().extension().is_some_and(|end| end == "json"))?;
        serde_json::from_slice(&std::fs::read(file.path()).ok()?).ok()
    })
    .await;
    assert_eq!(spooled.notice.dedup_key.as_deref(), Some("supervise.locked.notify"));
    assert_eq!(spooled.caller.as_deref(), Some("supervise"), "its key is the supervisor's own at the hub");
    house.stop().await;
}

#[tokio::test]
async fn what_was_not_told_when_the_house_went_down_is_told_when_it_is_up() {
    let house = waits(vec![sinner("watch", &[]), sick("app")], "1h").start().await;
    locked(&house, "app", None).await;
    let stopped = house.stop().await;
    assert_eq!(told(stopped.home()), []);
    let quick = format!("{QUICK}[supervise.breaker]\ntell-after = \"200ms\"\n");
    let house = stopped.config(&quick).start().await;
    locked(&house, "app", Some(Teller::Supervise)).await;
    assert_eq!(notices(&house, 1).await.len(), 1);
    house.stop().await;
}
