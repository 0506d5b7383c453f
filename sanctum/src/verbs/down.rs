//! `sanctum down`: the end of the house, proven.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use sanctum_api::supervise::Client;
use sanctum_kernel::exit;
use sanctum_supervise::{Holder, Identity, end_survivors, holder, survivors};
use serde::Serialize;

use crate::cli::{Cli, Outcome};

/// Stop the house, dependants first, and see that it is gone.
///
/// Every service gets SIGTERM and its grace to finish what it is doing, then SIGKILL. Processes that a killed
/// supervisor left behind are found and ended, too. What the router enforces stays in force.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum down            stop the house\n  sanctum down --json     the same; what ended and what did not, for scripts\n\nExit code 0 if nothing is left, also if nothing was there; 1 if something could not be ended.")]
pub(crate) struct Args {}

/// Longer than the supervisor's own grace.
const PATIENCE: Duration = Duration::from_secs(75);
const LOOK: Duration = Duration::from_millis(20);
/// What is left by a killed supervisor is not asked for long.
const SURVIVOR_GRACE: Duration = Duration::from_secs(10);

/// What became of it.
#[derive(Debug, Serialize)]
struct Report {
    was_up: bool,
    ended: Vec<Identity>,
    left: Vec<Identity>,
    ms: u128,
}

pub(crate) fn run(_: Args, cli: &Cli) -> Outcome {
    let begun = Instant::now();
    let holder = holder(&cli.paths);
    let there = survivors(&cli.paths);
    let left = match &holder {
        Some(holder) => cli.block_on(end(cli, holder))?,
        None => cli.block_on(end_survivors(&cli.paths, SURVIVOR_GRACE))?.1,
    };
    let ended = there.into_iter().filter(|process| !left.contains(process)).collect();
    let report = Report { was_up: holder.is_some(), ended, left, ms: begun.elapsed().as_millis() };
    cli.show(&report, |out, paint| {
        let seconds = begun.elapsed().as_secs_f32();
        let count = report.ended.len();
        match (&report.was_up, count, report.left.is_empty()) {
            (false, 0, true) => writeln!(out, "The house is down already."),
            (true, _, true) => writeln!(out, "{} {count} services and the supervisor ended in {seconds:.2} s; no process is left.", paint.green("The house is down:")),
            (false, _, true) => writeln!(out, "{} {count} processes that a killed supervisor had left were ended.", paint.green("The house is down:")),
            (_, _, false) => {
                writeln!(out, "{} these could not be ended:", paint.red("The house is not down:"))?;
                report.left.iter().try_for_each(|process| writeln!(out, "  {} (process {})", process.name, process.pid))
            }
        }
    })?;
    Ok(if report.left.is_empty() { exit::OK } else { exit::NO })
}

/// Asks the supervisor, or, if it does not answer, its process; waits until nothing is left.
async fn end(cli: &Cli, keeper: &Holder) -> Vec<Identity> {
    let asked = match cli.transport("supervise") {
        Ok(way) => Client::new(way).down().await.is_ok(),
        Err(_) => false,
    };
    let pid = i32::try_from(keeper.pid).ok().and_then(Pid::from_raw);
    if !asked
        && let Some(pid) = pid
    {
        rustix::process::kill_process(pid, Signal::TERM).ok();
    }
    let begun = Instant::now();
    loop {
        // The lock goes with the supervisor's process, after the last of its children.
        let up = holder(&cli.paths).is_some() || pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok() && keeper.lives());
        let mut left = survivors(&cli.paths);
        if !up && left.is_empty() {
            return left;
        }
        if !up {
            return end_survivors(&cli.paths, SURVIVOR_GRACE).await.1;
        }
        if begun.elapsed() > PATIENCE {
            left.push(Identity { name: "supervise".to_owned(), pid: keeper.pid, ..Identity::default() });
            return left;
        }
        tokio::time::sleep(LOOK).await;
    }
}
