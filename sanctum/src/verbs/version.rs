//! `sanctum version`.

use sanctum_kernel::exit;
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};

/// Print the version and the services in it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Version {
    version: &'static str,
    target: String,
    services: Vec<&'static str>,
}

pub(crate) fn run(_: Args, cli: &Cli) -> Outcome {
    let services = CATALOGUE.iter().map(|entry| entry.spec.name).collect();
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let version = Version { version: env!("CARGO_PKG_VERSION"), target, services };
    cli.show(&version, |out, _| writeln!(out, "sanctum {} ({})\nservices: {}", version.version, version.target, version.services.join(", ")))?;
    Ok(exit::OK)
}
