//! `sanctum start`: a service that was stopped, or a job, now.

use sanctum_api::supervise::{Client, Phase, ServiceState};
use sanctum_kernel::exit;

use crate::cli::{Cli, Outcome};

/// Start services that were stopped, or run jobs now.
///
/// A job that runs at its times runs once more, now; its next time stays what it was. A service that waits before it is
/// started again does not wait any longer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum start home-assistant\n  sanctum start backup           a scheduled job, now")]
pub(crate) struct Args {
    /// Services, by name or house name
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

pub(crate) fn run(Args { names }: Args, cli: &Cli) -> Outcome {
    act(&names, "start", cli)
}

/// Asks the supervisor to do one thing with each, and says what came of it.
pub(super) fn act(names: &[String], verb: &'static str, cli: &Cli) -> Outcome {
    let names = names.iter().map(|word| cli.service(word)).collect::<Result<Vec<_>, _>>()?;
    let client = Client::new(cli.transport("supervise")?);
    let mut states: Vec<ServiceState> = Vec::new();
    for name in &names {
        let (client, name) = (client.clone(), name.clone());
        states.push(cli.call(async move { client.act(&name, verb).await })?);
    }
    cli.show(&states, |out, paint| {
        for state in &states {
            let mark = if matches!(state.phase, Phase::Stopped | Phase::Stopping) { paint.dim("○") } else { paint.green("●") };
            let what = state.phase.word().replace('-', " ");
            writeln!(out, "{mark} {} is {what}. `sanctum status {}` tells how it does.", paint.bold(&state.name), state.name)?;
        }
        Ok(())
    })?;
    Ok(exit::OK)
}
