//! Contracts: the real services do their real work, or it is said that they do not.

use std::collections::BTreeMap;

use sanctum_firewall::Firewall;
use sanctum_kernel::inventory::check::{Check, Contract};
use sanctum_kernel::{Catalogue, Entry, Peers, Period};
use sanctum_notify::Notify;
use sanctum_probe::Finding::{self, Fail, Pass, Unknown};
use sanctum_probe::Prober;
use sanctum_proxy::Proxy;
use sanctum_testkit::House;
use sanctum_testkit::provider::{Provider, Reply};
use serde_json::{Value, json};

static CATALOGUE: Catalogue = const {
    Catalogue::new(const { &[Entry::of::<Firewall>(), Entry::of::<Notify>(), Entry::of::<Proxy>()] })
};

/// Asks as one of the house.
async fn ask(house: &House, contract: Contract) -> (Finding, String) {
    let names = ["firewall", "notify", "proxy"];
    let addrs: BTreeMap<_, _> = names.map(|name| (name.to_owned(), house.addr(name))).into();
    let peers = Peers::load("cli", &CATALOGUE, house.paths(), addrs).unwrap();
    let prober = Prober::with(house.paths().clone(), house.clock().clone(), peers);
    let check = Check { contract: Some(contract), timeout: Some(Period::secs(10)), ..Check::default() };
    let answer = prober.ask(&check).await;
    (answer.finding, answer.detail)
}

#[tokio::test]
async fn the_router_returns_hosts_or_has_failed() {
    let device = "[device.xbox]\nmac = [\"60:45:bd:12:34:56\"]\ntier = \"gaming\"\n";
    let house = House::new(&CATALOGUE).config(device).start().await;
    let (is, detail) = ask(&house, Contract::Router).await;
    assert_eq!(is, Pass, "{detail}");
    house.stop().await;
    let house = House::new(&CATALOGUE).config("").start().await;
    let (is, detail) = ask(&house, Contract::Router).await;
    assert_eq!((is, detail.as_str()), (Fail, "the router knows no host"));
    house.stop().await;
}

#[tokio::test]
async fn a_model_yields_a_token_or_has_failed() {
    let (dear, local) = (Provider::start(), Provider::start());
    let config = format!(
        "[proxy.provider.dear]\nkind = \"openai\"\nbase-url = \"{}/v1\"\nauth = \"none\"\n\
         [proxy.provider.here]\nkind = \"openai\"\nbase-url = \"{}/v1\"\nauth = \"none\"\nlocality = \"local\"\n\
         [proxy.model.large]\nprovider = \"dear\"\nprice = {{ input = 1.0, output = 5.0 }}\n\
         [proxy.model.small]\nprovider = \"here\"\n",
        dear.url(),
        local.url()
    );
    let house = House::new(&CATALOGUE).config(&config).start().await;
    let (is, detail) = ask(&house, Contract::Model).await;
    assert_eq!(is, Pass, "{detail}");
    assert!(detail.starts_with("`small` said"), "the one that costs nothing is asked: {detail}");
    local.always("*", Reply::fault("503"));
    let (is, detail) = ask(&house, Contract::Model).await;
    assert_eq!(is, Fail, "{detail}");
    house.stop().await;
    let house = House::new(&CATALOGUE).config("").start().await;
    let (is, detail) = ask(&house, Contract::Model).await;
    assert_eq!(is, Unknown, "nothing is there that could be asked: {detail}");
    house.stop().await;
}

#[tokio::test]
async fn a_notification_makes_the_round_trip_and_counts_against_nobody() {
    let config = "[notify]\nper-hour = 3\n[notify.trouble]\ndisk = 100\n";
    let house = House::new(&CATALOGUE).config(config).start().await;
    // One that was cut off has left its banner behind.
    let left = json!({ "source": "canary", "severity": "info", "title": "t", "message": "m", "labels": { "canary": "x" },
        "force_channels": ["dashboard"], "dedup_key": "canary-x" });
    assert_eq!(house.send("notify", "POST", "/notify", &left).await.0, 202);
    for round in 0..6 {
        let (is, detail) = ask(&house, Contract::Notification).await;
        assert_eq!(is, Pass, "round {round}: {detail}");
    }
    let (_, banners) = house.get("notify", "/banners").await;
    assert_eq!(banners, Value::Array(Vec::new()), "nothing of it is left for people to see");
    let real = json!({ "source": "backup", "severity": "warn", "title": "t", "message": "m", "force_channels": ["dashboard"] });
    let (_, accepted) = house.send("notify", "POST", "/notify", &real).await;
    assert_eq!(accepted["rate_limited"], json!(false), "{accepted}");
    house.stop().await;
}
