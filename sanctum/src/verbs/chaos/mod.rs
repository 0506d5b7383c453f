//! `sanctum chaos`: a house of real processes is hurt at random, and scored on what it notices, names, mends and says.

mod child;
mod house;
mod hurt;
mod plan;
mod rounds;
mod score;

use clap::Subcommand;
use sanctum_kernel::exit;

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;
use plan::Plan;

/// Hurt a house of its own at random, and see what it makes of it.
///
/// A temporary house on free ports: the supervisor, the watch, the hub, the dead-man's switch, and a body of small
/// services that need each other. Round after round one to three of them are killed, stopped, slowed, made to lie with
/// 200, filled up, cut off from what they need, or set to another time, also the watch, the hub and the supervisor
/// themselves, while others are asked all the time. One seed is one run: what fails can be run again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum chaos run                   eight rounds from a seed of today's\n  sanctum chaos run --seed 7          the same as always\n  sanctum chaos plan --seed 7         what would be done\n\nExit code 0 if everything was noticed, named right, mended or told once, and nobody else was touched; 1 if not.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Do it
    Run(Shape),
    /// Say what would be done
    Plan(Shape),
    /// One service of the body
    #[command(hide = true)]
    Child(child::Args),
}

#[derive(Debug, Clone, clap::Args)]
struct Shape {
    /// Everything follows from it; another one every time if absent
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How often the house is hurt
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Services of the body
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(3..=40))]
    services: u32,
    /// Only hurts that a restart mends: a run of a minute
    #[arg(long)]
    short: bool,
    /// Leave the house's directory behind
    #[arg(long)]
    keep: bool,
}

impl Shape {
    fn plan(&self) -> Plan {
        let seed = self.seed.unwrap_or_else(|| u64::from_le_bytes(sanctum_kernel::trace::random()) >> 32);
        Plan::new(seed, self.services as usize, self.rounds as usize, self.short)
    }
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    match args.what {
        What::Child(args) => child::run(&args),
        What::Plan(shape) => {
            let plan = shape.plan();
            cli.show(&plan, |out, paint| write!(out, "{}", plan.tell(paint)))?;
            Ok(exit::OK)
        }
        What::Run(shape) => {
            let plan = shape.plan();
            let say = |line: &str| if cli.json { Ok(()) } else { cli.say(line) };
            say(&format!("  seed {}", Paint::stdout().bold(plan.seed)))?;
            let score = cli.block_on(rounds::run(&plan, shape.keep, cli.verbose, &say))??;
            cli.show(&score, |out, paint| write!(out, "{}", score.tell(paint)))?;
            Ok(if score.is_clean() { exit::OK } else { exit::NO })
        }
    }
}
