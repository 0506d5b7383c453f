//! F1 and F2: SIGKILL at any instant loses nothing that was accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use sanctum_http::{Outbound, Outgoing};
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Paths, files};
use sanctum_testkit::apart::{self, Apart};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::house::{CATALOGUE, PATIENCE};
use crate::peers::hook::{Hook, Mood};

/// Hubs that are killed side by side, and how often each: a thousand kills in all.
const LANES: u32 = 2;
const ROUNDS: u32 = 500;

/// The service itself, when this binary is run again as the child; nothing otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    apart::serve(&CATALOGUE, &[]).await;
}

struct Hub {
    home: tempfile::TempDir,
    port: u16,
    child: Option<Apart>,
}

impl Hub {
    fn new(hook: &Hook) -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = sanctum_testkit::port();
        let config = format!(
            "[listen]\nnotify = \"127.0.0.1:{port}\"\n[notify]\nper-hour = 0\n[notify.roles]\nphone = [\"hook\"]\n\
             [notify.channel.webhook.hook]\nurl = \"{}\"\n[notify.delivery]\nfirst-wait = \"50ms\"\nbreaker-open = \"100ms\"\ndeadline = \"1s\"\n",
            hook.url()
        );
        files::replace(&home.path().join("sanctum.toml"), config.as_bytes(), 0o600).unwrap();
        Self { home, port, child: None }
    }

    async fn start(&mut self) {
        self.child = Some(Apart::begin("crash::child", self.home.path()));
        sanctum_testkit::eventually("the child to be ready", PATIENCE, async || {
            let ask = self.outgoing("GET", "/ready", Vec::new(), "");
            Outbound::default().send(ask).await.is_ok_and(|answer| answer.is_success()).then_some(())
        })
        .await;
    }

    fn kill(&mut self) {
        self.child = None;
    }

    fn token(&self) -> String {
        read_token(&Paths::new(self.home.path()), "cli", "notify").unwrap().expose_secret().to_owned()
    }

    fn outgoing(&self, method: &'static str, path: &str, body: Vec<u8>, token: &str) -> Outgoing {
        let headers =
            [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Outgoing {
            method,
            url: format!("http://127.0.0.1:{}{path}", self.port),
            headers,
            body,
            timeout: Duration::from_secs(10),
        }
    }

    /// Four clients post until the child is killed after `length`; what was accepted, by title.
    async fn load(&mut self, length: Duration, round: u32) -> BTreeMap<String, i64> {
        let token = self.token();
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..4 {
            let blank = self.outgoing("POST", "/notify", Vec::new(), &token);
            clients.spawn(async move {
                let outbound = Outbound::default();
                let mut accepted = BTreeMap::new();
                for number in 0.. {
                    let title = format!("{round}-{client}-{number}");
                    let body =
                        json!({ "source": "crash", "severity": "error", "title": title, "message": "m" });
                    let outgoing = Outgoing { body: serde_json::to_vec(&body).unwrap(), ..blank.clone() };
                    match outbound.send(outgoing).await {
                        Ok(answer) if answer.status == 202 => {
                            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
                            accepted.insert(title, answer["id"].as_i64().unwrap());
                        }
                        _ => break,
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                accepted
            });
        }
        tokio::time::sleep(length).await;
        self.kill();
        clients.join_all().await.into_iter().flatten().collect()
    }

    /// Every notification there is, by number.
    async fn titles(&self) -> BTreeMap<i64, String> {
        let mut titles = BTreeMap::new();
        let mut path = "/history?source=crash&limit=500".to_owned();
        loop {
            let page = self.get(&path).await;
            for life in page["notifications"].as_array().unwrap() {
                titles.insert(
                    life["id"].as_i64().unwrap(),
                    life["notice"]["title"].as_str().unwrap().to_owned(),
                );
            }
            let Some(next) = page["next"].as_str() else { return titles };
            path = format!("/history?source=crash&limit=500&cursor={next}");
        }
    }

    async fn get(&self, path: &str) -> Value {
        let answer =
            Outbound::default().send(self.outgoing("GET", path, Vec::new(), &self.token())).await.unwrap();
        serde_json::from_slice(&answer.body).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_accepted_is_durable() {
    let mut lanes = tokio::task::JoinSet::new();
    (0..LANES).for_each(|_| drop(lanes.spawn(killed_over_and_over())));
    lanes.join_all().await;
}

/// One hub on one disk, killed at a random instant of each of its short lives, most of them within the first requests:
/// before a row is written, between the rows, between commit and answer, or while it delivers.
async fn killed_over_and_over() {
    let hook = Hook::open().await;
    let mut hub = Hub::new(&hook);
    let mut accepted = BTreeMap::new();
    for round in 0..ROUNDS {
        hub.start().await;
        let [low, high] = sanctum_kernel::trace::random::<2>();
        let life = Duration::from_micros(u64::from(u16::from_le_bytes([low, high])) / 2);
        accepted.extend(hub.load(life, round).await);
    }
    hub.start().await;
    assert!(accepted.len() > 100, "there was a load: {}", accepted.len());
    let ids: BTreeSet<i64> = accepted.values().copied().collect();
    assert_eq!(ids.len(), accepted.len(), "no number is given twice");
    let kept = hub.titles().await;
    for (title, id) in &accepted {
        assert_eq!(kept.get(id), Some(title), "{id} was accepted");
    }
    arrived(&hook, accepted.keys()).await;
}

/// Waits until every title has arrived; returns how often one came again.
async fn arrived(hook: &Hook, titles: impl Iterator<Item = &String> + Clone) -> usize {
    sanctum_testkit::eventually("every accepted one to arrive", PATIENCE, async || {
        let seen: BTreeSet<String> =
            hook.got().iter().map(|got| got.json()["title"].as_str().unwrap().to_owned()).collect();
        titles.clone().all(|title| seen.contains(title)).then_some(())
    })
    .await;
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    let mut again = 0;
    for got in hook.got() {
        let (title, key) = (got.json()["title"].as_str().unwrap().to_owned(), got.header("idempotency-key"));
        if let Some(before) = keys.insert(title, key.clone()) {
            assert_eq!(before, key, "what comes twice has the same key");
            again += 1;
        }
    }
    again
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_at_least_once_and_known_again_by_its_key() {
    let hook = Hook::open().await;
    let mut hub = Hub::new(&hook);
    let mut accepted = BTreeMap::new();
    let moods = [
        Mood::Status(500),
        Mood::Cuts,
        Mood::Hangs,
        Mood::Well,
        Mood::Says(200, vec![], "{\"ok\":false}".to_owned()),
        Mood::Status(503),
    ];
    for (round, mood) in (0..).zip(moods) {
        hook.mood(mood);
        hub.start().await;
        accepted.extend(hub.load(Duration::from_millis(150), round).await);
    }
    // A body that says it failed was taken by the peer all the same: it counts what it answered, not what it meant.
    hook.mood(Mood::Well);
    hub.start().await;
    arrived(&hook, accepted.keys()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_what_was_accepted_while_the_receiver_was_dead_arrives_once() {
    let hook = Hook::open().await;
    hook.mood(Mood::Status(503));
    let mut hub = Hub::new(&hook);
    hub.start().await;
    let accepted = hub.load(Duration::from_millis(400), 0).await;
    hook.mood(Mood::Well);
    hub.start().await;
    assert!(!accepted.is_empty());
    assert_eq!(arrived(&hook, accepted.keys()).await, 0, "the receiver had taken none of them before");
    assert!(Path::new(hub.home.path()).join("state/notify.db").exists());
}
