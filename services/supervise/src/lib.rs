//! Castellan: starts the house in the order of its needs, keeps it up, and ends it.

mod board;
mod child;
mod config;
mod engine;
mod failures;
mod jobs;
mod keeper;
mod kept;
mod lock;
mod locks;
mod log;
mod order;
mod pids;
mod pipe;
mod plan;
mod probe;
mod process;
mod seats;
mod succeed;
mod surface;
mod tell;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

pub use config::{Backoff, Breaker, Config, Log};
pub use lock::{Holder, holder, refusal};
pub use order::OrderError;
pub use pids::{Identity, end_survivors, remembered, survivors};
pub use plan::{Check, Plan};
use sanctum_http::{Feed, axum::Router};
use sanctum_kernel::service::{Complaint, Shared};
use sanctum_kernel::stop::{self, Stopper};
use sanctum_kernel::{
    Call, Context, Failure, House, Latch, Listen, OnError, Probe, Right, Service, Spec, Stop, Tier,
};
pub use seats::{Memory, Room};

use board::Board;
use keeper::{Keeper, Ours, Over};
use seats::Seats;
use surface::Surface;

/// What the outside world knows of the supervisor; for others that keep plans of their own.
pub const SPEC: Spec = Spec {
    name: "supervise",
    house_name: "Castellan",
    aliases: &["castellan"],
    summary: "keeps every service of the house running",
    listen: &[Listen {
        name: "http",
        port: 2189,
        lore: "two doors down from cell 2187, where the keeper of the keys lives",
    }],
    probe: Probe::Http { listen: "http", path: "/health", expect: "\"status\":\"well\"" },
    calls: &[Call { to: "notify", right: Right::Act }],
    // A new device must not restart every process.
    reads_house: false,
    reads_services: true,
    beats: true,
    tier: Tier::Critical,
    // Longer than the longest chain of services that each take their whole grace to end.
    grace: Duration::from_mins(1),
    ..Spec::DEFAULT
};

/// The supervisor, built.
pub struct Supervise {
    keeper: Keeper,
    shared: Shared,
    latch: Latch,
    listener: TcpListener,
    app: Router,
    surface: Arc<Surface>,
    connections: (Stopper, Stop),
}

impl Service for Supervise {
    const SPEC: Spec = SPEC;
    type Config = Config;

    fn check(config: &Config, house: &House) -> Vec<Complaint> {
        config.complaints(house)
    }

    /// Everything: what is new is started, what is gone is stopped, and nobody else notices.
    fn revises(_: &Config, _: &Config) -> bool {
        true
    }

    async fn build(cx: Context<Config>) -> Result<Self, Failure> {
        let (catalogue, peers) = (cx.catalogue, cx.shared.peers.clone());
        let ours = move |config: &Config| plan::of_catalogue(catalogue, &peers, &config.disabled);
        Self::keeping(cx, Box::new(ours), Seats::system())
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { keeper, shared, latch, listener, app, surface, connections: (stopper, connections) } =
            self;
        // Taken here and not while building: a reload builds the next one while this one still runs.
        let lock = lock::HouseLock::take(&shared.paths, &shared.clock).await?;
        latch.release();
        shared.tasks.spawn("seats", OnError::Log, |stop| async move {
            surface.unload_idle(stop).await;
            Ok(())
        });
        // Whoever asked for the end may watch it: connections outlast the services.
        let kept = async {
            let outcome = Box::pin(keeper.run(stop)).await;
            stopper.request();
            outcome
        };
        let (kept, served) = tokio::join!(kept, sanctum_http::serve(listener, app, connections));
        if matches!(kept, Ok(Over::Yielded)) {
            // Returns only if the newer program cannot be run: then this process ends, and whoever keeps it starts it.
            return Err(succeed::by_the_newer().into());
        }
        drop(lock);
        kept.and_then(|_| served.map_err(Failure::from))
    }
}

impl Supervise {
    /// A supervisor of these plans instead of a catalogue's, and of what the file declares.
    ///
    /// # Errors
    /// Names that are used twice or unknown, circles; a state that cannot be read.
    pub fn over(cx: Context<Config>, plans: Vec<Plan>) -> Result<Self, Failure> {
        Self::over_memory(cx, plans, Seats::system())
    }

    /// The same, where somebody else says how much memory there is.
    ///
    /// # Errors
    /// As above.
    pub fn over_memory(
        cx: Context<Config>,
        plans: Vec<Plan>,
        memory: Arc<dyn Memory>,
    ) -> Result<Self, Failure> {
        Self::keeping(cx, Box::new(move |_| Ok(plans.clone())), memory)
    }

    fn keeping(mut cx: Context<Config>, ours: Ours, memory: Arc<dyn Memory>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let Context { config, house, shared, latch, spec, catalogue, .. } = cx;
        let seats = Seats::new(&config.seats, memory);
        let board = Board::new(Feed::new(&shared.clock));
        let (mut keeper, wishes) = Keeper::new(ours, config, house, shared.clone(), board.clone())?;
        keeper.answer_for(catalogue);
        let connections = stop::channel();
        let surface = Arc::new(Surface {
            board,
            wishes,
            stop: connections.1.clone(),
            tasks: shared.tasks.clone(),
            seats,
        });
        let app = surface::routes(spec, &shared, Arc::clone(&surface));
        Ok(Self { keeper, shared, latch, listener, app, surface, connections })
    }
}
