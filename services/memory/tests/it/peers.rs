//! The services that memory may call; here nobody answers for them.

use std::net::TcpListener;

use sanctum_http::{Routes, serve};
use sanctum_kernel::service::Shared;
use sanctum_kernel::spec::Listen;
use sanctum_kernel::{Context, Failure, Latch, Probe, Service, Spec, Stop, Tier};

#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

macro_rules! peer {
    ($peer:ident, $name:literal, $port:literal) => {
        pub(crate) struct $peer {
            shared: Shared,
            listener: TcpListener,
            latch: Latch,
        }

        impl Service for $peer {
            const SPEC: Spec = Spec {
                name: $name,
                house_name: "a stub",
                summary: "a stub",
                listen: &[Listen { name: "http", port: $port, lore: "a stub needs no joke" }],
                probe: Probe::Process,
                tier: Tier::Ordinary,
                ..Spec::DEFAULT
            };
            type Config = Empty;

            async fn build(mut cx: Context<Empty>) -> Result<Self, Failure> {
                let listener = cx.listener("http")?;
                Ok(Self { shared: cx.shared, listener, latch: cx.latch })
            }

            async fn run(self, stop: Stop) -> Result<(), Failure> {
                let app = Routes::new(const { &Self::SPEC }, &self.shared).finish(());
                self.latch.release();
                Ok(serve(self.listener, app, stop).await?)
            }
        }
    };
}

peer!(Hub, "notify", 4077);
peer!(Proxy, "proxy", 4078);
