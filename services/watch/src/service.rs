//! The declaration of the service, and its start.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use sanctum_http::serve;
use sanctum_kernel::service::Shared;
use sanctum_kernel::trace::random;
use sanctum_kernel::{
    Call, Catalogue, Complaint, Context, Failure, House, Inventory, Latch, Listen, OnError, Probe, Right,
    Service, Spec, Stop, Tier,
};
use sanctum_probe::Prober;
use tokio::sync::mpsc;

use crate::api::{self, Desk};
use crate::brain::Brain;
use crate::config::Config;
use crate::engine::{Command, Engine, Instant, Outcomes, Snapshot};
use crate::heal::Healer;
use crate::hub::{Hub, Inner, Message};
use crate::shell::{self, Hands, Parts, Shell};
use crate::store::{Kept, Store};
use crate::{monitor, pulse, sensors, supervisor, teller, words};

/// Answers that wait for the shell.
const MAIL: usize = 4096;
/// Whoever was away for longer begins anew with its budgets, but never with its incidents.
const AWAY: Duration = Duration::from_mins(30);

/// What the outside world knows of the watch.
pub const SPEC: Spec = Spec {
    name: "watch",
    house_name: "Living Force",
    aliases: &["watchdog", "sanctum-watchdog"],
    summary: "looks at every service, finds the root of a trouble, heals what it may, asks a person for the rest",
    listen: &[Listen {
        name: "http",
        port: 2187,
        lore: "cell 2187: where the one in trouble was found, and got out",
    }],
    probe: Probe::Http { listen: "http", path: "/health", expect: "\"status\":\"well\"" },
    calls: &[
        Call { to: "supervise", right: Right::Act },
        Call { to: "notify", right: Right::Act },
        Call { to: "firewall", right: Right::Read },
        Call { to: "screen", right: Right::Read },
        Call { to: "proxy", right: Right::Act },
        Call { to: "deadman", right: Right::Read },
    ],
    reads_services: true,
    tier: Tier::Critical,
    grace: Duration::from_secs(10),
    ..Spec::DEFAULT
};

/// The Living Force.
pub struct Watch {
    hub: Hub,
    hands: Hands,
    catalogue: &'static Catalogue,
    mail: mpsc::Receiver<Message>,
    first: Vec<Command>,
    listener: TcpListener,
    latch: Latch,
}

impl Service for Watch {
    const SPEC: Spec = SPEC;
    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        config.complaints()
    }

    /// All of it: what is known of the services stays known.
    fn revises(_: &Config, _: &Config) -> bool {
        true
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let Context { config, house, shared, latch, catalogue, .. } = cx;
        Self::assemble(config, house, shared, catalogue, (listener, latch)).await
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { hub, hands, catalogue, mail, first, listener, latch } = self;
        let prober = Prober::new(&hub.shared);
        let tasks = hub.shared.tasks.clone();
        let parts = Parts { hub: hub.clone(), catalogue, prober, healer: hands.clone(), mail };
        let shell = Shell::new(parts);
        tasks.spawn("pulse", OnError::Stop, |stop| pulse::run(hub.clone(), stop));
        tasks.spawn("shell", OnError::Stop, |stop| shell.run(first, latch, stop));
        tasks.spawn("teller", OnError::Stop, |stop| teller::tell(hub.clone(), stop));
        tasks.spawn("supervisor", OnError::Stop, |stop| supervisor::follow(hub.clone(), stop));
        tasks.spawn("sentinels", OnError::Log, |stop| sensors::sentinels(hub.clone(), stop));
        tasks.spawn("measures", OnError::Log, |stop| sensors::measures(hub.clone(), stop));
        tasks.spawn("monitor", OnError::Stop, |stop| monitor::run(hub.clone(), hands.clone(), stop));
        let healer = hands.0.clone();
        tasks.spawn("healer", OnError::Log, |stop| async move {
            healer.run(stop).await;
            Ok(())
        });
        serve(listener, api::router(&SPEC, &Desk { hub, hands }), stop).await?;
        Ok(())
    }
}

impl Watch {
    async fn assemble(
        config: Config,
        house: Arc<House>,
        shared: Shared,
        catalogue: &'static Catalogue,
        (listener, latch): (TcpListener, Latch),
    ) -> Result<Self, Failure> {
        let store = Store::open(&shared).await?;
        let kept = store.kept().await.map_err(sanctum_store::StoreError::hinted)?;
        let inventory = shell::inventory(catalogue, &house, &shared, None);
        let healer =
            Healer::new(&shared, config.heal.clone(), Arc::new(inventory.clone()), store.db().clone());
        healer.prepare()?;
        let hands = Hands(Arc::new(healer));
        let (brain, first) = wake(kept, &hands, &config, inventory, &shared);
        let (post, mail) = mpsc::channel(MAIL);
        let hub = Arc::new(Inner::new(shared, store, post, brain, (Arc::new(config), house)));
        Ok(Self { hub, hands, catalogue, mail, first, listener, latch })
    }
}

/// Goes on where the last one has stopped.
fn wake(
    kept: Kept,
    hands: &Hands,
    config: &Config,
    inventory: Inventory,
    shared: &Shared,
) -> (Brain, Vec<Command>) {
    let members = hands.members(config, &inventory);
    let (rules, seed) = (config.rules(), u64::from_le_bytes(random()));
    let read = kept.snapshot.as_ref().and_then(|(at, json)| match serde_json::from_str::<Snapshot>(json) {
        Ok(snapshot) => Some((*at, snapshot)),
        Err(error) => {
            tracing::error!(%error, "what was believed before cannot be read: it begins anew");
            None
        }
    });
    let now = shared.clock.now();
    let lost = read.is_none();
    let (engine, commands, base) = match read {
        Some((at, mut snapshot)) => {
            snapshot.outcomes.clone_from(&kept.outcomes);
            let base = snapshot.at + words::between(at, now).min(AWAY);
            let (engine, commands) = Engine::restore(members, rules, snapshot, seed, base);
            (engine, commands, base)
        }
        None if kept.last > 0 => {
            let next = u64::try_from(kept.last).unwrap_or_default() + 1;
            let snapshot = Snapshot { next, outcomes: kept.outcomes.clone(), ..Snapshot::default() };
            let (engine, commands) = Engine::restore(members, rules, snapshot, seed, Instant::ZERO);
            (engine, commands, Instant::ZERO)
        }
        None => (
            Engine::new(members, rules, Outcomes::new(kept.outcomes.clone()), seed),
            Vec::new(),
            Instant::ZERO,
        ),
    };
    let mut brain = Brain::new(engine, inventory, base);
    if !lost {
        brain.book = kept.open.into_iter().map(|record| (record.wire.id, record)).collect();
    }
    brain.holds = kept.holds.into_iter().filter(|(_, hold)| hold.until > now).collect();
    brain.attention = kept.attention.filter(|attention| attention.until > now);
    let red = kept.verdicts.iter().filter(|verdict| crate::sentinel::is_red(verdict));
    brain.red = red.map(|verdict| verdict.sentinel.clone()).collect();
    brain.verdicts = kept.verdicts.into_iter().map(|verdict| (verdict.sentinel.clone(), verdict)).collect();
    (brain, commands)
}
