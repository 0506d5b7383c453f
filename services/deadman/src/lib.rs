//! The dead-man's switch: watches the supervisor's heartbeat, brings the supervisor back when it stops, and tells a person
//! by a path that needs no other service of the house.

mod act;
mod config;
mod tell;
mod watch;

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sanctum_api::Moment;
use sanctum_api::notify::{Notice, Severity};
use sanctum_http::{Json, Op, Path, Routes, State, serve};
use sanctum_kernel::service::{Complaint, Shared};
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{
    Call, Chain, Context, Failure, House, Latch, Listen, OnError, Probe, Right, Service, Spec, Status, Stop,
    Tier, Trace,
};

pub use config::Config;

use act::{Keeper, Revived};
use watch::{Order, Rules, Watch};

/// How long the hub may take; the paths that need no hub come next.
const HUB: Duration = Duration::from_secs(3);
/// The part of the board that speaks of the supervisor.
const KEEPER: &str = "supervisor";

/// The switch.
#[derive(Debug)]
pub struct Deadman {
    config: Config,
    house: String,
    shared: Shared,
    latch: Latch,
    listener: TcpListener,
}

impl Service for Deadman {
    const SPEC: Spec = Spec {
        name: "deadman",
        house_name: "Dead Man's Switch",
        aliases: &["castellan-deadman"],
        summary: "brings the supervisor back, and says so without anybody's help",
        listen: &[Listen {
            name: "http",
            port: 2190,
            lore: "next door to the keeper, listening for the silence",
        }],
        probe: Probe::Http { listen: "http", path: "/health", expect: "\"status\":\"well\"" },
        // One path of several: it tells also where the hub is down.
        calls: &[Call { to: "notify", right: Right::Act }],
        tier: Tier::Critical,
        grace: Duration::from_secs(5),
        ..Spec::DEFAULT
    };
    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        config.complaints()
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let Context { config, house, shared, latch, .. } = cx;
        shared.well.set(KEEPER, Status::Well, "armed by its first sign of life");
        Ok(Self { config, house: house.house.name.clone(), shared, latch, listener })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { config, house, shared, latch, listener } = self;
        let done = Done::default();
        let app = Routes::new(&Self::SPEC, &shared)
            .on(Op::get("/trace/{id}", "What it did in a story").returns::<Vec<Moment>>(), story)
            .finish(done.clone());
        // The watch goes on whatever becomes of those who ask how it is.
        shared.tasks.spawn("surface", OnError::Log, |stop| async {
            serve(listener, app, stop).await.map_err(Failure::from)
        });
        let rules = Rules { patience: config.patience.0, give_up_after: config.give_up_after };
        let mut watch = Watch::new(rules);
        let mut keeper = Keeper::new(&shared.paths);
        let began = tokio::time::Instant::now();
        latch.release();
        loop {
            let order = watch.look(keeper.beat(), began.elapsed());
            match order {
                Order::Wait => {}
                Order::Revive { silent } => {
                    tracing::error!(seconds = silent.as_secs(), "the supervisor gives no sign of life");
                    shared.well.set(KEEPER, Status::Unwell, "it gives no sign of life: it is brought back");
                    let Some(revived) = stop.or(keeper.revive(config.start_within.0)).await else {
                        return Ok(());
                    };
                    let safe = watch.tried(revived.is_ok(), keeper.beat(), began.elapsed());
                    let told = say(&shared, &config, &house, silent, &revived, safe);
                    done.remember(Trace::start().scope(told).await);
                }
                Order::Safe => shared.well.set_hint(
                    KEEPER,
                    Status::Unwell,
                    "it could not be brought back and is not tried again",
                    "`sanctum logs supervise` says why; `sanctum up` starts it and arms the switch again",
                ),
                Order::Alive => shared.well.set(KEEPER, Status::Well, "its heart beats"),
            }
            if stop.or(tokio::time::sleep(config.look_every())).await.is_none() {
                return Ok(());
            }
        }
    }
}

/// What it did lately, for those who follow a story.
#[derive(Debug, Clone, Default)]
struct Done(Arc<Mutex<VecDeque<Moment>>>);

impl Done {
    /// More than it can do in a year that anybody would live through.
    const MOST: usize = 100;

    fn remember(&self, moment: Moment) {
        let mut moments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if moments.len() >= Self::MOST {
            moments.pop_front();
        }
        moments.push_back(moment);
    }
}

async fn story(State(done): State<Done>, Path(trace): Path<TraceId>) -> Json<Vec<Moment>> {
    let moments = done.0.lock().unwrap_or_else(PoisonError::into_inner);
    Json(moments.iter().filter(|moment| moment.trace_id == trace).cloned().collect())
}

/// Writes down and tells a person what became of it.
async fn say(
    shared: &Shared,
    config: &Config,
    house: &str,
    silent: Duration,
    revived: &Result<Revived, act::ActError>,
    safe: bool,
) -> Moment {
    let seconds = silent.as_secs();
    let (title, text) = match revived {
        Ok(Revived { was, pid }) => (
            format!("{house}: the supervisor is back"),
            format!(
                "Castellan {was} and gave no sign of life for {seconds} s. It was started again as process {pid}; the services went on \
                 meanwhile and were kept."
            ),
        ),
        Err(error) => {
            let next = if safe {
                "It is not tried again. Say `sanctum logs supervise`, then `sanctum up`."
            } else {
                "It is tried again."
            };
            (
                format!("{house}: the supervisor could not be brought back"),
                format!("Castellan gave no sign of life for {seconds} s. {}. {next}", Chain(error)),
            )
        }
    };
    tracing::warn!(title, text, "told");
    let severity = if revived.is_ok() { Severity::Error } else { Severity::Critical };
    let notice = Notice {
        dedup_key: Some("deadman.supervise".to_owned()),
        ..Notice::plain("deadman", severity, title.clone(), text.clone())
    };
    let hub = sanctum_http::tell(shared, notice, true);
    tokio::time::timeout(HUB, hub).await.ok();
    for (path, outcome) in tell::tell(config, &shared.paths, &title, &text).await {
        if let Err(error) = outcome {
            tracing::error!(path, error = %Chain(&error), "could not tell");
        }
    }
    let (at, service, what) = (shared.clock.now(), "deadman".to_owned(), "supervisor".to_owned());
    Moment { at, service, what, detail: title, trace_id: Trace::current().id() }
}
