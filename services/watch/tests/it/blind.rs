//! W8: what cannot be known is not down.

use std::time::Duration;

use sanctum_api::watch::State;
use sanctum_testkit::eventually;

use crate::crash::House;
use crate::world::{Mood, SOON, Target, all_well, calls, declared, is, new, orders, said};

/// Two seconds stand for the ten of a house, and six for the minute of the page.
const BLIND: &str = "[watch.blindness]\ngap = \"2s\"\nsettle = \"1s\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w8_a_watch_that_was_stopped_says_so_once_and_accuses_nobody() {
    let targets: Vec<_> = (0..5).map(|_| Target::new(Mood::Well)).collect();
    let services: String = targets
        .iter()
        .enumerate()
        .map(|(number, target)| declared(&format!("s{number}"), &[], &target.url(), ""))
        .collect();
    let mut house = House::new(&format!("{BLIND}{services}"));
    house.start().await;
    for number in 0..5 {
        house.is(&format!("s{number}"), State::Healthy).await;
    }
    // Questions are in flight when it is stopped, and time out while it is.
    for target in &targets {
        target.set(Mood::Hung);
    }
    tokio::time::sleep(Duration::from_millis(250)).await;
    house.signal("-STOP");
    tokio::time::sleep(Duration::from_secs(6)).await;
    for target in &targets {
        target.set(Mood::Well);
    }
    house.signal("-CONT");
    let told =
        eventually("the notice", SOON, async || house.told().await.filter(|told| !told.is_empty())).await;
    assert!(told[0].notice.title.starts_with("The watch was blind for "), "{told:?}");
    for number in 0..5 {
        house.is(&format!("s{number}"), State::Healthy).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = house.told().await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(house.watch().unwrap().incidents(1).await.unwrap(), []);
    assert!(orders(house.home()).is_empty());
    house.kill();
}

/// The house's network is gone, as those say who always answer: what lies behind it is unknown, what is on this machine is not.
#[tokio::test]
async fn w8_behind_a_network_that_is_gone_nothing_is_down() {
    let (router, near) = (Target::new(Mood::Well), Target::new(Mood::Well));
    // An address that is not this machine's own as far as checks go, and that no packet ever leaves for.
    let far = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    far.connect("192.0.2.1:9").ok();
    let own =
        far.local_addr().ok().map(|addr| addr.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
    let Some(own) = own else { panic!("this test needs an address beside loopback") };
    let behind = Target::at(own, Mood::Well);
    let blindness = format!("[watch.blindness]\ngateway = \"{}\"\n", router.addr);
    let services =
        [declared("near", &[], &near.url(), ""), declared("behind", &[], &behind.url(), "")].concat();
    let house = new(&format!("{blindness}{services}")).start().await;
    all_well(&house).await;
    router.set(Mood::Gone);
    behind.set(Mood::Gone);
    let node = is(&house, "behind", State::Unknown).await;
    assert!(
        node.detail.contains("network does not answer")
            || node.checks[0].detail.contains("network does not answer"),
        "{node:?}"
    );
    let body = crate::world::client(&house).body().await.unwrap();
    assert!(body.blind.is_some_and(|why| why.contains("network")) && body.incidents.is_empty());
    // What is on this machine is looked at all the same.
    near.set(Mood::Sick);
    is(&house, "near", State::Failed).await;
    near.set(Mood::Well);
    router.set(Mood::Well);
    behind.set(Mood::Well);
    is(&house, "behind", State::Healthy).await;
    let told =
        said(&house, "the notice", |told| told.iter().any(|one| one.notice.title.contains("blind"))).await;
    assert!(
        told.iter().all(|one| one.notice.labels.get("service").is_none_or(|service| service == "near")),
        "{told:?}"
    );
    assert_eq!(calls(&told).iter().filter(|one| one.notice.title.contains("blind")).count(), 1);
    house.stop().await;
}

#[tokio::test]
async fn w8_a_clock_that_jumps_a_year_is_said_and_accuses_nobody() {
    let target = Target::new(Mood::Well);
    let house =
        new(&format!("[watch.blindness]\nsettle = \"1s\"\n{}", declared("app", &[], &target.url(), "")))
            .start()
            .await;
    all_well(&house).await;
    house.clock().step(jiff::SignedDuration::from_hours(24 * 365));
    let told = said(&house, "the notice", |told| !told.is_empty()).await;
    assert_eq!(told[0].notice.title, "The clock was set forward by 365 d");
    all_well(&house).await;
    house.clock().step(jiff::SignedDuration::from_hours(-24 * 365));
    eventually("the other notice", SOON, async || {
        let hub = sanctum_api::notify::Client::new(house.transport("notify"));
        let all = hub.history("source=watch&limit=100").await.ok()?.notifications;
        all.iter().any(|one| one.notice.title.contains("set back")).then_some(())
    })
    .await;
    all_well(&house).await;
    assert_eq!(crate::world::client(&house).incidents(3660).await.unwrap(), []);
    house.stop().await;
}
