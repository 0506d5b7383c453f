//! `sanctum attention`: what the house should heed for a while.

use sanctum_api::watch::AttentionRequest;
use sanctum_kernel::{Period, exit};

use crate::cli::{Cli, Outcome};
use crate::watching::client;

/// Tell the house what to heed for a while: nothing is done that would disturb it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum attention recording 2h\n  sanctum attention asleep 8h\n  sanctum attention --end\n  sanctum attention                    what is heeded")]
pub(crate) struct Args {
    /// Such as `recording` or `asleep`; without it: what is heeded now
    #[arg(value_name = "WORD", requires = "length")]
    word: Option<String>,
    /// For how long, such as `2h`
    #[arg(value_name = "LENGTH")]
    length: Option<Period>,
    /// Nothing needs to be heeded any more
    #[arg(long, conflicts_with_all = ["word", "length"])]
    end: bool,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let (Some(word), Some(length)) = (args.word, args.length) else {
        if !args.end {
            return heeded(cli);
        }
        cli.call(client.relax())?;
        let ended = serde_json::json!({ "attention": null });
        cli.show(&ended, |out, paint| writeln!(out, "{} Nothing needs to be heeded any more.", paint.green("●")))?;
        return Ok(exit::OK);
    };
    let attention = cli.call(client.attend(&AttentionRequest { word, length }))?;
    let wall = cli.wall();
    cli.show(&attention, |out, paint| writeln!(out, "{} The house heeds `{}` until {}.", paint.green("●"), attention.word, wall.at(attention.until)))?;
    Ok(exit::OK)
}

fn heeded(cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let (attention, wall) = (cli.call(client.body())?.attention, cli.wall());
    cli.show(&attention, |out, paint| match &attention {
        Some(attention) => writeln!(out, "{} The house heeds `{}` until {}.", paint.yellow("●"), attention.word, wall.at(attention.until)),
        None => writeln!(out, "{} Nothing needs to be heeded.", paint.green("●")),
    })?;
    Ok(exit::OK)
}
