//! A house with a real supervisor over the plans of a test, and a healer in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sanctum_api::notify::{Accepted, Notice};
use sanctum_api::supervise::{Client, Phase, ServiceState};
use sanctum_http::{Json, Op, Routes, State, serve};
use sanctum_kernel::inventory::Item;
use sanctum_kernel::inventory::check::Check;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{
    Call, Catalogue, Context, Entry, Failure, Inventory, Listen, Right, Service, Spec, Stop, Tier, Trace,
};
use sanctum_proxy::Proxy;
use sanctum_store::Db;
use sanctum_supervise::{Plan, Supervise};
use sanctum_testkit::{House, Stopped, eventually};
use sanctum_watch::engine::{Acted, Action};
use sanctum_watch::heal::{By, Cause, Config, Evidence, Healer, Order, schema};

pub(crate) const SOON: Duration = Duration::from_secs(20);

static PLANS: Mutex<BTreeMap<PathBuf, Vec<Plan>>> = Mutex::new(BTreeMap::new());
static TOLD: Mutex<BTreeMap<PathBuf, Vec<Notice>>> = Mutex::new(BTreeMap::new());
static SHARED: Mutex<BTreeMap<PathBuf, Shared>> = Mutex::new(BTreeMap::new());

pub(crate) static CATALOGUE: Catalogue = const {
    Catalogue::new(
        const { &[Entry::of::<Hub>(), Entry::of::<Keep>(), Entry::of::<Proxy>(), Entry::of::<Sick>()] },
    )
};

#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
pub(crate) struct Nothing {}

/// The real supervisor over the plans of the test whose home this is.
struct Keep(Supervise);

impl Service for Keep {
    const SPEC: Spec = sanctum_supervise::SPEC;
    type Config = sanctum_supervise::Config;

    async fn build(cx: Context<Self::Config>) -> Result<Self, Failure> {
        let plans = PLANS.lock().unwrap().get(cx.shared.paths.home()).cloned().unwrap_or_default();
        Supervise::over(cx, plans).map(Self)
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        self.0.run(stop).await
    }
}

/// The hub's door, and a book.
struct Hub(Context<Nothing>);

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

/// Whoever has the rights of the watch, and hands them to the test.
struct Sick(Context<Nothing>);

impl Service for Sick {
    const SPEC: Spec = Spec {
        name: "watch",
        house_name: "Living Force",
        calls: &[
            Call { to: "supervise", right: Right::Act },
            Call { to: "notify", right: Right::Act },
            Call { to: "proxy", right: Right::Act },
        ],
        ..Spec::DEFAULT
    };
    type Config = Nothing;

    async fn build(cx: Context<Nothing>) -> Result<Self, Failure> {
        SHARED.lock().unwrap().insert(cx.shared.paths.home().to_owned(), cx.shared.clone());
        Ok(Self(cx))
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        self.0.latch.release();
        stop.requested().await;
        Ok(())
    }
}

/// Waits that suit a test.
const QUICK: &str = "[supervise]\nstart-timeout = \"20s\"\nhealth-every = \"100ms\"\n\
    [supervise.backoff]\nfirst = \"1ms\"\nmax = \"2ms\"\n";

/// A house with a healer.
pub(crate) struct Ward {
    pub(crate) house: House,
    pub(crate) healer: Arc<Healer>,
    pub(crate) shared: Shared,
    pub(crate) inventory: Arc<Inventory>,
}

/// A house that is not up yet.
pub(crate) fn home() -> Stopped {
    House::new(&CATALOGUE)
}

pub(crate) fn config() -> Config {
    Config { restart_within: sanctum_kernel::Period::secs(15), ..Config::default() }
}

/// Starts it with these plans and services.
pub(crate) async fn open(house: Stopped, plans: Vec<Plan>, items: Vec<Item>, more: &str) -> Ward {
    let home = house.home().to_owned();
    PLANS.lock().unwrap().insert(home.clone(), plans);
    let house = house.config(&format!("{QUICK}{more}")).start().await;
    let shared = SHARED.lock().unwrap().get(&home).unwrap().clone();
    let inventory = Arc::new(Inventory(items));
    let healer = Arc::new(healer(&shared, &inventory, config()));
    healer.prepare().unwrap();
    Ward { house, healer, shared, inventory }
}

pub(crate) fn healer(shared: &Shared, inventory: &Arc<Inventory>, config: Config) -> Healer {
    Healer::new(shared, config, Arc::clone(inventory), database(shared))
}

pub(crate) fn database(shared: &Shared) -> Db {
    Db::open(&shared.paths.state().join("heal.db"), &[schema::MIGRATION]).unwrap()
}

/// A foreign service that the supervisor runs.
pub(crate) fn item(name: &str, requires: &[&str]) -> Item {
    Item {
        name: name.to_owned(),
        house_name: name.to_owned(),
        summary: String::new(),
        ours: false,
        plane: sanctum_kernel::inventory::Plane::Host,
        kind: sanctum_kernel::inventory::Kind::Continuous,
        tier: Tier::Ordinary,
        address: None,
        port: None,
        requires: requires.iter().map(|&name| name.to_owned()).collect(),
        wants: Vec::new(),
        after: Vec::new(),
        supervised: true,
        check: BTreeMap::new(),
        heal: vec!["restart".to_owned()],
        does: None,
    }
}

/// The same with one check.
pub(crate) fn checked(name: &str, requires: &[&str], check: Check) -> Item {
    Item { check: BTreeMap::from([("it".to_owned(), check)]), ..item(name, requires) }
}

/// A shell that does this.
pub(crate) fn sh(name: &str, script: &str) -> Plan {
    let args = vec!["-c".into(), script.into()];
    Plan { args, grace: Duration::from_millis(500), ..Plan::new(name, "/bin/sh") }
}

/// A program in perl; its death is that of the whole.
pub(crate) fn perl(name: &str, script: &str, arguments: &[&str]) -> Plan {
    let mut args = vec!["-e".into(), script.into()];
    args.extend(arguments.iter().map(Into::into));
    Plan { args, grace: Duration::from_millis(500), ..Plan::new(name, "/usr/bin/perl") }
}

/// Listens on the port of its argument; ends with 1 where that is taken.
pub(crate) const LISTENER: &str = "use IO::Socket::INET; $| = 1; \
    my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], ReuseAddr => 1) \
    or do { print \"bind: Address already in use\\n\"; exit 1 }; print \"listens\\n\"; while (1) { $s->accept }";

pub(crate) fn evidence(kind: &str, detail: &str) -> Vec<Evidence> {
    vec![Evidence { check: "it".to_owned(), kind: kind.to_owned(), detail: detail.to_owned() }]
}

impl Ward {
    pub(crate) fn home(&self) -> &Path {
        self.house.home()
    }

    pub(crate) fn supervise(&self) -> Client {
        Client::new(self.house.transport("supervise"))
    }

    pub(crate) async fn when(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&ServiceState) -> bool,
    ) -> ServiceState {
        let client = self.supervise();
        eventually(what, SOON, async || client.service(name).await.ok().filter(|state| wanted(state))).await
    }

    pub(crate) async fn phase(&self, name: &str, phase: Phase) -> ServiceState {
        self.when(name, &format!("`{name}` to be {}", phase.word()), |state| state.phase == phase).await
    }

    pub(crate) fn told(&self) -> Vec<Notice> {
        TOLD.lock().unwrap().get(self.home()).cloned().unwrap_or_default()
    }

    #[expect(clippy::unused_self, reason = "a test reads better for it")]
    pub(crate) fn order(&self, service: Option<&str>, recipe: &str, evidence: Vec<Evidence>) -> Order {
        Order {
            incident: Some(7),
            service: service.map(str::to_owned),
            action: Action::Recipe(recipe.to_owned()),
            cause: Cause::Checks,
            evidence,
            by: By::House,
        }
    }

    pub(crate) async fn act(&self, service: Option<&str>, recipe: &str, evidence: Vec<Evidence>) -> Acted {
        self.healer.act(self.order(service, recipe, evidence)).await
    }

    /// First it rehearses and changes nothing, then it acts; returns both sentences.
    pub(crate) async fn act_twice(
        &self,
        service: Option<&str>,
        recipe: &str,
        evidence: Vec<Evidence>,
    ) -> (String, String) {
        let first = match self.act(service, recipe, evidence.clone()).await {
            Acted::Rehearsed(words) => words,
            other => panic!("{recipe} should rehearse first: {other:?}"),
        };
        match self.act(service, recipe, evidence).await {
            Acted::Done(words) => (first, words),
            other => panic!("{recipe} should act now: {other:?}"),
        }
    }

    /// The newest line of the audit with this outcome.
    pub(crate) async fn newest(&self, outcome: &str) -> sanctum_api::watch::Audit {
        let audit = self.healer.audit(1).await.unwrap();
        audit
            .into_iter()
            .find(|line| line.outcome == outcome)
            .unwrap_or_else(|| panic!("no line `{outcome}`"))
    }

    /// A script of the owner's.
    pub(crate) fn script(&self, name: &str, text: &str) {
        let path = self.home().join("recipes/scripts").join(name);
        sanctum_kernel::files::replace(&path, text.as_bytes(), 0o700).unwrap();
    }

    /// A recipe of the owner's.
    pub(crate) fn recipe(&self, name: &str, text: &str) {
        let path = self.home().join("recipes").join(format!("{name}.toml"));
        sanctum_kernel::files::replace(&path, text.as_bytes(), 0o600).unwrap();
        assert_eq!(self.healer.reread(), Vec::<String>::new());
    }
}

/// A process that ends with the test.
pub(crate) struct Stray(pub(crate) std::process::Child);

impl Stray {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn start(command: &mut std::process::Command) -> Self {
        use std::os::unix::process::CommandExt;
        Self(command.process_group(0).stdout(std::process::Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn lives(&self) -> bool {
        sanctum_kernel::process::born(self.pid()).is_some()
    }
}

impl Drop for Stray {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let status = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.unwrap().success());
}

/// What was refused, and why.
#[track_caller]
pub(crate) fn refused(acted: Acted) -> String {
    match acted {
        Acted::Refused(why) => why,
        other => panic!("it should be refused: {other:?}"),
    }
}
