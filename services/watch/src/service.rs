//! The declaration of the service, and its start.

use std::net::TcpListener;
use std::time::Duration;

use sanctum_http::{Routes, serve};
use sanctum_kernel::service::Shared;
use sanctum_kernel::{
    Call, Complaint, Context, Failure, House, Latch, Listen, Probe, Right, Service, Spec, Stop, Tier,
};

use crate::config::Config;

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
#[derive(Debug)]
pub struct Watch {
    shared: Shared,
    listener: TcpListener,
    latch: Latch,
}

impl Service for Watch {
    const SPEC: Spec = SPEC;
    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        config.complaints()
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let Context { shared, latch, .. } = cx;
        Ok(Self { shared, listener, latch })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { shared, listener, latch } = self;
        let app = Routes::new(&SPEC, &shared).finish(());
        latch.release();
        serve(listener, app, stop).await?;
        Ok(())
    }
}
