//! `sanctum version`.

use sanctum_kernel::exit;
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};

/// Print the version and the services in it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Build {
    version: &'static str,
    target: String,
    services: Vec<&'static str>,
}

pub(crate) fn run(_: Args, cli: &Cli) -> Outcome {
    let services = CATALOGUE.iter().map(|entry| entry.spec.name).collect();
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let build = Build { version: env!("CARGO_PKG_VERSION"), target, services };
    cli.show(&build, |out, _| writeln!(out, "sanctum {} ({})\nservices: {}", build.version, build.target, build.services.join(", ")))?;
    Ok(exit::OK)
}
