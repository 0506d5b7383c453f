//! `sanctum run`: services in this process.

use sanctum_kernel::Failure;
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::exit;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};
use crate::run::services;

/// Run the named services in this process, in the foreground; all of them if none is named.
///
/// House names work too: `sanctum run force-flow` is `sanctum run notify`, and a link named
/// `sanctum-notify` runs that service. SIGTERM and Ctrl-C stop it, SIGHUP reloads the configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum run                 the whole house in one process\n  sanctum run notify          only the notification hub\n  sanctum run force-flow      the same, by its house name")]
pub(crate) struct Args {
    /// Services, by name or house name
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let names = args.names.iter().map(|word| service(word)).collect::<Result<Vec<_>, _>>()?;
    // All of them are a house of its own; one of them is part of a house that others may have begun.
    services(&names, names.is_empty(), cli.settings()?, cli)
}

/// The service a word means.
pub(crate) fn service(word: &str) -> Result<&'static str, Failure> {
    CATALOGUE.find(word).map(|entry| entry.spec.name).ok_or_else(|| {
        let known: Vec<&str> = CATALOGUE.iter().map(|entry| entry.spec.name).collect();
        Hinted::new(exit::USAGE, format!("no service is called `{word}`"), format!("the services are {}", known.join(", "))).into()
    })
}
