//! `sanctum unlock`: another chance for a service that failed too often.

use sanctum_api::supervise::Client;
use sanctum_kernel::exit;

use crate::cli::{Cli, Outcome};

/// Start a service again that its breaker has locked.
///
/// A service that failed five times within ten minutes, or whose configuration is wrong, is not started again by
/// itself, also not after a reboot. Look at `sanctum logs NAME` first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum unlock notify\n  sanctum unlock force-flow     the same, by its house name\n\nExit code 1 if it is not locked.")]
pub(crate) struct Args {
    /// The service, by name or house name
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let Args { name } = args;
    let name = super::run::service(&name)?;
    let way = cli.transport("supervise")?;
    let state = cli.call(async move { Client::new(way).act(name, "unlock").await })?;
    cli.show(&state, |out, paint| {
        writeln!(out, "{} {} is unlocked and {}. `sanctum status {name}` tells how it does.", paint.green("●"), paint.bold(name), state.phase.word())
    })?;
    Ok(exit::OK)
}
