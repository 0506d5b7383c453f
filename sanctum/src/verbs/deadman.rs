//! `sanctum deadman`: the switch that watches the supervisor.

use std::io::{self, Write};
use std::time::Duration;

use clap::Subcommand;
use sanctum_api::deadman::{Client, Stance, State};
use sanctum_kernel::{Period, exit};

use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;

/// See the dead-man's switch, try how it would tell you, switch it off for a while.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum deadman                   what it knows and what it would do\n  sanctum deadman drill             try every way to tell you, silently\n  sanctum deadman disarm --for 2h   it does nothing, such as while you work on the house\n  sanctum deadman arm               it acts again; also the way out of safe mode\n\nExit code 1 if it is not armed, or its last drill failed.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What it knows and what it would do
    Status,
    /// Try every way to tell you, silently
    Drill,
    /// Act again: ends safe mode and the time of being disarmed
    Arm,
    /// Do nothing for a while
    Disarm {
        /// For how long, a week at most
        #[arg(long = "for", value_name = "PERIOD", default_value = "1h")]
        length: Period,
    },
}

pub(crate) fn run(Args { what }: Args, cli: &Cli) -> Outcome {
    let client = Client::new(cli.transport("deadman")?);
    let state = cli.call(async move {
        match what.unwrap_or(What::Status) {
            What::Status => client.state().await,
            What::Drill => client.drill().await,
            What::Arm => client.arm().await,
            What::Disarm { length } => client.disarm(length.0.as_secs()).await,
        }
    })?;
    answer(cli, &state)
}

/// Shows what the switch says of itself.
pub(super) fn answer(cli: &Cli, state: &State) -> Outcome {
    let wall = cli.wall();
    cli.show(state, |out, paint| draw(out, paint, state, &wall))?;
    let drilled = state.drill.as_ref().is_none_or(|drill| drill.trouble.is_none());
    Ok(if state.stance == Stance::Armed && drilled { exit::OK } else { exit::NO })
}

fn draw(out: &mut dyn Write, paint: Paint, state: &State, wall: &Wall) -> io::Result<()> {
    let word = state.stance.word();
    let (mark, word) = match state.stance {
        Stance::Armed => (paint.green("●"), paint.green(word)),
        Stance::Resting => (paint.dim("○"), word.to_owned()),
        Stance::Disarmed => (paint.yellow("○"), paint.yellow(word)),
        Stance::SafeMode => (paint.red("●"), paint.red(word)),
    };
    let until = state.disarmed_until.map(|until| format!(" until {}", wall.at(until))).unwrap_or_default();
    writeln!(out, "{mark} The dead-man's switch is {word}{until}.")?;
    if let Some(silent) = state.silent_ms {
        let seconds = Duration::from_millis(silent).as_secs();
        writeln!(out, "  The supervisor's last sign of life: {seconds} s ago.")?;
    }
    if state.failures > 0 {
        writeln!(out, "  Attempts to bring it back that failed: {}.", state.failures)?;
    }
    if state.stance == Stance::SafeMode {
        let ways = "sanctum logs supervise, then sanctum up, or sanctum unlock supervise";
        writeln!(out, "  It is not tried again. {}", paint.cyan(ways))?;
    }
    match (state.ways.as_slice(), &state.drill) {
        ([], _) => writeln!(out, "  It has no way of its own to tell you: {} in sanctum.toml.", paint.cyan("[deadman] url or command"))?,
        (ways, drill) => {
            ways.iter().try_for_each(|way| writeln!(out, "  It tells by {way}"))?;
            match drill {
                None => writeln!(out, "  No drill yet.")?,
                Some(drill) => match &drill.trouble {
                    None => writeln!(out, "  Last drill: {}, {}.", wall.at(drill.at), paint.green("every way works"))?,
                    Some(trouble) => writeln!(out, "  Last drill: {}, {}", wall.at(drill.at), paint.red(trouble))?,
                },
            }
        }
    }
    match &state.peer {
        Some(peer) if peer.lost => writeln!(out, "  {} the switch at {}.", paint.red("It cannot see"), peer.url),
        Some(peer) => writeln!(out, "  It sees the switch at {}.", peer.url),
        None => Ok(()),
    }
}
