//! `sanctum reload`: from the newer file, in order.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use sanctum_api::supervise::{Client, Phase, ServiceState};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};
use sanctum_supervise::holder;
use serde::Serialize;

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// Start again what runs from an older file than the one that is there now.
///
/// Without names: everything that is stale, after an upgrade of Sanctum or of a foreign program; each waits for those it
/// leans on, and the supervisor itself is replaced last, while everything runs on. A changed sanctum.toml is taken over at
/// once as well; it is checked first. With names: these, stale or not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum reload                 after an upgrade\n  sanctum reload home-assistant\n\nExit code 1 if something is not ready again within a minute.")]
pub(crate) struct Args {
    /// Services, by name or house name; all that is stale if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// How long services may take to be ready again.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(50);

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    reloaded: Vec<ServiceState>,
    /// The supervisor has been replaced, too.
    supervisor: bool,
}

pub(crate) fn run(Args { names }: Args, cli: &Cli) -> Outcome {
    cli.settings()?;
    let names = names.iter().map(|word| cli.service(word)).collect::<Result<Vec<_>, _>>()?;
    // The way there first: who is not there cannot be asked, and says so.
    cli.transport("supervise")?;
    let report = cli.block_on(reload(&names, cli))??;
    let well = report.reloaded.iter().all(|state| is_back(state, &[]));
    cli.show(&report, |out, paint| draw(out, paint, &report))?;
    Ok(if well { exit::OK } else { exit::NO })
}

async fn reload(names: &[String], cli: &Cli) -> Result<Report, Failure> {
    let client = Client::new(cli.transport("supervise")?);
    let before = client.services().await.map_err(Cli::explain)?;
    take_over_the_file(cli);
    let own = |name: &String| name == "supervise";
    let chosen: Vec<String> = if names.is_empty() {
        client.reload().await.map_err(Cli::explain)?
    } else {
        let mut chosen = Vec::new();
        for name in names.iter().filter(|name| !own(name)) {
            client.act(name, "reload").await.map_err(Cli::explain)?;
            chosen.push(name.clone());
        }
        chosen
    };
    let reloaded = until_back(&client, &chosen, &before).await?;
    let stale = before.iter().any(|state| state.name == "supervise" && state.stale);
    let supervisor = names.iter().any(own) || (names.is_empty() && stale);
    if supervisor {
        succeed(&client, cli).await?;
    }
    Ok(Report { reloaded, supervisor })
}

/// Lets the supervisor look at the file now instead of soon.
fn take_over_the_file(cli: &Cli) {
    let keeper = holder(&cli.paths).and_then(|holder| Pid::from_raw(i32::try_from(holder.pid).ok()?));
    if let Some(keeper) = keeper {
        rustix::process::kill_process(keeper, Signal::HUP).ok();
    }
}

/// Whether it runs again as another process than before.
fn is_back(state: &ServiceState, before: &[ServiceState]) -> bool {
    let old = before.iter().find(|old| old.name == state.name).and_then(|old| old.pid);
    state.phase == Phase::Ready && (old.is_none() || state.pid != old)
}

async fn until_back(client: &Client, names: &[String], before: &[ServiceState]) -> Result<Vec<ServiceState>, Failure> {
    let begun = Instant::now();
    loop {
        let states = client.services().await.map_err(Cli::explain)?;
        let named: Vec<ServiceState> = states.into_iter().filter(|state| names.contains(&state.name)).collect();
        let settled = named.iter().all(|state| is_back(state, before) || matches!(state.phase, Phase::Locked | Phase::Stopped));
        if settled || begun.elapsed() > PATIENCE {
            return Ok(named);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Replaces the supervisor and waits until its newer self answers.
async fn succeed(client: &Client, cli: &Cli) -> Result<(), Failure> {
    let old = client.service("supervise").await.map_err(Cli::explain)?.since;
    client.act("supervise", "reload").await.map_err(Cli::explain)?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        let Ok(way) = cli.transport("supervise") else { continue };
        if Client::new(way).service("supervise").await.is_ok_and(|state| state.since > old) {
            return Ok(());
        }
    }
    let hint = "`sanctum logs supervise` says why; the services run on, and `sanctum up` keeps them again";
    Err(Hinted::new(exit::UNAVAILABLE, "the newer supervisor does not answer", hint).into())
}

fn draw(out: &mut dyn Write, paint: Paint, report: &Report) -> io::Result<()> {
    if report.reloaded.is_empty() && !report.supervisor {
        return writeln!(out, "Nothing runs from an older file.");
    }
    for state in &report.reloaded {
        let back = is_back(state, &[]);
        let mark = if back { paint.green("●") } else { paint.red("●") };
        let pid = state.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        writeln!(out, "{mark} {} is {}{pid}", paint.bold(&state.name), state.phase.word().replace('-', " "))?;
        if let Some(detail) = state.detail.as_ref().filter(|_| !back) {
            writeln!(out, "    {}", paint.dim(detail))?;
        }
    }
    if report.supervisor {
        writeln!(out, "{} {} has made way for its newer self; nothing else noticed", paint.green("●"), paint.bold("supervise"))?;
    }
    Ok(())
}
