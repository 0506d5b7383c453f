//! The service around the door.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sanctum_http::{Manner, serve_with};
use sanctum_kernel::service::Complaint;
use sanctum_kernel::spec::{Call, Listen};
use sanctum_kernel::{
    Chain, Context, Failure, House, Latch, OnError, Probe, Right, Service, Spec, Status, Stop, Tier,
};
use sanctum_store::Db;

use crate::budget::Ledger;
use crate::config::Config;
use crate::gate::{Gate, Resident};
use crate::intent::{Prompt, classify};
use crate::keys::{Keys, SCHEMA};
use crate::stages::recall::{OUTBOX, Outbox};
use crate::surface::{Front, routes};
use crate::usage::{Log, Parts};
use crate::watch;

/// The model router.
#[derive(Debug)]
pub struct Proxy {
    door: Arc<ArcSwap<Gate>>,
    listener: TcpListener,
    latch: Latch,
}

/// A stream may be this long, also when the house is reloaded under it.
const LONGEST_STREAM: Duration = Duration::from_hours(1);
/// SDKs keep idle connections for a minute; who closes first loses a request.
const IDLE: Duration = Duration::from_secs(75);
/// Agents open many connections, and many streams are open at once.
const CONNECTIONS: usize = 4096;

impl Service for Proxy {
    const SPEC: Spec = Spec {
        name: "proxy",
        house_name: "Sanctum Proxy",
        aliases: &["sanctum-proxy", "proxyd"],
        summary: "model router: one door for every model request, with the caps and the privacy promises kept at it",
        listen: &[Listen {
            name: "http",
            port: 4040,
            lore: "not found elsewhere, and ten times over: a 404 that answers",
        }],
        probe: Probe::Http { listen: "http", path: "/health", expect: "\"service\":\"proxy\"" },
        calls: &[Call { to: "notify", right: Right::Act }],
        tier: Tier::Important,
        linger: LONGEST_STREAM,
        ..Spec::DEFAULT
    };
    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        config.complaints()
    }

    /// A new configuration holds from the next request on; no connection is touched.
    fn revises(_: &Config, _: &Config) -> bool {
        true
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let Context { config, house, shared, latch, .. } = cx;
        // The lists of words are read here, so that the first request does not wait for them.
        classify(&Prompt::default());
        let state = shared.paths.state().join("proxy");
        let zone = house.house.timezone.tz();
        let ledger = Ledger::open(&state, shared.clock.clone(), zone.clone(), config.caps())
            .map_err(crate::budget::LedgerError::hinted)?;
        let parts = Parts {
            dir: shared.paths.logs().join("proxy"),
            clock: shared.clock.clone(),
            zone,
            ledger: ledger.clone(),
            config: config.usage.clone(),
            well: shared.well.clone(),
        };
        let log = Log::open(parts).map_err(crate::usage::LogError::hinted)?;
        let db = Db::open(&state.join("proxy.db"), &[SCHEMA, OUTBOX])?;
        let keys = Keys::open(db.clone(), shared.clock.clone()).await?;
        let resident = Arc::new(Resident::new(shared, ledger, log, keys, Outbox::new(db)));
        let gate = Gate::new(config, resident, None)?;
        watch::health(&gate);
        Ok(Self { door: Arc::new(ArcSwap::from_pointee(gate)), listener, latch })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { door, listener, latch } = self;
        let house = Arc::clone(&door.load().house);
        let tasks = &house.shared.tasks;
        tasks.spawn("watch", OnError::Stop, |stop| watch::run(Arc::clone(&door), stop));
        let memory = Arc::clone(&door);
        tasks.spawn("tell memory", OnError::Log, |stop| {
            house.outbox.clone().run(move || Arc::clone(&memory.load().stages.recall), stop)
        });
        tasks.spawn("revise", OnError::Stop, |stop| revise(Arc::clone(&door), stop));
        tasks.spawn("keys", OnError::Log, |stop| house.keys.clone().keep(stop));
        let app = routes(&door);
        let patience = door.load().config.patience.0;
        latch.release();
        let manner = Manner {
            connections: CONNECTIONS,
            head: IDLE,
            finish: LONGEST_STREAM,
            half_close: false,
            patience: Some(patience),
        };
        serve_with(listener, Front(door), app, manner, stop).await?;
        Ok(())
    }
}

/// Takes over new configurations: requests that are under way keep theirs.
async fn revise(door: Arc<ArcSwap<Gate>>, stop: Stop) -> Result<(), Failure> {
    let house = Arc::clone(&door.load().house);
    let mut revisions = house.shared.revised.follow();
    while let Some(config) = stop.or(revisions.next::<Config>()).await {
        let caps = config.caps();
        match Gate::new((*config).clone(), Arc::clone(&house), Some(&door.load())) {
            Ok(gate) => {
                house.ledger.set_caps(caps);
                house.shared.well.clear("revision");
                watch::health(&gate);
                door.store(Arc::new(gate));
                tracing::info!("routes by the new configuration");
            }
            Err(error) => {
                let why = Chain(&*error).to_string();
                tracing::error!(error = why, "the new configuration cannot be routed by: the old one stays");
                let hint = "mend `[proxy]` in sanctum.toml";
                house.shared.well.set_hint("revision", Status::Degraded, why, hint);
            }
        }
    }
    Ok(())
}
