//! `sanctum route explain`: why a request would go where it goes.

use std::io::{self, Write};

use sanctum_api::proxy::{Candidate, Client, Explain, Explanation, dollars};
use sanctum_kernel::exit;

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// Why a request would go where it goes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Route a prompt without sending it: every candidate, why it was kept or dropped, and the winner
    ///
    /// It takes the very decisions a real request would take, with the state of this moment: breakers, budget, keys.
    /// The exit code is 1 when nobody would answer.
    #[command(after_help = "Examples:
  sanctum route explain \"fix the failing test in auth.rs\" --agent windu
  sanctum route explain \"what does my blood test mean\"        stays in the house
  sanctum route explain hello --model opus --json")]
    Explain {
        /// The last words of the user
        prompt: Vec<String>,
        /// The agent that would ask
        #[arg(long)]
        agent: Option<String>,
        /// The model it would ask for [default: auto]
        #[arg(long)]
        model: Option<String>,
        /// The class it would declare: general, code, security, health, finance
        #[arg(long)]
        class: Option<String>,
        /// A tool it would carry; may be repeated
        #[arg(long = "tool", value_name = "NAME")]
        tools: Vec<String>,
        /// It would carry a picture
        #[arg(long)]
        image: bool,
        /// Most tokens of output it would allow
        #[arg(long, value_name = "TOKENS")]
        max_tokens: Option<u64>,
    },
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let What::Explain { prompt, agent, model, class, tools, image, max_tokens } = args.what;
    let ask = Explain { agent, model, prompt: prompt.join(" "), class, tools, images: image, max_tokens };
    let client = Client::new(cli.transport("proxy")?);
    let explanation = cli.call(client.explain(&ask))?;
    cli.show(&explanation, |out, paint| show(out, paint, &explanation))?;
    Ok(if explanation.winner.is_some() { exit::OK } else { exit::NO })
}

fn show(out: &mut dyn Write, paint: Paint, said: &Explanation) -> io::Result<()> {
    let label = |text: &str| paint.dim(format!("{text:<8}"));
    let privacy = if said.privacy == "open" { said.privacy.clone() } else { paint.yellow(format!("{} — stays in the house", said.privacy)) };
    writeln!(out, "{} {} asks for {}", label("who"), paint.bold(&said.agent), paint.bold(&said.asked))?;
    writeln!(out, "{} {privacy}  {}", label("privacy"), paint.dim(&said.privacy_because))?;
    writeln!(out, "{} {}  {}", label("intent"), said.intent, paint.dim(&said.intent_because))?;
    writeln!(out, "{} {}  {}", label("rule"), said.rule, paint.dim(format!("tier {}", said.tier)))?;
    writeln!(out)?;
    for candidate in &said.candidates {
        line(out, paint, candidate, said.winner.as_deref())?;
    }
    writeln!(out)?;
    match (&said.winner, &said.refusal) {
        (Some(winner), _) => writeln!(out, "{} {}", paint.green("→"), paint.bold(winner)),
        (None, Some(refusal)) => writeln!(out, "{} nobody would answer: {refusal}", paint.red("✗")),
        (None, None) => writeln!(out, "{} nobody would answer", paint.red("✗")),
    }
}

fn line(out: &mut dyn Write, paint: Paint, candidate: &Candidate, winner: Option<&str>) -> io::Result<()> {
    let name = format!("{}/{}", candidate.provider, candidate.model);
    let wins = winner == Some(name.as_str());
    let sign = match (wins, candidate.kept) {
        (true, _) => paint.green("✓"),
        (false, true) => paint.dim("·"),
        (false, false) => paint.red("✗"),
    };
    let reserve = match candidate.reserve_usd {
        0.0 => String::new(),
        reserve => format!("  reserves {}", dollars(reserve)),
    };
    let padded = format!("{name:<36}");
    let padded = if wins { paint.bold(padded) } else { padded };
    writeln!(
        out,
        "{sign} {padded} {:<6} {:<9} {}{}",
        candidate.locality,
        candidate.tier,
        candidate.because,
        paint.dim(reserve)
    )
}
