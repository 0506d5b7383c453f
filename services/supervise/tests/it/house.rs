//! A house that keeps the plans of a test, with a hub that writes down what it is told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sanctum_api::notify::{Accepted, Notice};
use sanctum_api::supervise::{Client, Phase, ServiceState};
use sanctum_http::{Json, Op, Routes, State, serve};
use sanctum_kernel::{Catalogue, Context, Entry, Failure, Listen, Paths, Service, Spec, Stop, Trace};
use sanctum_supervise::{Check, Config, Plan, SPEC, Supervise};
use sanctum_testkit::{House, Stopped, eventually};

pub(crate) const SOON: Duration = Duration::from_secs(15);

static PLANS: Mutex<BTreeMap<PathBuf, Vec<Plan>>> = Mutex::new(BTreeMap::new());
static TOLD: Mutex<BTreeMap<PathBuf, Vec<Notice>>> = Mutex::new(BTreeMap::new());

pub(crate) static CATALOGUE: Catalogue =
    const { Catalogue::new(const { &[Entry::of::<Hub>(), Entry::of::<Keep>()] }) };

/// The real supervisor over the plans of the test whose home this is.
struct Keep(Supervise);

impl Service for Keep {
    const SPEC: Spec = SPEC;
    type Config = Config;

    fn revises(old: &Config, new: &Config) -> bool {
        Supervise::revises(old, new)
    }

    async fn build(cx: Context<Config>) -> Result<Self, Failure> {
        let plans = PLANS.lock().unwrap().get(cx.shared.paths.home()).cloned().unwrap_or_default();
        let memory = crate::seats::memory(cx.shared.paths.home());
        Supervise::over_memory(cx, plans, memory).map(Self)
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        self.0.run(stop).await
    }
}

/// The hub's door, and a book.
struct Hub(Context<Nothing>);

#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

impl Service for Hub {
    const SPEC: Spec = Spec {
        name: "notify",
        house_name: "Force Flow",
        listen: &[Listen { name: "http", port: 4077, lore: "a stand-in" }],
        ..Spec::DEFAULT
    };
    type Config = Nothing;

    async fn build(cx: Context<Nothing>) -> Result<Self, Failure> {
        Ok(Self(cx))
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self(mut cx) = self;
        let listener = cx.listener("http")?;
        let home = Arc::new(cx.shared.paths.home().to_owned());
        let app =
            Routes::new(cx.spec, &cx.shared).on(Op::post("/notify", "Takes note"), take_note).finish(home);
        cx.latch.release();
        Ok(serve(listener, app, stop).await?)
    }
}

async fn take_note(State(home): State<Arc<PathBuf>>, Json(notice): Json<Notice>) -> Json<Accepted> {
    TOLD.lock().unwrap().entry((*home).clone()).or_default().push(notice);
    Json(Accepted {
        id: 1,
        status: "accepted".to_owned(),
        channels: Vec::new(),
        deduplicated: false,
        rate_limited: false,
        quiet_hours: false,
        trace_id: Trace::current().id(),
    })
}

pub(crate) fn told(home: &Path) -> Vec<Notice> {
    TOLD.lock().unwrap().get(home).cloned().unwrap_or_default()
}

/// The child with these sins.
pub(crate) fn sinner(name: &str, sins: &[&str]) -> Plan {
    Plan {
        args: sins.iter().map(Into::into).collect(),
        grace: Duration::from_secs(5),
        ..Plan::new(name, env!("CARGO_BIN_EXE_misbehave"))
    }
}

/// The same, ready when it answers on a free port.
pub(crate) fn listener(name: &str, sins: &[&str], needs: &[&str]) -> Plan {
    let addr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut plan = sinner(name, sins);
    plan.args.extend(["--listen".into(), addr.to_string().into()]);
    plan.needs = needs.iter().map(|&need| need.to_owned()).collect();
    plan.ready = Check::Http { addr, path: "/ready".to_owned(), expect: String::new() };
    plan
}

/// Waits that suit a test.
pub(crate) const QUICK: &str = "[supervise]\nstart-timeout = \"20s\"\nhealth-every = \"100ms\"\n\
    [supervise.backoff]\nfirst = \"1ms\"\nmax = \"2ms\"\n";

pub(crate) fn new(plans: Vec<Plan>) -> Stopped {
    let house = House::new(&CATALOGUE).config(QUICK);
    PLANS.lock().unwrap().insert(house.home().to_owned(), plans);
    house
}

pub(crate) async fn start(plans: Vec<Plan>) -> House {
    new(plans).start().await
}

pub(crate) fn client(house: &House) -> Client {
    Client::new(house.transport("supervise"))
}

/// A section `[service.NAME]` for the child with these sins; `more` are further lines of it.
pub(crate) fn declared(name: &str, sins: &[&str], more: &str) -> String {
    let me = [env!("CARGO_BIN_EXE_misbehave")].into_iter().chain(sins.iter().copied());
    let words: Vec<String> = me.map(|word| format!("{word:?}")).collect();
    format!("[service.{name}]\nrun.command = [{}]\n{more}\n", words.join(", "))
}

/// The same for a script of the shell.
pub(crate) fn script(name: &str, script: &str, more: &str) -> String {
    format!("[service.{name}]\nrun.command = [\"/bin/sh\", \"-c\", '''{script}''']\n{more}\n")
}

/// A house of what the file declares.
pub(crate) async fn of(services: &[String]) -> House {
    new(Vec::new()).config(&file(services)).start().await
}

pub(crate) fn file(services: &[String]) -> String {
    format!("{QUICK}\n{}", services.concat())
}

/// Where a line of the supervisor's own stands in a log: when it was written.
pub(crate) fn stamps(paths: &Paths, name: &str, what: &str) -> Vec<String> {
    let log = log(paths, name);
    let lines = log.lines().filter(|line| line.contains(what));
    lines.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect()
}

/// The state of a service once it is as wanted.
pub(crate) async fn when(
    house: &House,
    name: &str,
    what: &str,
    wanted: impl Fn(&ServiceState) -> bool,
) -> ServiceState {
    let client = client(house);
    eventually(what, SOON, async || client.service(name).await.ok().filter(|state| wanted(state))).await
}

pub(crate) async fn phase(house: &House, name: &str, phase: Phase) -> ServiceState {
    when(house, name, &format!("`{name}` to be {}", phase.word()), |state| state.phase == phase).await
}

/// What the log of a service holds now.
pub(crate) fn log(paths: &Paths, name: &str) -> String {
    std::fs::read_to_string(paths.logs().join(format!("{name}.log"))).unwrap_or_default()
}

/// Waits until the log of a service says something so often: lines are on their way while other things are seen already.
pub(crate) async fn written(paths: &Paths, name: &str, what: &str, times: usize) {
    let said = async || (log(paths, name).matches(what).count() >= times).then_some(());
    eventually(&format!("`{what}` in the log of `{name}`, {times} times"), SOON, said).await;
}

/// How often a service began; `expected` at least.
pub(crate) async fn runs_logged(paths: &Paths, name: &str, expected: usize) -> usize {
    written(paths, name, "--- started", expected).await;
    log(paths, name).matches("--- started").count()
}

/// The grandchild that a child announced.
pub(crate) async fn grandchild(paths: &Paths, name: &str) -> u32 {
    eventually("a grandchild", SOON, async || {
        let log = log(paths, name);
        log.split_once("grandchild ")?.1.lines().next()?.trim().parse().ok()
    })
    .await
}

/// Whether a process runs; one that is dead but not waited for does not.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub(crate) async fn gone(pid: u32) {
    eventually("a process to be gone", SOON, async || (!runs(pid)).then_some(())).await;
}
