//! Stub services named `firewall` and `notify`: real HTTP, the agreed shapes, and sins on demand.
//!
//! What a stub holds outlives the house it runs in, as the state of a real one does: it is found by the home's path.

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use sanctum_api::Problem;
use sanctum_api::firewall::{Desired, Device, Happening, Newcomers, Resembles, Router, Scope};
use sanctum_api::notify::{Accepted, Notice};
use sanctum_http::{
    Feed, HeaderMap, Json, LastEventId, Op, Path as Id, Refusal, Response, Routes, State, events, serve,
};
use sanctum_kernel::service::Shared;
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{
    Catalogue, Context, Entry, Failure, Latch, Listen, Probe, Service, Spec, Stop, Tier, Trace,
};
use sanctum_screen::Screen;

pub(crate) static CATALOGUE: Catalogue = const {
    Catalogue::new(const { &[Entry::of::<Firewall>(), Entry::of::<Notify>(), Entry::of::<Screen>()] })
};

/// How the firewall misbehaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sin {
    #[default]
    None,
    /// Every answer is a 503.
    Down,
    /// It says it took the state, and shows the old one.
    Lies,
    /// Somebody else writes between our look and our write, so many times.
    Conflicts(u32),
    /// It answers after this.
    Slow(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Wall {
    pub(crate) desired: Desired,
    pub(crate) devices: BTreeMap<String, Device>,
    pub(crate) puts: u32,
    pub(crate) sin: Sin,
    /// A device that is refused because it is not known any more.
    pub(crate) forgotten: Option<&'static str>,
    /// The name of a service that means nothing to the router.
    pub(crate) nameless: Option<&'static str>,
    /// A person has switched enforcement off.
    pub(crate) off: bool,
    /// What the devices show only when one has been asked for so many times more.
    pub(crate) late: Option<(u32, Resembles)>,
    pub(crate) feed: Option<Feed>,
}

#[derive(Debug, Default)]
pub(crate) struct Hub {
    pub(crate) down: bool,
    /// Each accepted notice with its key and the trace of the request.
    pub(crate) notices: Vec<(Notice, String, TraceId)>,
}

type Shelf<T> = LazyLock<Mutex<HashMap<PathBuf, Arc<Mutex<T>>>>>;

static WALLS: Shelf<Wall> = LazyLock::new(Mutex::default);
static HUBS: Shelf<Hub> = LazyLock::new(Mutex::default);

fn shelved<T: Default>(shelf: &Shelf<T>, home: &Path) -> Arc<Mutex<T>> {
    shelf.lock().unwrap().entry(home.to_owned()).or_default().clone()
}

/// What the firewall stub of this home holds.
pub(crate) fn wall(home: &Path) -> Arc<Mutex<Wall>> {
    shelved(&WALLS, home)
}

/// What the notify stub of this home has taken.
pub(crate) fn hub(home: &Path) -> Arc<Mutex<Hub>> {
    shelved(&HUBS, home)
}

/// Declares a stub service: its spec, and a router over its state.
macro_rules! stub {
    ($service:ident, $name:literal, $house:literal, $port:literal, $state:ty, $shelf:ident, $router:ident) => {
        pub(crate) struct $service {
            shared: Shared,
            listener: TcpListener,
            latch: Latch,
        }

        impl Service for $service {
            const SPEC: Spec = Spec {
                name: $name,
                house_name: $house,
                summary: "a stub",
                listen: &[Listen { name: "http", port: $port, lore: "a stub needs no joke" }],
                probe: Probe::Http { listen: "http", path: "/health", expect: $name },
                tier: Tier::Critical,
                ..Spec::DEFAULT
            };
            type Config = Empty;

            async fn build(mut cx: Context<Empty>) -> Result<Self, Failure> {
                let listener = cx.listener("http")?;
                Ok(Self { shared: cx.shared, listener, latch: cx.latch })
            }

            async fn run(self, stop: Stop) -> Result<(), Failure> {
                let state: Arc<Mutex<$state>> = $shelf(self.shared.paths.home());
                let app = $router(&Self::SPEC, &self.shared, state);
                self.latch.release();
                Ok(serve(self.listener, app, stop).await?)
            }
        }
    };
}

#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

stub!(Firewall, "firewall", "a wall", 1984, Wall, wall, firewall);
stub!(Notify, "notify", "a hub", 4077, Hub, hub, notify);

struct Standing<T> {
    state: Arc<Mutex<T>>,
    shared: Shared,
}

impl<T> Clone for Standing<T> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), shared: self.shared.clone() }
    }
}

fn firewall(spec: &'static Spec, shared: &Shared, state: Arc<Mutex<Wall>>) -> sanctum_http::axum::Router {
    state.lock().unwrap().feed = Some(Feed::new(&shared.clock));
    Routes::new(spec, shared)
        .on(Op::get("/desired", ""), desired)
        .on(Op::put("/desired", ""), put_desired)
        .on(Op::get("/devices", ""), devices)
        .on(Op::get("/devices/{id}", ""), device)
        .on(Op::get("/router", ""), router)
        .on(Op::get("/events", "").stream(), happenings)
        .finish(Standing { state, shared: shared.clone() })
}

async fn behave(wall: &Standing<Wall>) -> Result<(), Refusal> {
    let sin = wall.state.lock().unwrap().sin;
    match sin {
        Sin::Down => Err(Refusal(Problem::new(503, "down", "it is down"))),
        Sin::Slow(pause) => {
            tokio::time::sleep(pause).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn desired(State(wall): State<Standing<Wall>>) -> Result<Json<Desired>, Refusal> {
    behave(&wall).await?;
    Ok(Json(wall.state.lock().unwrap().desired.clone()))
}

async fn put_desired(
    State(wall): State<Standing<Wall>>,
    Json(new): Json<Desired>,
) -> Result<Json<Desired>, Refusal> {
    behave(&wall).await?;
    let mut wall = wall.state.lock().unwrap();
    if let Sin::Conflicts(left) = wall.sin {
        wall.desired.version += 1;
        wall.sin = if left > 1 { Sin::Conflicts(left - 1) } else { Sin::None };
    }
    if new.version != wall.desired.version + 1 {
        return Err(Problem::conflict("somebody else was faster").into());
    }
    if let Some(id) = wall.forgotten.filter(|id| new.blocks.contains_key(*id)) {
        return Err(Problem::field(format!("blocks.{id}"), id, "a device").into());
    }
    for (id, block) in &new.blocks {
        let names = if let Scope::Services(names) = &block.scope { names.as_slice() } else { &[] };
        if let Some(name) = names.iter().find(|name| wall.nameless == Some(name)) {
            let problem = Problem::field(format!("blocks.{id}.scope.services"), name, "youtube, netflix");
            return Err(problem.hint("its domains go into `[firewall.services]`").into());
        }
    }
    wall.puts += 1;
    if wall.sin != Sin::Lies {
        wall.desired = new.clone();
    }
    Ok(Json(new))
}

async fn devices(State(wall): State<Standing<Wall>>) -> Result<Json<Vec<Device>>, Refusal> {
    behave(&wall).await?;
    Ok(Json(wall.state.lock().unwrap().devices.values().cloned().collect()))
}

async fn device(State(wall): State<Standing<Wall>>, Id(id): Id<String>) -> Result<Json<Device>, Refusal> {
    behave(&wall).await?;
    let mut wall = wall.state.lock().unwrap();
    match wall.late.take() {
        Some((0, like)) => {
            if let Some(device) = wall.devices.get_mut(&id) {
                device.resembles = Some(like);
            }
        }
        late => wall.late = late.map(|(left, like)| (left - 1, like)),
    }
    let found = wall.devices.get(&id).cloned();
    found.map(Json).ok_or_else(|| Refusal(Problem::not_found("device", id)))
}

async fn router(State(wall): State<Standing<Wall>>) -> Result<Json<Router>, Refusal> {
    behave(&wall).await?;
    let wall = wall.state.lock().unwrap();
    Ok(Json(Router {
        backend: "stub".to_owned(),
        can: Vec::new(),
        cannot: Vec::new(),
        off: wall.off,
        newcomers: wall.desired.newcomers,
        intended: 0,
        observed: None,
        drift: None,
    }))
}

async fn happenings(
    State(wall): State<Standing<Wall>>,
    LastEventId(last): LastEventId,
) -> Result<Response, Refusal> {
    behave(&wall).await?;
    let feed = wall.state.lock().unwrap().feed.clone().unwrap();
    Ok(events(feed.follow(last.as_deref()), wall.shared.tasks.stop()))
}

fn notify(spec: &'static Spec, shared: &Shared, state: Arc<Mutex<Hub>>) -> sanctum_http::axum::Router {
    Routes::new(spec, shared)
        .on(Op::post("/notify", ""), accept)
        .finish(Standing { state, shared: shared.clone() })
}

async fn accept(
    State(hub): State<Standing<Hub>>,
    headers: HeaderMap,
    Json(notice): Json<Notice>,
) -> Result<Json<Accepted>, Refusal> {
    let mut hub = hub.state.lock().unwrap();
    if hub.down {
        return Err(Problem::new(503, "down", "it is down").into());
    }
    let key = headers.get("idempotency-key").unwrap().to_str().unwrap().to_owned();
    let trace_id = Trace::current().id();
    let known = hub.notices.iter().position(|(_, known, _)| *known == key);
    let at = known.unwrap_or_else(|| {
        hub.notices.push((notice, key, trace_id));
        hub.notices.len() - 1
    });
    Ok(Json(Accepted {
        id: i64::try_from(at).unwrap() + 1,
        status: "accepted".to_owned(),
        channels: Vec::new(),
        deduplicated: known.is_some(),
        rate_limited: false,
        quiet_hours: false,
        trace_id,
    }))
}

impl Wall {
    pub(crate) fn say(&self, happening: &Happening) {
        self.feed.as_ref().unwrap().publish(happening.kind.word(), happening);
    }

    pub(crate) fn closed_to_newcomers(&self) -> bool {
        self.desired.newcomers == Newcomers::Block
    }
}
