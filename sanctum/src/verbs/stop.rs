//! `sanctum stop`: one service, until it is started again.

use crate::cli::{Cli, Outcome};

/// Stop services until somebody starts them again.
///
/// What requires one of them ends first, and comes back by itself when it does. A scheduled job that is stopped lets its
/// times pass.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum stop home-assistant\n  sanctum start home-assistant     and what requires it comes back as well")]
pub(crate) struct Args {
    /// Services, by name or house name
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

pub(crate) fn run(Args { names }: Args, cli: &Cli) -> Outcome {
    super::start::act(&names, "stop", cli)
}
