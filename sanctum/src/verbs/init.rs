//! `sanctum init`: a first configuration, asked for or by defaults.

use std::io::{BufRead, IsTerminal, Write};

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, Wall, Zone, exit, files};
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// Write a commented `sanctum.toml`: asks for the time zone, the children and their bedtime.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum init                                    asks\n  sanctum init --yes                              takes the defaults\n  sanctum init --yes --timezone America/Toronto --child Ava --child Max --curfew 21:00\n\nAn existing file is never overwritten unless --force is given, and then a copy is kept beside it.")]
pub(crate) struct Args {
    /// Ask nothing, take the defaults
    #[arg(long, short)]
    yes: bool,
    /// Replace an existing file; the old one is kept as `sanctum.toml.before`
    #[arg(long)]
    force: bool,
    /// IANA time zone [default: the machine's]
    #[arg(long)]
    timezone: Option<Zone>,
    /// A child's name; repeat for more
    #[arg(long = "child", value_name = "NAME")]
    children: Vec<String>,
    /// When the children's curfew begins on school nights [default: 21:30]
    #[arg(long, value_name = "HH:MM")]
    curfew: Option<Wall>,
    /// The router: `simulated`, or `nftables` where this machine routes [default: nftables if it has a bridge `br-lan`]
    #[arg(long)]
    router: Option<Router>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Router {
    Simulated,
    Nftables,
}

/// What the file is made from.
#[derive(Debug)]
struct Answers {
    zone: Zone,
    children: Vec<String>,
    curfew: Wall,
    router: Router,
}

#[derive(Debug, Serialize)]
struct Written {
    file: String,
    kept: Option<String>,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let path = cli.paths.config();
    if path.exists() && !args.force {
        let message = format!("`{}` is already there", path.display());
        return Err(Hinted::new(exit::CANNOT_CREATE, message, "`--force` replaces it and keeps a copy").into());
    }
    let answers = if args.yes { args.defaults() } else { args.ask()? };
    let text = render(&answers)?;
    // What is written must be what the house accepts.
    sanctum_settings::check(&path, &text, &CATALOGUE)?;
    cli.paths.prepare()?;
    let kept = keep(&path)?;
    files::replace(&path, text.as_bytes(), 0o600)?;
    let written = Written { file: path.display().to_string(), kept };
    cli.show(&written, |out, paint| {
        writeln!(out, "{} {}", paint.green("written:"), written.file)?;
        if let Some(kept) = &written.kept {
            writeln!(out, "{} {kept}", paint.dim("the old one is"))?;
        }
        writeln!(out, "\nnext: {}   to look for what is in the way\n      {}       to start the house", paint.bold("sanctum doctor"), paint.bold("sanctum up"))
    })?;
    Ok(exit::OK)
}

fn keep(path: &std::path::Path) -> Result<Option<String>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let kept = path.with_extension("toml.before");
    files::replace(&kept, files::read(path)?.as_bytes(), 0o600)?;
    Ok(Some(kept.display().to_string()))
}

impl Args {
    fn defaults(self) -> Answers {
        Answers {
            zone: self.timezone.unwrap_or_else(Zone::system),
            children: self.children,
            curfew: self.curfew.unwrap_or(Wall::new(21, 30)),
            router: self.router.unwrap_or_else(likely_router),
        }
    }

    fn ask(self) -> Result<Answers, Failure> {
        if !std::io::stdin().is_terminal() {
            return Err(Hinted::new(exit::USAGE, "there is no terminal to ask on", "`sanctum init --yes` takes the defaults; `--help` lists what can be given").into());
        }
        let zone = match self.timezone {
            Some(zone) => zone,
            None => question("Time zone", Some(&Zone::system().to_string()))?,
        };
        let children = if self.children.is_empty() {
            let names: String = question("Children's names, with commas between them", Some(""))?;
            names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        } else {
            self.children
        };
        let curfew = match self.curfew {
            Some(curfew) => curfew,
            None => question("Curfew on school nights", Some("21:30"))?,
        };
        Ok(Answers { zone, children, curfew, router: self.router.unwrap_or_else(likely_router) })
    }
}

/// Asks until the answer can be read; an empty answer is the default.
fn question<T: std::str::FromStr<Err: std::fmt::Display>>(what: &str, default: Option<&str>) -> Result<T, Failure> {
    let paint = Paint::stdout();
    loop {
        let mut out = std::io::stdout().lock();
        let shown = default.filter(|default| !default.is_empty()).map(|default| format!(" [{default}]")).unwrap_or_default();
        write!(out, "{}{} ", paint.bold(what), paint.dim(format!("{shown}:")))?;
        out.flush()?;
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            return Err(Hinted::new(exit::USAGE, "the answers ended early", "nothing was written").into());
        }
        let answer = Some(line.trim()).filter(|answer| !answer.is_empty()).or(default).unwrap_or_default();
        match answer.parse() {
            Ok(value) => return Ok(value),
            Err(error) => writeln!(out, "{} {error}", paint.red("no:"))?,
        }
    }
}

/// A machine with this bridge is most likely the router itself.
fn likely_router() -> Router {
    if std::path::Path::new("/sys/class/net/br-lan/bridge").exists() { Router::Nftables } else { Router::Simulated }
}

/// A short name: lower case, digits and dashes.
fn short(name: &str) -> String {
    let dashed: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    dashed.trim_matches('-').to_owned()
}

fn render(answers: &Answers) -> Result<String, Failure> {
    let mut people = String::from("[person.parent]\nrole = \"parent\"\n");
    let mut devices = String::new();
    for child in &answers.children {
        let id = short(child);
        if id.is_empty() || id == "parent" {
            return Err(Hinted::new(exit::USAGE, format!("`{child}` does not make a short name"), "use letters and digits").into());
        }
        people.push_str(&format!("\n[person.{id}]\nrole = \"child\"\nname = {}\n", serde_json::Value::from(child.as_str())));
        devices.push_str(&format!("# [device.{id}-console]\n# name = {}\n# mac = [\"60:45:bd:12:34:56\"]\n# owner = \"{id}\"\n# tier = \"gaming\"\n\n", serde_json::Value::from(format!("{child}'s console"))));
    }
    if devices.is_empty() {
        devices.push_str("# [device.tv]\n# name = \"The TV\"\n# mac = [\"60:45:bd:12:34:56\"]\n# tier = \"screen\"\n\n");
    }
    let router = match answers.router {
        Router::Simulated => "simulated",
        Router::Nftables => "nftables",
    };
    let text = include_str!("init.toml");
    Ok(text
        .replace("@ZONE@", &answers.zone.to_string())
        .replace("@PEOPLE@", people.trim_end())
        .replace("@DEVICES@", devices.trim_end())
        .replace("@ROUTER@", router)
        .replace("@CURFEW@", &answers.curfew.to_string()))
}
