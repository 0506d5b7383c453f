//! `sanctum why`: from a symptom to its root, with the evidence.

use std::io::{self, Write};

use sanctum_api::watch::Why;

use super::incidents;
use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;
use crate::watching::{About, state};

/// Why a service is as it is: one sentence, then the chain from the symptom to the root with what was seen of each, then what was
/// tried.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum why dashboard\n  sanctum why home-assistant --json | jq -r '.chain[-1].service'     the root\n\nExit code 0 if it is healthy, 1 if it is not.")]
pub(crate) struct Args {
    #[command(flatten)]
    about: About,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    args.about.show(cli, async |watch, name| watch.why(name).await, draw, |why| why.state)
}

fn draw(out: &mut dyn Write, paint: Paint, why: &Why, wall: &Wall) -> io::Result<()> {
    writeln!(out, "{}", paint.bold(&why.sentence))?;
    let last = why.chain.len().saturating_sub(1);
    for (at, link) in why.chain.iter().enumerate() {
        let arrow = if at == 0 { "  " } else { "└ " };
        let root = if at == last && at > 0 { paint.dim("  the root") } else { String::new() };
        let indent = "  ".repeat(at);
        let since = paint.dim(format!("since {}", wall.at(link.since)));
        writeln!(out, "\n{indent}{arrow}{}  {}  {since}{root}", paint.bold(&link.service), state(paint, link.state, 0))?;
        for line in &link.evidence {
            writeln!(out, "{indent}    {line}")?;
        }
    }
    match &why.incident {
        Some(incident) => {
            writeln!(out)?;
            incidents::brief(out, paint, incident, wall)
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::incidents::fixtures;

    #[test]
    fn the_sentence_is_first_and_the_root_is_last() {
        let drawn = fixtures::drawn(|out, paint, wall| draw(out, paint, &fixtures::why(), wall));
        assert!(drawn.starts_with("doorbell has failed because home-assistant needs tunnel"), "{drawn}");
        let parts = ["  doorbell  failed  since", "web: answered 502", "└ home-assistant  failed  since", "└ tunnel  blocked  since", "the root", "Incident 12"];
        fixtures::has(&drawn, &parts);
    }
}
