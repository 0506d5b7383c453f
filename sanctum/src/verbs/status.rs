//! `sanctum status`: how the house is.

use std::io::{self, Write};

use jiff::Timestamp;
use sanctum_api::supervise::{Client, Phase, ServiceState};
use sanctum_kernel::{Hinted, Status, exit};
use sanctum_supervise::{Holder, holder};
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;

/// How every service is: live (it answers), ready (it may be used) and well (it does its work).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum status                      a table\n  sanctum status screen               one service, with what it says of itself\n  sanctum status --json | jq '.services[] | select(.well != \"well\")'\n\nExit code 0 if everything is well, 1 if anything is not, the house is down, or no supervisor keeps it (`sanctum run`).")]
pub(crate) struct Args {
    /// Only these services, by name or house name
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print the link to the dashboard, with the key for this house's people, and nothing else
    #[arg(long, conflicts_with = "names")]
    url: bool,
}

#[derive(Debug, Serialize)]
struct House {
    up: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    supervisor: Option<Holder>,
    /// Why there is nothing to see.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    services: Vec<ServiceState>,
    /// Without a supervisor: who answers all the same, as under `sanctum run`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unsupervised: Vec<&'static str>,
}

/// The services that answer, whoever runs them.
fn answering(cli: &Cli) -> Vec<&'static str> {
    let lives = |name: &str| {
        let Ok(way) = cli.transport(name) else { return false };
        let ask = async move { sanctum_api::transport::get::<serde_json::Value>(&*way, "/openapi.json").await };
        cli.call(ask).is_ok()
    };
    CATALOGUE.iter().map(|entry| entry.spec.name).filter(|name| lives(name)).collect()
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let Args { names, url } = args;
    if url {
        return link(cli);
    }
    let names = names.iter().map(|word| cli.service(word)).collect::<Result<Vec<_>, _>>()?;
    let mut house = House { up: false, supervisor: holder(&cli.paths), trouble: None, services: Vec::new(), unsupervised: Vec::new() };
    if house.supervisor.is_some() {
        let asked = cli.transport("supervise").and_then(|way| cli.call(async move { Client::new(way).services().await }));
        match asked {
            Ok(services) => (house.up, house.services) = (true, services),
            Err(error) => house.trouble = Some(sanctum_kernel::Chain(&*error).to_string()),
        }
    }
    if house.supervisor.is_none() {
        house.unsupervised = answering(cli);
    }
    house.services.retain(|state| names.is_empty() || names.contains(&state.name));
    let well = house.up && house.services.iter().all(is_well);
    let wall = cli.wall();
    cli.show(&house, |out, paint| draw(out, paint, &house, &wall))?;
    Ok(if well { exit::OK } else { exit::NO })
}

/// Where to look; only for a house that runs, because the key is new at every start.
fn link(cli: &Cli) -> Outcome {
    let answers = || holder(&cli.paths).is_some() || answering(cli).contains(&"dashboard");
    let url = cli.dashboard().filter(|_| answers());
    let url = url.ok_or_else(|| Hinted::new(exit::UNAVAILABLE, "the house is down: there is no page to look at", "`sanctum up` starts it"))?;
    cli.show(&url, |out, _| writeln!(out, "{url}"))?;
    Ok(exit::OK)
}

/// A service that someone stopped on purpose is not unwell.
fn is_well(state: &ServiceState) -> bool {
    state.is_fine() && (state.phase != Phase::Ready || state.well.is_none_or(|well| well == Status::Well))
}

fn draw(out: &mut dyn Write, paint: Paint, house: &House, wall: &Wall) -> io::Result<()> {
    let Some(supervisor) = &house.supervisor else {
        if !house.unsupervised.is_empty() {
            let who = house.unsupervised.join(", ");
            return writeln!(out, "{} {who}. `sanctum doctor` says how they are.", paint.yellow("No supervisor keeps the house, but these run:"));
        }
        return writeln!(out, "{} `sanctum up` starts it.", paint.yellow("The house is down."));
    };
    if let Some(trouble) = &house.trouble {
        return writeln!(out, "{} process {} keeps it: {trouble}", paint.red("The house is up and does not answer:"), supervisor.pid);
    }
    let heads = ["SERVICE", "HOUSE NAME", "PHASE", "LIVE", "READY", "WELL", "PID", "FOR", "FAILED", "ADDRESS"];
    let rows: Vec<[String; 10]> = house.services.iter().map(row).collect();
    let widths: Vec<usize> = heads.iter().enumerate().map(|(at, head)| rows.iter().filter_map(|row| Some(row.get(at)?.chars().count())).max().unwrap_or(0).max(head.len())).collect();
    let pad = |text: &str, width: usize| format!("{text}{}", " ".repeat(width.saturating_sub(text.chars().count())));
    let head: Vec<String> = heads.iter().zip(&widths).map(|(head, &width)| pad(head, width)).collect();
    writeln!(out, "{}", paint.dim(head.join("  ").trim_end()))?;
    for (row, state) in rows.iter().zip(&house.services) {
        let cells: Vec<String> = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| colour(at, &pad(cell, width), state, paint)).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    for state in house.services.iter().filter(|state| !is_well(state)) {
        let detail = state.detail.clone().or_else(|| state.last_exit.clone()).unwrap_or_else(|| state.phase.word().to_owned());
        writeln!(out, "{} {}: {detail}", paint.yellow("→"), paint.bold(&state.name))?;
        if let Some(locked) = &state.locked {
            locked.last_lines.iter().rev().take(5).rev().try_for_each(|line| writeln!(out, "    {}", paint.dim(line)))?;
            writeln!(out, "    {}", paint.cyan(format!("sanctum unlock {}", state.name)))?;
        }
    }
    let jobs = house.services.iter().filter_map(|state| Some((state, state.next_run?)));
    let mut jobs: Vec<_> = jobs.collect();
    jobs.sort_by_key(|(_, next)| *next);
    for (state, next) in jobs {
        let last = match &state.last_run {
            Some(last) if last.well => format!("; ran well {}", wall.at(last.began)),
            Some(last) => format!("; failed {}: {}", wall.at(last.began), last.exit),
            None => String::new(),
        };
        writeln!(out, "{}", paint.dim(format!("{} runs {}{last}", state.name, wall.at(next))))?;
    }
    for state in house.services.iter().filter(|state| state.stale) {
        writeln!(out, "{} {} runs from an older file: {}", paint.yellow("→"), paint.bold(&state.name), paint.cyan("sanctum reload"))?;
    }
    let (all, well) = (house.services.len(), house.services.iter().filter(|state| is_well(state)).count());
    let are = if all == 1 { "is" } else { "are" };
    let line = format!("{well} of {all} {are} well; kept by process {} since {}.", supervisor.pid, supervisor.since.parse().map_or_else(|_| supervisor.since.clone(), |since| wall.at(since)));
    writeln!(out, "{}", if well == all { paint.green(line) } else { paint.yellow(line) })
}

fn row(state: &ServiceState) -> [String; 10] {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let well = match state.well {
        Some(Status::Well) => "well",
        Some(Status::Degraded) => "degraded",
        Some(Status::Unwell) => "unwell",
        None => "-",
    };
    [
        state.name.clone(),
        state.house_name.clone(),
        state.phase.word().replace('-', " "),
        yes(state.live),
        yes(state.ready),
        well.to_owned(),
        state.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        ago(state.since),
        state.restarts.to_string(),
        state.address.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

fn colour(column: usize, cell: &str, state: &ServiceState, paint: Paint) -> String {
    match (column, cell.trim_end()) {
        (0, _) => paint.bold(cell),
        (2..=5, "yes" | "well" | "ready" | "done" | "running" | "scheduled") => paint.green(cell),
        (2..=5, "no" | "unwell" | "locked" | "failed") if !rests(state) => paint.red(cell),
        (2..=5, "degraded" | "backing off" | "starting" | "waiting") => paint.yellow(cell),
        _ => cell.to_owned(),
    }
}

/// Nothing runs of it, as it should be.
const fn rests(state: &ServiceState) -> bool {
    matches!(state.phase, Phase::Stopped | Phase::Done | Phase::Scheduled | Phase::Running)
}

/// How long something has been so, roughly: `12 s`, `3 min`, `5 h`, `2 d`.
fn ago(since: Timestamp) -> String {
    let seconds = Timestamp::now().duration_since(since).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}
