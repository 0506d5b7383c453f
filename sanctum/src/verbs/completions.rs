//! `sanctum completions`: for the shells people use.

use sanctum_kernel::exit;

use crate::cli::{Cli, Outcome};

/// Print completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum completions bash > /etc/bash_completion.d/sanctum\n  sanctum completions zsh  > ~/.zfunc/_sanctum\n  sanctum completions fish > ~/.config/fish/completions/sanctum.fish")]
pub(crate) struct Args {
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "sanctum", &mut text);
    cli.say(String::from_utf8_lossy(&text).trim_end())?;
    Ok(exit::OK)
}
