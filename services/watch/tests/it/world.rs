//! A house with the watch, the real hub, and a stand-in for the supervisor; and services that do as a test says.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sanctum_api::Problem;
use sanctum_api::notify::{Client as Notify, Notification};
use sanctum_api::supervise::ServiceState;
use sanctum_api::watch::{Client, Incident, Node, State as Health};
use sanctum_http::{
    Feed, Json, LastEventId, Op, Path as Of, Refusal, Response, Routes, State, events, serve,
};
use sanctum_kernel::{
    Call, Catalogue, Complaint, Context, Entry, Failure, House as Family, Listen, Probe, Right, Service,
    Spec, Stop,
};
use sanctum_testkit::{House, Stopped, eventually};
use sanctum_watch::{Config, SPEC, Watch};
use serde_json::{Value, json};

/// Long enough for a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) static CATALOGUE: Catalogue = const {
    Catalogue::new(
        const { &[Entry::of::<sanctum_notify::Notify>(), Entry::of::<Keeper>(), Entry::of::<Eye>()] },
    )
};

/// The real watch, in a house without a firewall or a proxy.
struct Eye(Watch);

impl Service for Eye {
    const SPEC: Spec = Spec {
        calls: &[Call { to: "supervise", right: Right::Act }, Call { to: "notify", right: Right::Act }],
        ..SPEC
    };
    type Config = Config;

    fn check(config: &Config, house: &Family) -> Vec<Complaint> {
        Watch::check(config, house)
    }

    fn revises(old: &Config, new: &Config) -> bool {
        Watch::revises(old, new)
    }

    async fn build(cx: Context<Config>) -> Result<Self, Failure> {
        Watch::build(cx).await.map(Self)
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        self.0.run(stop).await
    }
}

/// How a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// 503.
    Sick,
    /// It takes connections and says nothing.
    Hung,
    /// Nothing listens.
    Gone,
}

/// A web service on a port of its own.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    delay: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Target {
    pub(crate) fn new(mood: Mood) -> Arc<Self> {
        Self::at([127, 0, 0, 1].into(), mood)
    }

    /// On another address of this machine.
    pub(crate) fn at(ip: std::net::IpAddr, mood: Mood) -> Arc<Self> {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let mood = Arc::new(Mutex::new(mood));
        let target = Arc::new(Self { addr, mood, delay: Arc::default(), ended: Arc::default() });
        let (mood, delay, ended) = (target.mood.clone(), target.delay.clone(), target.ended.clone());
        std::thread::spawn(move || serve_as(addr, Some(listener), (&mood, &delay), &ended));
        target
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// From now on it takes this long to answer.
    pub(crate) fn delay(&self, by: Duration) {
        self.delay.store(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

fn serve_as(
    addr: SocketAddr,
    mut listener: Option<TcpListener>,
    (mood, delay): (&Mutex<Mood>, &AtomicU64),
    ended: &AtomicBool,
) {
    let mut held: Vec<TcpStream> = Vec::new();
    while !ended.load(Ordering::SeqCst) {
        let now = *mood.lock().unwrap();
        if now == Mood::Gone {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(addr).ok();
        }
        if now != Mood::Hung {
            held.clear();
        }
        let accepted = listener.as_ref().and_then(|listener| {
            listener.set_nonblocking(true).unwrap();
            listener.accept().ok()
        });
        match accepted {
            Some((stream, _)) if now == Mood::Hung => held.push(stream),
            Some((stream, _)) => {
                std::thread::park_timeout(Duration::from_millis(delay.load(Ordering::SeqCst)));
                answer(stream, now);
            }
            None => std::thread::park_timeout(Duration::from_millis(2)),
        }
    }
}

fn answer(mut stream: TcpStream, mood: Mood) {
    stream.set_nonblocking(false).ok();
    stream.set_read_timeout(Some(Duration::from_millis(500))).ok();
    let mut head = [0; 1024];
    if stream.read(&mut head).is_err() {
        return;
    }
    let says: &[u8] = if mood == Mood::Well {
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
    } else {
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\nconnection: close\r\n\r\nsick"
    };
    stream.write_all(says).ok();
}

/// What the stand-in keeps, by service.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) states: BTreeMap<String, Value>,
    /// A restart sets this right, at the so-manieth.
    mends: BTreeMap<String, (Arc<Target>, u32)>,
    /// Every order, in order: `restart c`.
    pub(crate) orders: Vec<String>,
    feed: Option<Feed>,
}

static KEPT: Mutex<BTreeMap<PathBuf, Arc<Mutex<Kept>>>> = Mutex::new(BTreeMap::new());

pub(crate) fn kept(home: &Path) -> Arc<Mutex<Kept>> {
    KEPT.lock().unwrap().entry(home.to_owned()).or_default().clone()
}

/// Something about a service at the supervisor changes.
pub(crate) fn change(home: &Path, name: &str, fields: Value) {
    let kept = kept(home);
    let mut kept = kept.lock().unwrap();
    let state = kept.states.entry(name.to_owned()).or_insert_with(|| fresh(name));
    for (field, value) in fields.as_object().unwrap() {
        state[field] = value.clone();
    }
    let state = state.clone();
    if let Some(feed) = &kept.feed {
        feed.publish("service", &state);
    }
}

/// A restart of the service puts the target right, at the so-manieth.
pub(crate) fn mend(home: &Path, name: &str, target: &Arc<Target>, at: u32) {
    kept(home).lock().unwrap().mends.insert(name.to_owned(), (target.clone(), at));
}

pub(crate) fn orders(home: &Path) -> Vec<String> {
    kept(home).lock().unwrap().orders.clone()
}

fn fresh(name: &str) -> Value {
    json!({
        "name": name, "house_name": name, "summary": "", "phase": "ready", "pid": 100, "since": "2026-11-22T00:00:00Z",
        "restarts": 0, "live": true, "ready": true, "needs": []
    })
}

/// The supervisor's door, and a book.
struct Keeper(Context<Nothing>);

#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

type Book = Arc<(Arc<Mutex<Kept>>, PathBuf, Stop)>;

impl Service for Keeper {
    const SPEC: Spec = Spec {
        name: "supervise",
        house_name: "Castellan",
        listen: &[Listen { name: "http", port: 2189, lore: "a stand-in" }],
        probe: Probe::Http { listen: "http", path: "/health", expect: "" },
        ..Spec::DEFAULT
    };
    type Config = Nothing;

    async fn build(cx: Context<Nothing>) -> Result<Self, Failure> {
        Ok(Self(cx))
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self(mut cx) = self;
        let listener = cx.listener("http")?;
        let home = cx.shared.paths.home().to_owned();
        let kept = kept(&home);
        {
            let mut kept = kept.lock().unwrap();
            kept.feed = Some(Feed::new(&cx.shared.clock));
            for name in ["notify", "watch"].into_iter().chain(cx.house.service.keys().map(String::as_str)) {
                kept.states.entry(name.to_owned()).or_insert_with(|| fresh(name));
            }
        }
        let book: Book = Arc::new((kept, home, cx.shared.tasks.stop()));
        let app = Routes::new(cx.spec, &cx.shared)
            .on(Op::get("/services", "Every service"), async |State(book): State<Book>| {
                Json(book.0.lock().unwrap().states.values().cloned().collect::<Vec<_>>())
            })
            .on(Op::get("/services/{name}", "One service"), one)
            .on(Op::post("/services/{name}/{verb}", "Do it"), act)
            .on(Op::get("/events", "Every change").stream(), follow)
            .finish(book);
        cx.latch.release();
        Ok(serve(listener, app, stop).await?)
    }
}

async fn one(State(book): State<Book>, Of(name): Of<String>) -> Result<Json<ServiceState>, Refusal> {
    let state = book.0.lock().unwrap().states.get(&name).cloned();
    state
        .map(|state| Json(serde_json::from_value(state).unwrap()))
        .ok_or_else(|| Problem::not_found("service", name).into())
}

async fn act(
    State(book): State<Book>,
    Of((name, verb)): Of<(String, String)>,
) -> Result<Json<ServiceState>, Refusal> {
    if verb == "told" {
        claimed(&book, &name);
    } else if let Some(pid) = ordered(&book, &name, &verb) {
        change(&book.1, &name, json!({ "pid": pid + 1, "phase": "ready", "locked": null }));
    }
    one(State(book), Of(name)).await
}

/// Whoever was first tells people of a lock.
fn claimed(book: &Book, name: &str) {
    let locked = book.0.lock().unwrap().states.get(name).map(|state| state["locked"].clone());
    if let Some(mut locked) = locked.filter(|locked| locked.is_object() && locked["told"].is_null()) {
        locked["told"] = json!("watch");
        change(&book.1, name, json!({ "locked": locked }));
    }
}

/// Writes it down and does it; the process there was before, unless the service falls again at once.
fn ordered(book: &Book, name: &str, verb: &str) -> Option<u64> {
    let mut kept = book.0.lock().unwrap();
    let order = format!("{verb} {name}");
    kept.orders.push(order.clone());
    let times = kept.orders.iter().filter(|one| **one == order).count();
    let mends = kept.mends.get(name).filter(|(_, at)| times >= *at as usize);
    if let Some((target, _)) = mends {
        target.set(Mood::Well);
    }
    let mends = mends.is_some();
    let state = kept.states.get_mut(name)?;
    if state["phase"] == "locked" && !mends {
        state["locked"]["at"] = json!("2026-11-22T00:00:01Z");
        return None;
    }
    Some(state["pid"].as_u64().unwrap_or(100))
}

async fn follow(State(book): State<Book>, LastEventId(last): LastEventId) -> Response {
    let feed = book.0.lock().unwrap().feed.clone().unwrap();
    events(feed.follow(last.as_deref()), book.2.clone())
}

/// Times that suit a test.
pub(crate) const QUICK: &str = "
[notify]
per-hour = 0
[notify.trouble]
disk = 100
[notify.quiet]
from = \"00:00\"
until = \"00:00\"
[watch]
start-within = \"300ms\"
[watch.confirm]
settle = \"200ms\"
recovery-grace = \"1s\"
linger = \"300ms\"
drift-patience = \"1s\"
[watch.ladder]
patience = \"100ms\"
verify-within = \"2s\"
backoff = \"100ms\"
backoff-max = \"200ms\"
[watch.cadence]
critical = \"500ms\"
important = \"500ms\"
ordinary = \"500ms\"
[watch.sentinel]
certificate-age.off = true
backup-age.off = true
clock-skew.off = true
disk-health.off = true
secret-drift.off = true
listening-ports.off = true
container-restarts.off = true
log-growth.off = true
wan.off = true
power.off = true
";

/// The section of one service that is watched at `url`.
pub(crate) fn declared(name: &str, requires: &[&str], url: &str, more: &str) -> String {
    let requires: Vec<String> = requires.iter().map(|name| format!("\"{name}\"")).collect();
    format!(
        "[service.{name}]\nsummary = \"of a test\"\ncriticality = \"important\"\nrequires = [{}]\nheal = [\"restart\"]\n\
         run = {{ command = [\"/bin/true\"] }}\n\
         check.web = {{ http = {{ url = \"{url}\" }}, every = \"200ms\", timeout = \"500ms\", fails = 2, passes = 1 }}\n{more}\n",
        requires.join(", ")
    )
}

pub(crate) fn new(services: &str) -> Stopped {
    House::new(&CATALOGUE).config(&format!("{QUICK}\n{services}"))
}

pub(crate) fn client(house: &House) -> Client {
    Client::new(house.transport("watch"))
}

/// The service once it is as wanted.
pub(crate) async fn when(house: &House, name: &str, what: &str, wanted: impl Fn(&Node) -> bool) -> Node {
    let client = client(house);
    eventually(what, SOON, async || {
        client.body().await.ok()?.nodes.into_iter().find(|node| node.name == name && wanted(node))
    })
    .await
}

pub(crate) async fn is(house: &House, name: &str, state: Health) -> Node {
    when(house, name, &format!("`{name}` to be {}", state.word()), |node| node.state == state).await
}

/// Every service is seen to be well.
pub(crate) async fn all_well(house: &House) {
    let client = client(house);
    let last = Mutex::new(String::new());
    let looked = tokio::time::timeout(SOON, async {
        loop {
            let body = client.body().await.unwrap();
            if body.nodes.iter().all(|node| node.state == Health::Healthy) {
                return;
            }
            *last.lock().unwrap() = format!(
                "{:?}",
                body.nodes.iter().map(|node| (&node.name, node.state, &node.detail)).collect::<Vec<_>>()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let looked = looked.await;
    assert!(looked.is_ok(), "not all are well: {}", last.lock().unwrap());
}

/// The incident of a root once it is as wanted, with its timeline.
pub(crate) async fn incident(
    house: &House,
    root: &str,
    what: &str,
    wanted: impl Fn(&Incident) -> bool,
) -> Incident {
    let client = client(house);
    let found = eventually(what, SOON, async || {
        client.incidents(1).await.ok()?.into_iter().find(|one| one.root == root && wanted(one))
    })
    .await;
    client.incident(found.id).await.unwrap()
}

/// Everything the watch said to the hub, the oldest first.
pub(crate) async fn told(house: &House) -> Vec<Notification> {
    let page = Notify::new(house.transport("notify")).history("source=watch&limit=100").await.unwrap();
    let mut told = page.notifications;
    told.sort_by_key(|one| one.id);
    told
}

/// What was said that calls somebody: no resolution, no update of what is shown.
pub(crate) fn calls(told: &[Notification]) -> Vec<&Notification> {
    told.iter().filter(|one| !one.notice.resolved && one.notice.force_channels.is_empty()).collect()
}

/// Waits until so many were said in all.
pub(crate) async fn said(
    house: &House,
    what: &str,
    wanted: impl Fn(&[Notification]) -> bool,
) -> Vec<Notification> {
    eventually(what, SOON, async || Some(told(house).await).filter(|told| wanted(told))).await
}
