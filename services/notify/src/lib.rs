//! Force Flow: every alert of the house passes here, and what was accepted is told.

mod accept;
mod acts;
mod api;
mod banners;
mod channels;
mod config;
mod dead_man;
mod decide;
mod dispatch;
mod history;
mod hub;
mod ingest;
mod matching;
mod message;
mod recent;
mod resolve;
mod rows;
mod schema;
mod spool;
mod spread;
mod target;
mod timers;
mod trouble;

use std::net::TcpListener;
use std::sync::Arc;

use sanctum_http::{Feed, Manner, Outbound};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::service::{Complaint, Shared};
use sanctum_kernel::spec::Listen;
use sanctum_kernel::{
    Context, Failure, House, Latch, OnError, Probe, Service, Spec, Status, Stop, Tier, exit,
};
use sanctum_store::Db;
use tokio::sync::mpsc;

pub use channels::Channels;
pub use config::Config;

use channels::Parts;
use decide::Rules;
use dispatch::breaker::Breaker;
use hub::{Hub, Line};
use message::Message;

/// Shows a notice on this machine's desktop without the hub, for when that is down; the error says why not.
pub async fn show_on_desktop(notice: sanctum_api::notify::Notice) -> Result<(), String> {
    let now = sanctum_kernel::Clock::system().now();
    channels::desktop::show(notice, now).await.map_err(|error| error.to_string())
}

/// What each worker is handed, by channel.
type Handed = Vec<(String, mpsc::Receiver<Message>)>;

/// The notification hub.
#[derive(Debug)]
pub struct Notify {
    hub: Arc<Hub>,
    handed: Handed,
    watcher: Option<dead_man::Watcher>,
    listener: TcpListener,
    latch: Latch,
}

impl Service for Notify {
    const SPEC: Spec = Spec {
        name: "notify",
        house_name: "Force Flow",
        aliases: &["force-flow"],
        summary: "notification hub: who is told, where, when, and whether they really were",
        listen: &[Listen {
            name: "http",
            port: 4077,
            lore: "May the 4th of '77: the day everybody was told",
        }],
        probe: Probe::Http { listen: "http", path: "/health", expect: "\"status\":\"well\"" },
        tier: Tier::Critical,
        ..Spec::DEFAULT
    };
    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        config.complaints()
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let Context { config, house, shared, latch, .. } = cx;
        let path = shared.paths.state().join("notify.db");
        let db = Db::open(&path, schema::MIGRATIONS).map_err(|error| match error.hint() {
            Some(hint) => Failure::from(
                Hinted::new(exit::CANNOT_CREATE, "could not open the history", hint).because(error),
            ),
            None => Failure::from(error),
        })?;
        let rules = Rules::new(config, house.house.timezone.tz());
        let outbound = Outbound::default();
        let watcher = dead_man::Watcher::new(&rules.config, &shared, &outbound)?;
        let (hub, handed) = assemble(rules, shared, db, outbound)?;
        Ok(Self { hub: Arc::new(hub), handed, watcher, listener, latch })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { hub, handed, watcher, listener, latch } = self;
        let now = hub.now().as_microsecond();
        let resumed = hub.db.write(move |tx| dispatch::queue::resume(tx, now)).await?;
        let within = Arc::clone(&hub);
        let remember = move |db: &sanctum_store::Connection| {
            accept::remember(db, &within)?;
            spread::remember(db, &within)
        };
        hub.db.read(remember).await?;
        if resumed > 0 {
            tracing::info!(resumed, "messages that were in flight are sent again");
        }
        hub.shared.well.set("store", Status::Well, hub::KEEPS);
        let tasks = &hub.shared.tasks;
        for (name, handed) in handed {
            let within = Arc::clone(&hub);
            tasks.spawn("channel", OnError::Stop, |stop| dispatch::worker::run(within, name, handed, stop));
        }
        tasks.spawn("timers", OnError::Stop, |stop| timers::run(Arc::clone(&hub), stop));
        tasks.spawn("trouble", OnError::Log, |stop| trouble::watch(Arc::clone(&hub), stop));
        tasks.spawn("spool", OnError::Log, |stop| spool::run(Arc::clone(&hub), stop));
        tasks.spawn("index", OnError::Log, |stop| history::keep(Arc::clone(&hub), stop));
        if let Some(watcher) = watcher {
            tasks.spawn("dead-man", OnError::Log, |stop| watcher.run(Arc::clone(&hub), stop));
        }
        acts::listen(&hub);
        latch.release();
        let (front, app) = api::routes(&hub);
        sanctum_http::serve_with(listener, front, app, Manner::default(), stop).await?;
        Ok(())
    }
}

fn assemble(rules: Rules, shared: Shared, db: Db, outbound: Outbound) -> Result<(Hub, Handed), Failure> {
    let feed = Feed::new(&shared.clock);
    let deadline = rules.config.delivery.deadline.0;
    let parts = Parts { shared: shared.clone(), db: db.clone(), feed: feed.clone(), outbound, deadline };
    let mut lines = std::collections::BTreeMap::new();
    let mut handed = Vec::new();
    for built in rules.config.channel.build(&parts)? {
        let (line, taken) = Line::new(built, Breaker::new(&rules.config.delivery));
        handed.push((line.name.clone(), taken));
        lines.insert(line.name.clone(), line);
    }
    Ok((Hub::new(rules, shared, db, feed, lines), handed))
}
