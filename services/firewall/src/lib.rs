//! firewall: who is on the network, who is cut off, and the proof of it, whatever router the house has.

mod api;
pub mod backend;
mod config;
mod dhcp;
mod dns;
mod engine;
mod identity;
mod ledger;
mod mdns;
mod meters;
mod plan;
mod record;
mod services;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::Arc;

use sanctum_api::firewall::Desired;
use sanctum_http::Feed;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{
    Call, Chain, Complaint, Context, Failure, House, Latch, Listen, Mac, OnError, Probe, Right, Service,
    Spec, Stop, Tier, Trace,
};
use sanctum_store::StoreError;
use tokio::sync::mpsc;

use crate::api::Surface;
use crate::backend::{Backend, Kind, Signal};
use crate::engine::{Core, Engine, Loop, Setup};
use crate::ledger::Ledger;
use crate::meters::Meters;
use crate::services::Services;

pub use crate::config::Config;

/// Signs of life that may wait; the router is asked again if there are more.
const SIGNALS: usize = 1024;
/// How soon the watch begins anew after it broke.
const WATCH_AGAIN: std::time::Duration = std::time::Duration::from_secs(2);

/// The service.
pub struct Firewall {
    config: Config,
    shared: Shared,
    latch: Latch,
    listener: TcpListener,
    feed: Feed,
    ledger: Ledger,
    backend: Arc<dyn Backend>,
    engine: Engine,
    core: Loop,
    signals: mpsc::Sender<Signal>,
    house: Arc<House>,
}

impl Service for Firewall {
    const SPEC: Spec = Spec {
        name: "firewall",
        house_name: "sanctum-firewalla",
        aliases: &["sanctum-firewalla", "firewalla"],
        summary: "bridge to the router: who is on the network, who is cut off, and the proof of it",
        listen: &[Listen {
            name: "http",
            port: 1984,
            lore: "somebody is watching the network, and for once it is you",
        }],
        probe: Probe::Http { listen: "http", path: "/health", expect: "\"status\":\"well\"" },
        calls: &[Call { to: "notify", right: Right::Act }],
        tier: Tier::Critical,
        ..Spec::DEFAULT
    };
    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        config.complaints()
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let backend = cx.config.kinds().open(cx.config.backend, Services::with(&cx.config.services))?;
        let ledger = Ledger::open(&cx.shared.paths).map_err(StoreError::hinted)?;
        let feed = Feed::new(&cx.shared.clock);
        let setup = Setup {
            config: cx.config.clone(),
            backend: Arc::clone(&backend),
            ledger: ledger.clone(),
            feed: feed.clone(),
            shared: cx.shared.clone(),
            meters: Meters::register(&cx.shared.metrics),
            records: BTreeMap::new(),
            desired: Desired::default(),
            zone: cx.house.house.timezone.tz(),
        };
        let (signals, told) = mpsc::channel(SIGNALS);
        let (engine, core) = Engine::new(Core::new(setup), told);
        let (config, shared, latch) = (cx.config, cx.shared, cx.latch);
        Ok(Self {
            config,
            shared,
            latch,
            listener,
            feed,
            ledger,
            backend,
            engine,
            core,
            signals,
            house: cx.house,
        })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { config, shared, latch, listener, feed, ledger, backend, engine, mut core, signals, house } =
            self;
        let (kept, desired) = ledger.load().await?;
        core.take_over(record::seed(kept, &house), desired);
        shared.tasks.spawn("engine", OnError::Stop, |stop| async move {
            core.run(stop).await;
            Ok(())
        });
        watch(&shared, &backend, &engine, signals);
        keep_time(&shared, &engine, &config, &ledger, latch);
        let canary_visible = config.canary_visible.0;
        let surface = Surface { engine, feed, ledger, backend, canary_visible, stop: stop.clone() };
        let app = api::routes(surface, &shared, config.backend == Kind::simulated);
        sanctum_http::serve(listener, app, stop).await?;
        Ok(())
    }
}

/// Follows the router; whenever the watch (re)starts, whoever is there is seen, and who left in between has left: its
/// next arrival is one.
fn watch(shared: &Shared, backend: &Arc<dyn Backend>, engine: &Engine, signals: mpsc::Sender<Signal>) {
    let (backend, engine) = (Arc::clone(backend), engine.clone());
    shared.tasks.spawn("watch", OnError::Log, |stop| async move {
        while !stop.is_requested() {
            // The watch begins before the look, so that nobody slips in between.
            let watching = backend.watch(signals.clone(), stop.clone());
            match backend.devices().await {
                Ok(here) => {
                    let macs: BTreeSet<Mac> = here.iter().map(|seen| seen.mac).collect();
                    let view = engine.view();
                    let online = view.devices.iter().filter(|device| device.online);
                    let away = online.flat_map(|device| &device.macs).filter(|mac| !macs.contains(*mac));
                    let away = away.map(|mac| Signal::Gone(*mac));
                    for signal in here.into_iter().map(Signal::Seen).chain(away) {
                        if signals.send(signal).await.is_err() {}
                    }
                }
                Err(error) => tracing::warn!(error = %Chain(&error), "the router did not say who is there"),
            }
            if let Err(error) = watching.await {
                tracing::warn!(error = %Chain(&error), "the watch over arrivals broke and begins anew");
            }
            stop.or(tokio::time::sleep(WATCH_AGAIN)).await;
        }
        Ok(())
    });
}

/// Rounds by the clock and by nudges, the canary, and what has to be forgotten.
fn keep_time(shared: &Shared, engine: &Engine, config: &Config, ledger: &Ledger, latch: Latch) {
    let (period, rounds) = (config.reconcile.0, engine.clone());
    let mut latch = Some(latch);
    shared.tasks.spawn("reconcile", OnError::Stop, |stop| async move {
        let nudge = rounds.nudge().clone();
        sanctum_kernel::reconcile::reconcile(&stop, period, &nudge, || {
            let (engine, latch) = (rounds.clone(), latch.take());
            async move {
                let done = engine
                    .ask(|core| {
                        Box::pin(async move {
                            let _: () = core.round().await;
                            Ok(())
                        })
                    })
                    .await;
                drop(latch);
                done.map_err(|refusal| Box::new(refusal.0) as Failure)
            }
        })
        .await;
        Ok(())
    });
    keep_changes(shared, engine);
    let (canaries, every, visible) = (engine.clone(), config.canary.0, config.canary_visible.0);
    let (clock, keep, ledger) = (shared.clock.clone(), config.keep.0, ledger.clone());
    shared.tasks.spawn("canary", OnError::Log, move |stop| async move {
        while stop.or(tokio::time::sleep(every)).await.is_some() {
            let flown = stop.or(Trace::start().scope(canaries.canary(visible))).await;
            if let Some(Err(refusal)) = flown {
                tracing::warn!(error = %refusal.0, "a canary could not be sent");
            }
            let before =
                jiff::SignedDuration::try_from(keep).ok().and_then(|keep| clock.now().checked_sub(keep).ok());
            if let Some(Err(error)) = stop.or(async { Some(ledger.prune(before?).await) }).await.flatten() {
                tracing::warn!(error = %Chain(&error), "old steps could not be forgotten");
            }
        }
        Ok(())
    });
}

/// Rounds at the moments at which the intention changes by itself.
fn keep_changes(shared: &Shared, engine: &Engine) {
    let (clock, changes) = (shared.clock.clone(), engine.clone());
    shared.tasks.spawn("changes by themselves", OnError::Stop, |stop| async move {
        let mut view = changes.follow();
        while !stop.is_requested() {
            let next = view.borrow_and_update().next_change;
            let due = async {
                match next {
                    Some(at) => clock.until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.requested() => break,
                changed = view.changed() => {
                    if changed.is_err() { break }
                    // The new view may have been made just after that moment, and know of it no more.
                    if next.is_some_and(|at| at <= clock.now()) {
                        changes.nudge().nudge();
                    }
                }
                () = due => {
                    changes.nudge().nudge();
                    // The round shows a new view; until then there is nothing to wait for.
                    if stop.or(view.changed()).await.is_none() { break }
                }
            }
        }
        Ok(())
    });
}
