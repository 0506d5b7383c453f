//! `sanctum restart`: one service, stopped and started again.

use crate::cli::{Cli, Outcome};

/// Stop services and start them again; what requires them ends first and follows when they are ready.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum restart home-assistant\n  sanctum reload                 only what runs from an older file than the present one")]
pub(crate) struct Args {
    /// Services, by name or house name
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

pub(crate) fn run(Args { names }: Args, cli: &Cli) -> Outcome {
    super::start::act(&names, "restart", cli)
}
