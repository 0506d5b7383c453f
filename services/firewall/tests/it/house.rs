//! A house with the firewall and a hub that accepts everything, and words for what tests do with it.

use std::time::Duration;

use sanctum_api::firewall::{Client, Device, Happening};
use sanctum_firewall::Firewall;
use sanctum_kernel::{Catalogue, Clock, Context, Entry, Failure, Listen, Service, Spec, Stop};
use sanctum_testkit::{House, Stopped, eventually};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) static CATALOGUE: Catalogue =
    const { Catalogue::new(const { &[Entry::of::<Firewall>(), Entry::of::<Hub>()] }) };

pub(crate) const XBOX: &str = "60:45:bd:12:34:56";
pub(crate) const TABLET: &str = "f0:18:98:00:00:01";
pub(crate) const STRANGER: &str = "de:ad:be:00:00:47";
/// 02:47 in Paris on a winter night.
pub(crate) const NIGHT: &str = "2026-11-21T01:47:00Z";
/// Wake-up, eight hours and a quarter later.
pub(crate) const MORNING: &str = "2026-11-21T09:00:00Z";

const DEVICES: &str = r#"
[person.ava]
role = "child"
[device.xbox]
name = "Ava's Xbox"
mac = ["60:45:bd:12:34:56", "60:45:bd:12:34:57"]
owner = "ava"
tier = "gaming"
[device.tablet]
mac = ["f0:18:98:00:00:01"]
tier = "personal"
"#;

/// A stand-in for the notification hub.
pub(crate) struct Hub(std::net::TcpListener);

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HubConfig {}

impl Service for Hub {
    const SPEC: Spec = Spec {
        name: "notify",
        listen: &[Listen { name: "http", port: 4077, lore: "a stand-in" }],
        ..Spec::DEFAULT
    };
    type Config = HubConfig;

    async fn build(mut cx: Context<HubConfig>) -> Result<Self, Failure> {
        Ok(Self(cx.listener("http")?))
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        stop.requested().await;
        drop(self.0);
        Ok(())
    }
}

pub(crate) fn made(config: &str) -> Stopped {
    let text = format!("{DEVICES}\n[firewall]\naway = \"50ms\"\n{config}");
    House::new(&CATALOGUE).config(&text).clock(Clock::starting_at(NIGHT.parse().unwrap()))
}

pub(crate) async fn started(config: &str) -> House {
    made(config).start().await
}

pub(crate) fn client(house: &House) -> Client {
    Client::new(house.transport("firewall"))
}

pub(crate) async fn simulate(house: &House, what: Value) -> Value {
    let (status, answer) = house.send("firewall", "POST", "/simulate", &what).await;
    assert_eq!(status, 200, "{what}: {answer}");
    answer
}

pub(crate) async fn join(house: &House, mac: &str) {
    simulate(house, json!({ "join": { "mac": mac } })).await;
}

pub(crate) async fn fault(house: &House, fault: &str, on: bool) {
    simulate(house, json!({ "fault": { "fault": fault, "on": on } })).await;
}

/// Sends packets; how many passed and how many were dropped.
pub(crate) async fn packets(house: &House, mac: &str) -> (u64, u64) {
    let answer = simulate(house, json!({ "send": { "mac": mac, "up": 3, "down": 2 } })).await;
    (answer["passed"].as_u64().unwrap(), answer["dropped"].as_u64().unwrap())
}

pub(crate) async fn desire(
    house: &House,
    version: u64,
    blocks: Value,
    newcomers: &str,
    until: Option<&str>,
) -> (u16, Value) {
    let body =
        json!({ "version": version, "blocks": blocks, "newcomers": newcomers, "newcomers_until": until });
    house.send("firewall", "PUT", "/desired", &body).await
}

pub(crate) fn curfew() -> Value {
    json!({ "scope": "all", "reason": "curfew", "until": MORNING })
}

pub(crate) async fn device(house: &House, id: &str) -> Device {
    client(house).device(id).await.unwrap()
}

/// Waits until the device looks as it should.
pub(crate) async fn until(house: &House, id: &str, what: &str, right: impl Fn(&Device) -> bool) -> Device {
    eventually(what, Duration::from_secs(10), async || {
        client(house).device(id).await.ok().filter(|device| right(device))
    })
    .await
}

/// Follows the events; `next` waits for one of a kind.
pub(crate) struct Heard(sanctum_api::Events);

impl Heard {
    pub(crate) async fn from_now(house: &House) -> Self {
        Self(client(house).events(None).await.unwrap())
    }

    pub(crate) async fn next(&mut self, kind: &str) -> Happening {
        let wait = async {
            loop {
                let event = std::future::poll_fn(|cx| self.0.as_mut().poll_next(cx)).await.unwrap().unwrap();
                if event.kind == kind {
                    return serde_json::from_str(&event.data).unwrap();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .unwrap_or_else(|_| panic!("no `{kind}` came"))
    }

    /// Everything until `kind` comes.
    pub(crate) async fn all_until(&mut self, kind: &str) -> Vec<Happening> {
        let wait = async {
            let mut all = Vec::new();
            loop {
                let event = std::future::poll_fn(|cx| self.0.as_mut().poll_next(cx)).await.unwrap().unwrap();
                let last = event.kind == kind;
                all.push(serde_json::from_str(&event.data).unwrap());
                if last {
                    return all;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .unwrap_or_else(|_| panic!("no `{kind}` came"))
    }
}
