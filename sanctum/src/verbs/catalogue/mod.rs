//! `sanctum catalogue`: everything the house depends on, what is wrong with the declarations, and the drawing.

mod draw;

use std::io::{self, Write};

use sanctum_kernel::inventory::lint::{self, Fault, Level};
use sanctum_kernel::{Inventory, exit};
use sanctum_settings::load;
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// Everything the house depends on, ours and foreign: declared once, in `[service.NAME]` and in this program.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum catalogue lint\n  sanctum catalogue lint --strict                 warnings count, too\n  sanctum catalogue graph                         layers, as text\n  sanctum catalogue graph --format dot | dot -Tpng > house.png\n  sanctum catalogue graph --format svg > house.svg")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// What is wrong with the declarations, or will disappoint: ports, names, circles, calls across the bridge, what nobody looks at
    ///
    /// Exit code 1 if there is an error; `sanctum config check` refuses a file for the same.
    Lint {
        /// Warnings count as errors
        #[arg(long)]
        strict: bool,
    },
    /// What stands on what
    Graph {
        /// How it is drawn
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        /// Most boxes in a row
        #[arg(long, default_value_t = 7, value_name = "COUNT")]
        widest: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Layers, the foundations last
    Text,
    /// For Graphviz
    Dot,
    /// A picture
    Svg,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    match args.what {
        What::Lint { strict } => lint(strict, cli),
        What::Graph { format, widest } => graph(format, widest, cli),
    }
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    services: usize,
    faults: Vec<Said>,
}

#[derive(Debug, Serialize)]
struct Said {
    #[serde(flatten)]
    fault: Fault,
    /// From 1, in sanctum.toml.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

/// What the check of the file refuses is said here as well: there is no inventory of a file that does not read.
fn lint(strict: bool, cli: &Cli) -> Outcome {
    let report = match load(&cli.paths.config(), &CATALOGUE) {
        Ok(loaded) => {
            let inventory = Inventory::of(&CATALOGUE, &loaded.house, &loaded.addresses(), &[]);
            let recipes = sanctum_watch::heal::ids(&cli.paths);
            let recipes: Vec<&str> = recipes.iter().map(String::as_str).collect();
            let faults = lint::lint(&inventory, Some(&recipes)).into_iter().map(|fault| Said { fault, line: None }).collect();
            Report { ok: true, services: inventory.0.len(), faults }
        }
        Err(problems) if problems.source.is_empty() => return Err(cli.settings().err().unwrap_or_else(|| "the file is not there".into())),
        Err(problems) => {
            let say = |problem: &sanctum_settings::Problem| {
                let fault = Fault { level: Level::Error, rule: "file", service: String::new(), path: Vec::new(), message: problem.message.clone(), hint: problem.hint.clone() };
                Said { fault, line: problems.position(problem).map(|(line, _)| line) }
            };
            Report { ok: false, services: 0, faults: problems.all.iter().map(say).collect() }
        }
    };
    let bad = report.faults.iter().any(|said| said.fault.level == Level::Error || strict);
    let report = Report { ok: !bad, ..report };
    cli.show(&report, |out, paint| drawn(out, paint, &report))?;
    Ok(if bad { exit::NO } else { exit::OK })
}

fn drawn(out: &mut dyn Write, paint: Paint, report: &Report) -> io::Result<()> {
    for said in &report.faults {
        let fault = &said.fault;
        let word = if fault.level == Level::Error { paint.red("error") } else { paint.yellow("mind ") };
        let place = said.line.map_or_else(|| fault.path.join("."), |line| format!("line {line}"));
        writeln!(out, "{word}  {}  {}", paint.bold(place), fault.message)?;
        if let Some(hint) = &fault.hint {
            writeln!(out, "       {} {hint}", paint.cyan("→"))?;
        }
    }
    let errors = report.faults.iter().filter(|said| said.fault.level == Level::Error).count();
    let warnings = report.faults.len() - errors;
    if report.faults.is_empty() {
        return writeln!(out, "{} {} services, and nothing wrong with how they are declared.", paint.green("●"), report.services);
    }
    let plural = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let line = format!("{}, {}.", plural(errors, "error"), plural(warnings, "warning"));
    writeln!(out, "{}", if errors > 0 { paint.red(line) } else { paint.yellow(line) })
}

fn graph(format: Format, widest: usize, cli: &Cli) -> Outcome {
    let loaded = cli.settings()?;
    let inventory = Inventory::of(&CATALOGUE, &loaded.house, &loaded.addresses(), &[]);
    let graph = draw::Graph::of(&inventory, widest);
    cli.show(&graph, |out, paint| match format {
        Format::Text => draw::text(out, paint, &inventory, &graph),
        Format::Dot => draw::dot(out, &inventory),
        Format::Svg => draw::svg(out, &inventory, widest),
    })?;
    Ok(exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::incidents::fixtures;

    #[test]
    fn faults_read_well() {
        let fault = |level, path: &[&str], message: &str, hint: Option<&str>| Said {
            fault: Fault { level, rule: "r", service: "a".into(), path: path.iter().map(|&key| key.to_owned()).collect(), message: message.into(), hint: hint.map(str::to_owned) },
            line: None,
        };
        let report = Report {
            ok: false,
            services: 9,
            faults: vec![
                fault(Level::Error, &["service", "a", "requires", "0"], "these wait for each other for ever: a → b → a", Some("take `b` out of `requires`")),
                fault(Level::Warning, &["service", "door"], "it is critical and nothing looks whether it works", None),
            ],
        };
        let said = fixtures::drawn(|out, paint, _| drawn(out, paint, &report));
        let parts = ["error  service.a.requires.0  these wait for each other for ever: a → b → a", "→ take `b` out of `requires`", "mind   service.door  it is critical", "1 error, 1 warning."];
        fixtures::has(&said, &parts);
        let good = Report { ok: true, services: 9, faults: Vec::new() };
        assert_eq!(fixtures::drawn(|out, paint, _| drawn(out, paint, &good)), "● 9 services, and nothing wrong with how they are declared.\n");
    }
}
