//! The dead-man's switch: watches the supervisor's heartbeat, brings the supervisor back when it stops, and tells a person
//! by a path that needs no other service of the house.

mod config;
mod guard;
mod hand;
mod peer;
mod state;
mod surface;
mod tell;
mod watch;
mod words;

use std::net::TcpListener;
use std::time::Duration;

use sanctum_http::serve;
use sanctum_kernel::service::{Complaint, Shared};
use sanctum_kernel::{
    Call, Context, Failure, House, Latch, Listen, OnError, Probe, Right, Service, Spec, Status, Stop, Tier,
};
use tokio::sync::mpsc;

pub use config::Config;

use guard::Guard;
use surface::{Done, Surface};

/// Wishes that wait while it is busy bringing somebody back.
const WISHES: usize = 16;

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
        beats: true,
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
        shared.well.set("supervisor", Status::Well, "armed by its first sign of life");
        Ok(Self { config, house: house.house.name.clone(), shared, latch, listener })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { config, house, shared, latch, listener } = self;
        let done = Done::default();
        let (wishes, wished) = mpsc::channel(WISHES);
        let app = surface::routes(&Self::SPEC, &shared, Surface { wishes, done: done.clone() });
        // The watch goes on whatever becomes of those who ask how it is.
        shared.tasks.spawn("surface", OnError::Log, |stop| async {
            serve(listener, app, stop).await.map_err(Failure::from)
        });
        let guard = Guard::new(config, house, shared, done, wished);
        latch.release();
        Box::pin(guard.run(stop)).await
    }
}
