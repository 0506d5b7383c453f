//! `sanctum units`: unit files for the platform's own supervisor.

mod launchd;
mod systemd;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use sanctum_kernel::{Failure, Spec, exit, files};
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};

/// Unit files, so that launchd or systemd keeps services instead of `sanctum up`, or keeps `sanctum up` itself.
///
/// Without names: one file for every service but the supervisor. `supervise` alone gives the one file that keeps
/// the whole house. Everything in them is computed from what each service declares.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum units systemd supervise --dir /etc/systemd/system   the house as one unit\n  sanctum units systemd --dir /etc/systemd/system             every service as its own unit\n  sanctum units launchd notify                                 one, on standard output")]
pub(crate) struct Args {
    /// Whose format
    #[arg(value_enum, value_name = "PLATFORM")]
    platform: Platform,
    /// Services, by name or house name
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Write files into this directory instead of printing them
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Platform {
    Launchd,
    Systemd,
}

/// What a unit says besides what the service declares.
#[derive(Debug)]
struct Place<'p> {
    binary: &'p Path,
    home: &'p Path,
}

/// A unit file.
#[derive(Debug, Serialize)]
struct Unit {
    file: String,
    text: String,
}

impl Platform {
    fn unit(self, spec: &Spec, place: &Place<'_>) -> Unit {
        match self {
            Self::Launchd => Unit { file: format!("dev.sanctum.{}.plist", spec.name), text: launchd::plist(spec, place) },
            Self::Systemd => Unit { file: format!("sanctum-{}.service", spec.name), text: systemd::unit(spec, place) },
        }
    }
}

/// The supervisor's unit keeps the whole house; every other one runs its service.
fn words(spec: &Spec) -> Vec<&'static str> {
    if spec.name == "supervise" { vec!["up"] } else { vec!["run", spec.name] }
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let Args { platform, names, dir } = args;
    let names = if names.is_empty() {
        crate::run::in_one_process()
    } else {
        names.iter().map(|word| super::run::service(word)).collect::<Result<Vec<_>, _>>()?
    };
    let binary = std::env::current_exe()?;
    let home = std::path::absolute(cli.paths.home())?;
    let place = Place { binary: &binary, home: &home };
    let specs = CATALOGUE.iter().map(|entry| entry.spec).filter(|spec| names.contains(&spec.name));
    let units: Vec<Unit> = specs.map(|spec| platform.unit(spec, &place)).collect();
    match &dir {
        Some(dir) => write(&units, dir, cli)?,
        None => cli.show(&units, |out, _| units.iter().try_for_each(|unit| out.write_all(unit.text.as_bytes())))?,
    }
    Ok(exit::OK)
}

fn write(units: &[Unit], dir: &Path, cli: &Cli) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)?;
    for unit in units {
        files::replace(&dir.join(&unit.file), unit.text.as_bytes(), 0o644)?;
    }
    let written: Vec<PathBuf> = units.iter().map(|unit| dir.join(&unit.file)).collect();
    cli.show(&written, |out, _| written.iter().try_for_each(|path| writeln!(out, "{}", path.display())))
}
