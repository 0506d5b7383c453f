//! `sanctum units`: unit files for the platform's own supervisor.

mod foreign;
mod launchd;
mod systemd;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use sanctum_kernel::{Failure, House, Spec, exit, files};
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};
use foreign::Foreign;

/// Unit files, so that launchd or systemd keeps services instead of `sanctum up`, or keeps `sanctum up` itself.
///
/// Without names: one file for every service but the supervisor, ours and those that the file declares (with a timer for
/// every scheduled job). `supervise` alone gives the one file that keeps
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
    let all = names.is_empty();
    let names: Vec<String> = if all {
        crate::run::in_one_process().into_iter().map(str::to_owned).chain(cli.logged()).collect()
    } else {
        names.iter().map(|word| cli.service(word)).collect::<Result<_, _>>()?
    };
    let binary = std::env::current_exe()?;
    let home = std::path::absolute(cli.paths.home())?;
    let place = Place { binary: &binary, home: &home };
    let apart = |spec: &Spec| all && !crate::run::in_one_process().contains(&spec.name);
    let specs = CATALOGUE.iter().map(|entry| entry.spec).filter(|spec| names.iter().any(|name| name == spec.name) && !apart(spec));
    let mut units: Vec<Unit> = specs.map(|spec| platform.unit(spec, &place)).collect();
    let loaded = if cli.paths.config().exists() { Some(cli.settings()?) } else { None };
    for foreign in loaded.iter().flat_map(|loaded| foreign(&loaded.house)).filter(|foreign| names.iter().any(|name| name == foreign.name)) {
        match platform {
            Platform::Launchd => units.push(foreign.launchd(&place)),
            Platform::Systemd => units.extend(foreign.systemd(&place)),
        }
    }
    match &dir {
        Some(dir) => write(&units, dir, cli)?,
        None => cli.show(&units, |out, _| units.iter().try_for_each(|unit| out.write_all(unit.text.as_bytes())))?,
    }
    Ok(exit::OK)
}

/// What the file declares and a supervisor can run.
fn foreign(house: &House) -> impl Iterator<Item = Foreign<'_>> {
    let runs = house.service.iter().filter_map(|(name, declared)| Some((name, declared, declared.run.as_ref()?)));
    runs.map(|(name, declared, run)| {
        let by = house.service.iter().filter(|(_, other)| other.run.is_some() && other.requires.contains(name));
        let required_by = by.map(|(by, _)| by.as_str()).collect();
        Foreign { name, declared, run, required_by, zone: house.house.timezone.to_string() }
    })
}

fn write(units: &[Unit], dir: &Path, cli: &Cli) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)?;
    for unit in units {
        files::replace(&dir.join(&unit.file), unit.text.as_bytes(), 0o644)?;
    }
    let written: Vec<PathBuf> = units.iter().map(|unit| dir.join(&unit.file)).collect();
    cli.show(&written, |out, _| written.iter().try_for_each(|path| writeln!(out, "{}", path.display())))
}
