//! W10: SIGKILL at any instant neither repeats nor forgets; and a house in a process of its own, for whoever stops it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sanctum_api::notify::{Client as Notify, Notification};
use sanctum_api::watch::{Body, Client, Incident, Stage, State, Transition};
use sanctum_http::transport;
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Paths, Peer, files};
use sanctum_testkit::apart::{self, Apart};
use sanctum_testkit::eventually;

use crate::world::{CATALOGUE, Mood, QUICK, SOON, Target, calls, declared};

/// The house itself, when this binary is run again as the child; nothing otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    apart::serve(&CATALOGUE, &[]).await;
}

/// A house in a process of its own.
pub(crate) struct House {
    home: tempfile::TempDir,
    ports: [u16; 3],
    child: Option<Apart>,
}

impl House {
    pub(crate) fn new(services: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let sockets = [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = sockets.map(|socket| socket.local_addr().unwrap().port());
        let [notify, supervise, watch] = ports;
        let config = format!(
            "[listen]\nnotify = \"127.0.0.1:{notify}\"\nsupervise = \"127.0.0.1:{supervise}\"\nwatch = \"127.0.0.1:{watch}\"\n\
             {QUICK}\n{services}"
        );
        files::replace(&home.path().join("sanctum.toml"), config.as_bytes(), 0o600).unwrap();
        Self { home, ports, child: None }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn begin(&mut self) {
        self.child = Some(Apart::begin("crash::child", self.home.path()));
    }

    pub(crate) async fn start(&mut self) {
        self.begin();
        eventually("the house to answer", SOON, async || self.body().await.map(drop)).await;
    }

    pub(crate) fn kill(&mut self) {
        self.child = None;
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn peer(&self, name: &str, port: u16) -> Option<Peer> {
        let token = read_token(&Paths::new(self.home.path()), "cli", name).ok()?;
        Some(Peer { name: name.to_owned(), addr: format!("127.0.0.1:{port}").parse().unwrap(), token })
    }

    pub(crate) fn watch(&self) -> Option<Client> {
        Some(Client::new(transport(self.peer("watch", self.ports[2])?)))
    }

    pub(crate) async fn body(&self) -> Option<Body> {
        self.watch()?.body().await.ok()
    }

    pub(crate) async fn told(&self) -> Option<Vec<Notification>> {
        let hub = Notify::new(transport(self.peer("notify", self.ports[0])?));
        let mut told = hub.history("source=watch&limit=100").await.ok()?.notifications;
        told.sort_by_key(|one| one.id);
        Some(told)
    }

    pub(crate) async fn is(&self, name: &str, state: State) {
        eventually(&format!("`{name}` to be {}", state.word()), SOON, async || {
            self.body().await?.nodes.into_iter().find(|node| node.name == name && node.state == state)
        })
        .await;
    }

    async fn incident(&self, what: &str, wanted: impl Fn(&Incident) -> bool) -> Incident {
        let found = eventually(what, SOON, async || {
            self.watch()?.incidents(1).await.ok()?.into_iter().find(|one| wanted(one))
        })
        .await;
        self.watch().unwrap().incident(found.id).await.unwrap()
    }

    async fn transitions(&self) -> Vec<Transition> {
        eventually("the log", SOON, async || self.watch()?.transitions(1, None).await.ok()).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w10_a_killed_watch_neither_repeats_nor_forgets() {
    let target = Target::new(Mood::Well);
    let mut house = House::new(&declared("app", &[], &target.url(), ""));
    house.start().await;
    house.is("app", State::Healthy).await;
    target.set(Mood::Sick);
    let before = house.incident("a person to be asked", |one| one.stage == Stage::Escalated).await;
    eventually("the call", SOON, async || house.told().await.filter(|told| calls(told).len() == 1)).await;
    for _ in 0..3 {
        house.kill();
        house.start().await;
        house.is("app", State::Blocked).await;
    }
    // Whatever a new watch would say it has said by now: a whole confirmation, and a whole ladder.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let after = house.incident("the same incident", |one| one.id == before.id).await;
    assert_eq!((after.began, after.detected, after.stage), (before.began, before.detected, Stage::Escalated));
    assert_eq!(after.timeline[..before.timeline.len()], before.timeline[..]);
    assert_eq!(house.watch().unwrap().incidents(1).await.unwrap().len(), 1);
    let told = house.told().await.unwrap();
    assert_eq!(calls(&told).len(), 1, "{told:?}");
    target.set(Mood::Well);
    house.incident("it to be over", |one| one.id == before.id && one.stage == Stage::Resolved).await;
    let told = eventually("its end", SOON, async || {
        house.told().await.filter(|told| told.iter().any(|one| one.notice.resolved))
    })
    .await;
    assert_eq!(calls(&told).len(), 1, "{told:?}");
    house.kill();
}

/// Killed at random instants while services come and go: what was in the log stays, as it was, and the chain of each service's
/// states has no hole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w10_the_log_of_transitions_survives_sigkill() {
    let targets = [Target::new(Mood::Well), Target::new(Mood::Well)];
    let services: String = targets
        .iter()
        .zip(["one", "two"])
        .map(|(target, name)| declared(name, &[], &target.url(), ""))
        .collect();
    let mut house = House::new(&services);
    house.start().await;
    let mut seen: Vec<Transition> = Vec::new();
    for round in 0..12_u8 {
        let mood = if round % 2 == 0 { Mood::Sick } else { Mood::Well };
        for target in &targets {
            target.set(mood);
        }
        let [random] = sanctum_kernel::trace::random::<1>();
        let until = tokio::time::Instant::now() + Duration::from_millis(200 + u64::from(random) * 6);
        while tokio::time::Instant::now() < until {
            if let Some(client) = house.watch()
                && let Ok(log) = client.transitions(1, None).await
            {
                seen = log;
            }
        }
        house.kill();
        house.start().await;
        let log = house.transitions().await;
        assert_eq!(log[..seen.len()], seen[..], "what was seen in the log is there, unchanged");
    }
    let log = house.transitions().await;
    assert!(log.len() >= 4, "there was something to lose: {log:?}");
    for name in ["one", "two"] {
        let own: Vec<_> = log.iter().filter(|turn| turn.service == name).collect();
        for pair in own.windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "no turn is missing between two: {own:?}");
        }
    }
    house.kill();
}
