//! Holocron: what the house remembers. Markdown files are the truth; the index can be thrown away.

mod config;
#[expect(dead_code, reason = "the parts that use it are being built")]
mod consolidate;
#[expect(dead_code, reason = "the parts that use it are being built")]
mod exchange;
#[expect(dead_code, reason = "the parts that use it are being built")]
mod gate;
#[expect(dead_code, reason = "the parts that use it are being built")]
mod ingest;
#[expect(dead_code, reason = "the parts that use it are being built")]
mod library;
#[expect(dead_code, reason = "the parts that use it are being built")]
mod mcp;
#[expect(dead_code, reason = "the parts that use it are being built")]
mod model;
#[expect(dead_code, reason = "the parts that use it are being built")]
mod recall;

use std::net::TcpListener;

use sanctum_http::{Routes, serve};
use sanctum_kernel::service::{Complaint, Shared};
use sanctum_kernel::{Call, Context, Failure, House, Latch, Listen, Probe, Right, Service, Spec, Stop, Tier};

pub use config::Config;

/// The memory of the house.
#[derive(Debug)]
pub struct Memory {
    shared: Shared,
    latch: Latch,
    listener: TcpListener,
}

impl Service for Memory {
    const SPEC: Spec = Spec {
        name: "memory",
        house_name: "Holocron",
        aliases: &["sanctum-memory", "memory-vault"],
        summary: "what the house remembers: notes as files, found by words and by meaning",
        listen: &[Listen { name: "http", port: 42069, lore: "the number nobody forgets" }],
        probe: Probe::Http { listen: "http", path: "/health", expect: "\"status\":\"well\"" },
        calls: &[Call { to: "notify", right: Right::Act }, Call { to: "proxy", right: Right::Act }],
        tier: Tier::Important,
        ..Spec::DEFAULT
    };
    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        config.complaints()
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let Context { shared, latch, .. } = cx;
        Ok(Self { shared, latch, listener })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { shared, latch, listener } = self;
        latch.release();
        let app = Routes::new(const { &Self::SPEC }, &shared).finish(());
        serve(listener, app, stop).await?;
        Ok(())
    }
}
