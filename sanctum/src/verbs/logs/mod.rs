//! `sanctum logs`: what services wrote, readable.

mod line;
mod tail;

use std::io::{self, Write};
use std::time::Duration;

use sanctum_kernel::{Failure, exit};

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;
use line::Line;
use tail::Tail;

/// What services wrote, the newest lines last; several services are merged by time.
///
/// The files are read directly, so this works while the house is down. Lines that begin with `---` are the
/// supervisor's.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum logs                    the last 20 lines of every service\n  sanctum logs notify -n 100      the last hundred of one\n  sanctum logs screen firewall -f  and what comes, until Ctrl-C\n  sanctum logs notify --raw | grep error")]
pub(crate) struct Args {
    /// Services, by name or house name; all of them if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Go on with what comes
    #[arg(long, short)]
    follow: bool,
    /// How many of the last lines of each service
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    lines: usize,
    /// As they are in the file
    #[arg(long)]
    raw: bool,
}

/// How often a followed file is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let Args { names, follow: go_on, lines: count, raw } = args;
    let names = if names.is_empty() {
        cli.logged()
    } else {
        names.iter().map(|word| cli.service(word)).collect::<Result<Vec<_>, _>>()?
    };
    let mut tails: Vec<Tail> = names.iter().map(|name| Tail::new(name, cli.paths.logs().join(format!("{name}.log")))).collect();
    let printer = Printer { json: cli.json, raw, named: tails.len() > 1, paint: Paint::stdout() };
    let mut lines: Vec<Line> = tails.iter_mut().flat_map(|tail| tail.last(count)).collect();
    lines.sort_by(|one, other| one.at.cmp(&other.at));
    if lines.is_empty() && !go_on && !cli.json {
        cli.say("Nothing has been written yet.")?;
    }
    printer.print(&lines)?;
    if go_on {
        cli.block_on(follow(tails, printer))??;
    }
    Ok(exit::OK)
}

async fn follow(mut tails: Vec<Tail>, printer: Printer) -> Result<(), Failure> {
    loop {
        tokio::time::sleep(LOOK).await;
        let mut lines: Vec<Line> = tails.iter_mut().flat_map(Tail::new_lines).collect();
        lines.sort_by(|one, other| one.at.cmp(&other.at));
        printer.print(&lines)?;
    }
}

#[derive(Debug, Clone, Copy)]
struct Printer {
    json: bool,
    raw: bool,
    named: bool,
    paint: Paint,
}

impl Printer {
    fn print(self, lines: &[Line]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let written = lines.iter().try_for_each(|line| self.one(&mut out, line)).and_then(|()| out.flush());
        match written {
            // Who reads through `head` has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !self.named => Ok(()),
            other => Ok(other?),
        }
    }

    fn one(self, out: &mut dyn Write, line: &Line) -> io::Result<()> {
        if self.json {
            let text = serde_json::to_string(line).map_err(io::Error::from)?;
            return writeln!(out, "{text}");
        }
        let name = if self.named { format!("{}  ", self.paint.cyan(format!("{:<9}", line.service))) } else { String::new() };
        let text = if self.raw { line.text.clone() } else { line.readable(self.paint) };
        writeln!(out, "{name}{text}")
    }
}
