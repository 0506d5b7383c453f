//! `sanctum firewall`: the router as it is seen, the way out, and a copy of everything that was said.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use sanctum_api::firewall::{Client, Export};
use sanctum_firewall::Config;
use sanctum_firewall::backend::Kind;
use sanctum_firewall::backend::nftables::RECOVERY;
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{exit, files};
use serde::Serialize;

use crate::cli::{Cli, Outcome};

/// The router: how it is, the way out, a copy of its devices.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sanctum firewall status
  sanctum firewall off                  no internet at home? this takes every block away, at once
  sanctum firewall on                   and this puts them back
  sanctum firewall export house.json    devices, names and blocks; for a backup or a new router
  sanctum firewall import house.json

`off` works without the service and needs root (not with a simulated router, which has no rules here). It removes the tables `inet sanctum` and `bridge sanctum`, and
nothing else.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The router as it is seen: what it can do, what it holds, what is wrong
    Status,
    /// Take every block away: prints the recovery line, runs it, and looks whether it worked
    Off,
    /// Put everything back that should be there
    On,
    /// Write devices, names and blocks into a file
    Export {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Take over devices, names and blocks from a file (`-` for standard input)
    Import {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    match args.what {
        What::Status => status(cli),
        What::Off => off(cli),
        What::On => on(cli),
        What::Export { file } => export(cli, &file),
        What::Import { file } => import(cli, &file),
    }
}

fn client(cli: &Cli) -> Result<Client, sanctum_kernel::Failure> {
    cli.transport("firewall").map(Client::new)
}

fn status(cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let router = cli.call(client.router())?;
    let well = router.drift.is_none() && !router.off && router.observed.is_some();
    cli.show(&router, |out, paint| {
        let seen = router
            .observed
            .map_or_else(|| "it could not be looked at".to_owned(), |seen| format!("{seen} found"));
        let light = if well { paint.green("●") } else { paint.red("●") };
        writeln!(
            out,
            "{light} {}: {} addresses should be blocked, {seen}",
            paint.bold(&router.backend),
            router.intended
        )?;
        if router.off {
            writeln!(
                out,
                "  {}; `sanctum firewall on` puts the rules back",
                paint.red("switched off by a person")
            )?;
        }
        if let Some(drift) = &router.drift {
            writeln!(out, "  {}", paint.red(drift))?;
        }
        writeln!(out, "  newcomers: {}", format!("{:?}", router.newcomers).to_lowercase())?;
        writeln!(out, "  can: {}", router.can.join(", "))?;
        if !router.cannot.is_empty() {
            writeln!(out, "  {}", paint.dim(format!("cannot: {}", router.cannot.join(", "))))?;
        }
        Ok(())
    })?;
    Ok(if well { exit::OK } else { exit::NO })
}

/// What `off` did.
#[derive(Debug, Serialize)]
struct Off {
    /// The line that was run; anybody can type it. Empty for a simulated router, which has none.
    ran: String,
    /// Read back: neither table is there.
    gone: bool,
    /// Whether a running service was told, so that it does not put the tables back.
    service_told: bool,
}

/// The settings of the firewall as the file has them; its defaults while the file cannot be read.
fn settings(cli: &Cli) -> Option<Config> {
    let loaded = cli.settings().ok()?;
    loaded.with_section("firewall", |section: &sanctum_kernel::section::Section<'_>| section.parse().ok())
}

/// Which router the house has: the running service knows best.
fn is_simulated(cli: &Cli) -> bool {
    let running = client(cli).ok().and_then(|client| cli.call(client.router()).ok());
    match running {
        Some(router) => router.backend == Kind::simulated.word(),
        None => settings(cli).is_some_and(|config| config.backend == Kind::simulated),
    }
}

/// A router in memory has no rules on this machine: whatever tables there are belong to somebody else.
fn off_simulated(cli: &Cli) -> Outcome {
    let told = client(cli).is_ok_and(|client| cli.call(client.off(true)).is_ok());
    let done = Off { ran: String::new(), gone: true, service_told: told };
    cli.show(&done, |out, paint| match told {
        true => writeln!(out, "{} The router is simulated: nothing of this machine was touched. The service blocks nothing until `sanctum firewall on`.", paint.green("●")),
        false => writeln!(out, "{} The router is simulated and the house is down: there is nothing to take away.", paint.green("●")),
    })?;
    Ok(exit::OK)
}

fn off(cli: &Cli) -> Outcome {
    if is_simulated(cli) {
        return off_simulated(cli);
    }
    let line = format!("nft '{RECOVERY}'");
    if !cli.json {
        cli.say(&line)?;
    }
    if !rustix::process::geteuid().is_root() {
        let hint = format!("run it as root: sudo {line}");
        return Err(Hinted::new(exit::NO_PERMISSION, "removing the router's rules needs root", hint).into());
    }
    // A running service would repair the tables at once: it is told first. If it is down, so much the better.
    let told = client(cli).is_ok_and(|client| cli.call(client.off(true)).is_ok());
    let program = settings(cli).map_or_else(|| "nft".to_owned(), |config| config.nftables.nft);
    nft(&program, &[RECOVERY])?;
    let left = nft(&program, &["list", "tables"])?;
    let gone =
        !left.lines().any(|table| ["table inet sanctum", "table bridge sanctum"].contains(&table.trim()));
    let done = Off { ran: line, gone, service_told: told };
    cli.show(&done, |out, paint| match gone {
        true => writeln!(out, "{} Every block is gone. {}", paint.green("●"), match told {
            true => "The service knows; `sanctum firewall on`, or its restart, puts the rules back.",
            false => "The service was not reached: when it starts, it puts the rules back.",
        }),
        false => writeln!(out, "{} The tables are still there: something puts them back. Stop it (`sanctum down`) and try again.", paint.red("●")),
    })?;
    Ok(if gone { exit::OK } else { exit::NO })
}

fn on(cli: &Cli) -> Outcome {
    let client = client(cli)?;
    cli.call(client.off(false))?;
    status(cli)
}

/// Runs nft and returns what it prints.
fn nft(program: &str, args: &[&str]) -> Result<String, Hinted> {
    let missing = |error: io::Error| {
        Hinted::new(
            exit::UNAVAILABLE,
            format!("the program `{program}` does not run"),
            "install nftables (`apt-get install nftables`); only a Linux router has rules of ours",
        )
        .because(error)
    };
    let output = Command::new(program).args(args).output().map_err(missing)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().next().unwrap_or("it did not say why").to_owned();
    Err(Hinted::new(
        exit::NO_PERMISSION,
        format!("nft refused: {complaint}"),
        "it needs root, or the capability CAP_NET_ADMIN",
    ))
}

fn export(cli: &Cli, file: &Path) -> Outcome {
    let client = client(cli)?;
    let export = cli.call(client.export())?;
    let text = serde_json::to_string_pretty(&export)?;
    files::replace(file, text.as_bytes(), 0o600).map_err(|error| {
        Hinted::new(
            exit::CANNOT_CREATE,
            "the export could not be written",
            "name a file in a directory where you may write",
        )
        .because(error)
    })?;
    cli.show(&export, |out, _| {
        writeln!(
            out,
            "{} devices and {} blocks are in {}.",
            export.devices.len(),
            export.desired.blocks.len(),
            file.display()
        )
    })?;
    Ok(exit::OK)
}

fn import(cli: &Cli, file: &Path) -> Outcome {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        text
    } else {
        files::read(file).map_err(|error| {
            Hinted::new(
                exit::NO_INPUT,
                "the export could not be read",
                "name a file that `sanctum firewall export` wrote",
            )
            .because(error)
        })?
    };
    let export: Export = serde_json::from_str(&text).map_err(|error| {
        Hinted::new(
            exit::USAGE,
            format!("{} is not an export: {error}", file.display()),
            "name a file that `sanctum firewall export` wrote",
        )
    })?;
    let client = client(cli)?;
    let devices = cli.call(client.import(&export))?;
    cli.show(&devices, |out, _| writeln!(out, "{} devices are known now.", devices.len()))?;
    Ok(exit::OK)
}
