//! `sanctum config`: check, explain, example.

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::exit;
use sanctum_settings::{Problems, example, explain, load, secrets};
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// Work with `sanctum.toml`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum config check                         every complaint at once, with line and caret\n  sanctum config explain notify.quiet          what a key or a section means\n  sanctum config example                       every setting with its default")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Check the file whole, and that its secrets can be read; exit code 78 if anything is wrong
    Check {
        /// Another file than the house's own
        #[arg(value_name = "FILE")]
        file: Option<std::path::PathBuf>,
    },
    /// What a key takes, allows and is by default; a section lists its keys
    Explain {
        /// Such as `house.timezone` or `notify`
        key: String,
    },
    /// Every setting with its default and what it means
    Example,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    match args.what {
        What::Check { file } => check(&file.unwrap_or_else(|| cli.paths.config()), cli),
        What::Explain { key } => match explain(&CATALOGUE, &key) {
            Some(text) => told(&Told { key: Some(key), text: text.trim_end().to_owned() }, cli),
            None => Err(Hinted::new(exit::NO, format!("there is no key `{key}`"), "`sanctum config example` lists them all").into()),
        },
        What::Example => told(&Told { key: None, text: example(&CATALOGUE).trim_end().to_owned() }, cli),
    }
}

/// A text for people, which a script gets in one piece.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    text: String,
}

fn told(told: &Told, cli: &Cli) -> Outcome {
    cli.show(told, |out, _| writeln!(out, "{}", told.text))?;
    Ok(exit::OK)
}

#[derive(Debug, Serialize)]
struct Report {
    file: String,
    ok: bool,
    problems: Vec<Complaint>,
}

#[derive(Debug, Serialize)]
struct Complaint {
    message: String,
    line: Option<usize>,
    column: Option<usize>,
    hint: Option<String>,
}

fn check(path: &std::path::Path, cli: &Cli) -> Outcome {
    // The file is right or wrong by itself; whether the secrets it names are there is a look at this machine.
    let checked = load(path, &CATALOGUE).and_then(|loaded| match secrets(&loaded, &cli.paths) {
        Some(problems) => Err(problems),
        None => Ok(loaded),
    });
    let problems = checked.as_ref().err().map(complaints).unwrap_or_default();
    let report = Report { file: path.display().to_string(), ok: checked.is_ok(), problems };
    cli.show(&report, |out, paint| match &checked {
        Ok(_) => writeln!(out, "{} {}", paint.green("good:"), report.file),
        Err(problems) => {
            writeln!(out, "{}", problems.draw(Paint::stdout().is_on()))?;
            let count = problems.all.len();
            writeln!(out, "\n{count} {} in {}", if count == 1 { "problem" } else { "problems" }, report.file)
        }
    })?;
    let missing = checked.as_ref().is_err_and(|problems| problems.source.is_empty());
    Ok(if checked.is_ok() { exit::OK } else if missing && !path.exists() { exit::NO_INPUT } else { exit::CONFIG })
}

fn complaints(problems: &Problems) -> Vec<Complaint> {
    let one = |problem: &sanctum_settings::Problem| {
        let (line, column) = problems.position(problem).unzip();
        Complaint { message: problem.message.clone(), line, column, hint: problem.hint.clone() }
    };
    problems.all.iter().map(one).collect()
}
