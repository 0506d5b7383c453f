//! `sanctum hold`: a maintenance window.

use sanctum_api::watch::HoldRequest;
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Period, exit};

use crate::cli::{Cli, Outcome};
use crate::watching::{client, named};

/// Leave a service alone for a while: it is still looked at, but nobody is told and nothing is done about it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum hold home-assistant 2h --why \"moving it to the new disk\"\n  sanctum hold home-assistant --end\n  sanctum hold all 30m --why \"the electrician is here\"\n  sanctum hold                         what is held")]
pub(crate) struct Args {
    /// The service, or `all`; without it: what is held now
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// For how long, such as `2h` or `30m`; at most a week is sensible
    #[arg(value_name = "LENGTH", requires = "name")]
    length: Option<Period>,
    /// Why, for whoever wonders
    #[arg(long, default_value = "", requires = "length")]
    why: String,
    /// It is over: look after it again
    #[arg(long, conflicts_with = "length", requires = "name")]
    end: bool,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let Some(word) = args.name else { return list(cli) };
    let client = client(cli)?;
    let name = if word == "all" { word } else { named(cli, &word)? };
    if args.end {
        cli.call(client.release(&name))?;
        let ended = serde_json::json!({ "service": name, "held": false });
        cli.show(&ended, |out, paint| writeln!(out, "{} {} is looked after again.", paint.green("●"), paint.bold(&name)))?;
        return Ok(exit::OK);
    }
    let length = args.length.ok_or_else(|| Hinted::new(exit::USAGE, "for how long is missing", "such as `sanctum hold proxy 2h --why \"a new disk\"`"))?;
    let hold = cli.call(client.hold(&name, &HoldRequest { length, why: args.why }))?;
    let wall = cli.wall();
    cli.show(&hold, |out, paint| {
        writeln!(out, "{} {} is left alone until {}. `sanctum hold {name} --end` ends that.", paint.yellow("●"), paint.bold(&name), wall.at(hold.until))
    })?;
    Ok(exit::OK)
}

fn list(cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let body = cli.call(client.body())?;
    let held: Vec<_> = body.nodes.into_iter().filter_map(|node| Some((node.name, node.hold?))).collect();
    let wall = cli.wall();
    cli.show(&held, |out, paint| {
        if held.is_empty() {
            return writeln!(out, "{} Nothing is held.", paint.green("●"));
        }
        held.iter().try_for_each(|(name, hold)| {
            let why = if hold.why.is_empty() { String::new() } else { format!(": {}", hold.why) };
            writeln!(out, "{} {} until {} by {}{why}", paint.yellow("●"), paint.bold(name), wall.at(hold.until), hold.by)
        })
    })?;
    Ok(exit::OK)
}
