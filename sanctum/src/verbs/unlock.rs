//! `sanctum unlock`: another chance for a service that failed too often.

use sanctum_api::deadman;
use sanctum_api::supervise::Client;
use sanctum_kernel::exit;

use crate::cli::{Cli, Outcome};
use crate::verbs::deadman::answer;

/// Start a service again that its breaker has locked.
///
/// A service that failed five times within ten minutes, or whose configuration is wrong, is not started again by
/// itself, also not after a reboot. Look at `sanctum logs NAME` first. It gets one try: if that fails it is locked again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum unlock notify\n  sanctum unlock force-flow     the same, by its house name\n  sanctum unlock supervise      the dead-man's switch has given up: it tries again\n\nExit code 1 if it is not locked.")]
pub(crate) struct Args {
    /// The service, by name or house name
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let Args { name } = args;
    let name = cli.service(&name)?;
    // Nobody locks the supervisor but the switch, in its safe mode.
    if name == "supervise" {
        let way = cli.transport("deadman")?;
        let state = cli.call(async move { deadman::Client::new(way).arm().await })?;
        return answer(cli, &state);
    }
    let way = cli.transport("supervise")?;
    let wanted = name.clone();
    let state = cli.call(async move { Client::new(way).act(&wanted, "unlock").await })?;
    cli.show(&state, |out, paint| {
        writeln!(out, "{} {} is unlocked and {}. `sanctum status {name}` tells how it does.", paint.green("●"), paint.bold(&name), state.phase.word())
    })?;
    Ok(exit::OK)
}
