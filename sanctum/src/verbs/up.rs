//! `sanctum up`: the whole house, every service as a process of its own.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use sanctum_api::Events;
use sanctum_api::supervise::{Client, Phase, ServiceState};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit, files};
use tokio::sync::watch;

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;
use crate::run::services;

/// Start the house: every service as a process of its own, kept running by the supervisor.
///
/// Services start in the order of their needs, side by side where they can. Without `--detach` the supervisor runs
/// here until Ctrl-C, which stops the house again, dependants first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum up              the house, in the foreground\n  sanctum up --detach     in the background; returns when all is ready, or says what is not\n\nExit code 75 if the house is up already, 1 if --detach gives up waiting for a service.")]
pub(crate) struct Args {
    /// Leave it running in the background and return when all is ready
    #[arg(long, short)]
    detach: bool,
    /// This process is the one in the background
    #[arg(long, hide = true, conflicts_with = "detach")]
    detached: bool,
}

/// How long services may take before `up` says which are not ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries to reach a supervisor that starts.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks for one that has ended meanwhile.
const STILL: Duration = Duration::from_millis(200);
/// Larger than this, the supervisor's own log is put aside at start.
const LARGE_LOG: u64 = 8 * 1024 * 1024;

pub(crate) fn run(Args { detach: in_background, detached }: Args, cli: &Cli) -> Outcome {
    let begun = Instant::now();
    let loaded = cli.settings()?;
    cli.paths.prepare()?;
    if let Some(mut holder) = sanctum_supervise::holder(&cli.paths) {
        holder.since = holder.since.parse().map_or(holder.since, |since| cli.wall().at(since));
        return Err(sanctum_supervise::refusal(&cli.paths, &holder).into());
    }
    if detached {
        // A session of its own: closing the terminal is not the end of the house.
        rustix::process::setsid().ok();
        return services(&["supervise"], begins(cli), loaded, cli);
    }
    if in_background {
        return detach(cli, begun);
    }
    if std::io::stderr().is_terminal() {
        sanctum_host::telemetry_into(files::append(&own_log(cli)?)?, cli.verbose);
    }
    let (ended, end) = watch::channel(false);
    std::thread::scope(|scope| {
        scope.spawn(move || cli.block_on(report(cli, begun, end)).ok());
        let outcome = services(&["supervise"], begins(cli), loaded, cli);
        ended.send_replace(true);
        outcome
    })
}

/// Whether this is a new house. What an earlier supervisor left running is kept, and it knows the tokens that are there.
fn begins(cli: &Cli) -> bool {
    sanctum_supervise::remembered(&cli.paths).is_empty()
}

/// Where the supervisor's own log is, after it has been put aside if it was large.
fn own_log(cli: &Cli) -> Result<PathBuf, Failure> {
    let path = cli.paths.logs().join("supervise.log");
    if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LARGE_LOG) {
        std::fs::rename(&path, path.with_extension("log.1"))?;
    }
    Ok(path)
}

fn detach(cli: &Cli, begun: Instant) -> Outcome {
    let log = files::append(&own_log(cli)?)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--home").arg(cli.paths.home()).args(cli.verbose.then_some("--verbose")).args(["up", "--detached"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
    let states = cli.block_on(settle(cli, begun, Some(&mut child), |state| {
        if !cli.json {
            say(&line(state, Paint::stdout()));
        }
    }))?;
    let Some(states) = states else {
        let hint = format!("`sanctum logs supervise` says why; the file is `{}`", own_log(cli)?.display());
        return Err(Hinted::new(exit::UNAVAILABLE, "the supervisor ended before the house was up", hint).into());
    };
    let all = states.iter().all(ServiceState::is_fine);
    cli.show(&states, |out, paint| out.write_all(summary(cli, &states, begun, paint).as_bytes()))?;
    Ok(if all { exit::OK } else { exit::NO })
}

/// Tells a person in the foreground how the start goes, and afterwards what changes.
async fn report(cli: &Cli, begun: Instant, mut end: watch::Receiver<bool>) {
    let paint = Paint::stdout();
    let settled = settle(cli, begun, None, |state| say(&line(state, paint)));
    let states = tokio::select! {
        states = settled => states,
        _ = end.wait_for(|ended| *ended) => return,
    };
    let Some(states) = states else { return };
    say(summary(cli, &states, begun, paint).trim_end());
    if !std::io::stdout().is_terminal() {
        return;
    }
    say(&paint.dim("Ctrl-C stops the house. What happens is shown here; `sanctum status` and `sanctum logs` tell more."));
    tokio::select! {
        () = follow(cli, states, paint) => {}
        _ = end.wait_for(|ended| *ended) => {}
    }
}

/// Watches until every service is ready or will not be; tells of each once. `None` if the supervisor ended.
async fn settle(cli: &Cli, begun: Instant, mut child: Option<&mut Child>, mut tell: impl FnMut(&ServiceState)) -> Option<Vec<ServiceState>> {
    let mut told = Vec::new();
    let (mut states, mut events) = (Vec::new(), None);
    loop {
        if events.is_none() {
            (states, events) = first_look(cli).await;
        }
        for state in states.iter().filter(|state| matches!(state.phase, Phase::Ready | Phase::Locked | Phase::Done | Phase::Failed)) {
            if !told.contains(&state.name) {
                told.push(state.name.clone());
                tell(state);
            }
        }
        let settled = !states.is_empty() && is_settled(&states);
        if settled || begun.elapsed() > PATIENCE {
            // How they are is asked of each when somebody looks at all.
            let (now, _) = first_look(cli).await;
            return Some(if now.is_empty() { states } else { now });
        }
        if let Some(child) = child.as_mut()
            && !matches!(child.try_wait(), Ok(None))
        {
            return None;
        }
        let Some(stream) = &mut events else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        match tokio::time::timeout(STILL, stream.next()).await {
            Ok(Some(Ok(event))) if event.kind == "service" => renew(&mut states, &event.data),
            Ok(_) => events = None,
            Err(_) => {}
        }
    }
}

/// Every service, and what changes from now on; nothing while there is nobody to ask, which costs the one who is starting nothing.
/// Tokens are made while the house starts, so the way to it is looked for anew until it works.
async fn first_look(cli: &Cli) -> (Vec<ServiceState>, Option<Events>) {
    if sanctum_kernel::running::address(&cli.paths, "supervise").is_none() {
        return (Vec::new(), None);
    }
    let Ok(way) = cli.transport("supervise") else { return (Vec::new(), None) };
    let client = Client::new(way);
    let Ok(events) = client.events(None).await else { return (Vec::new(), None) };
    client.services().await.map_or((Vec::new(), None), |states| (states, Some(events)))
}

fn renew(states: &mut Vec<ServiceState>, text: &str) {
    let Ok(state) = serde_json::from_str::<ServiceState>(text) else { return };
    match states.iter_mut().find(|known| known.name == state.name) {
        Some(known) => *known = state,
        None => states.push(state),
    }
}

/// Whether every service is ready, or will not be before somebody does something.
fn is_settled(states: &[ServiceState]) -> bool {
    let mut blocked: Vec<&str> = Vec::new();
    loop {
        let before = blocked.len();
        for state in states.iter().filter(|state| !blocked.contains(&state.name.as_str())).collect::<Vec<_>>() {
            let held = state.phase == Phase::Waiting && state.needs.iter().any(|need| blocked.contains(&need.as_str()));
            if held || matches!(state.phase, Phase::Locked | Phase::Stopped | Phase::Failed) {
                blocked.push(&state.name);
            }
        }
        if blocked.len() == before {
            return states.iter().all(|state| stands(state) || blocked.contains(&state.name.as_str()));
        }
    }
}

/// It does what it is there for; jobs do when they wait for their time, too.
const fn stands(state: &ServiceState) -> bool {
    matches!(state.phase, Phase::Ready | Phase::Running | Phase::Done | Phase::Scheduled)
}

/// Shows every change until the house ends.
async fn follow(cli: &Cli, mut before: Vec<ServiceState>, paint: Paint) {
    let Ok(way) = cli.transport("supervise") else { return };
    let Ok(mut events) = Client::new(way).events(None).await else { return };
    let wall = cli.wall();
    while let Some(Ok(event)) = events.next().await {
        let Ok(state) = serde_json::from_str::<ServiceState>(&event.data) else { continue };
        let Some(known) = before.iter_mut().find(|known| known.name == state.name) else { continue };
        if known.phase != state.phase {
            let time = wall.second(jiff::Timestamp::now());
            say(&format!("{}{}", paint.dim(time), line(&state, paint)));
        }
        *known = state;
    }
}

/// One service on one line.
fn line(state: &ServiceState, paint: Paint) -> String {
    let mark = match state.phase {
        Phase::Ready | Phase::Running | Phase::Done => paint.green("●"),
        Phase::Locked | Phase::Failed => paint.red("●"),
        Phase::Scheduled => paint.dim("◷"),
        Phase::Stopped | Phase::Stopping => paint.dim("○"),
        _ => paint.yellow("◌"),
    };
    let what = match (state.phase, state.ready_ms) {
        (Phase::Ready, Some(ms)) => format!("ready after {ms} ms"),
        (phase, _) => phase.word().replace('-', " "),
    };
    let exit = state.last_exit.as_ref().filter(|_| matches!(state.phase, Phase::BackingOff | Phase::Waiting | Phase::Starting));
    let why = exit.map(|exit| format!("ended with {exit}")).into_iter().chain(state.detail.clone()).collect::<Vec<_>>().join("; ");
    let why = if why.is_empty() { String::new() } else { format!("  {}", paint.dim(why)) };
    format!("  {mark} {}  {:<17}  {what}{why}", paint.bold(format!("{:<10}", state.name)), state.house_name)
}

fn summary(cli: &Cli, states: &[ServiceState], begun: Instant, paint: Paint) -> String {
    let mut lines = Vec::new();
    let ready = states.iter().filter(|state| stands(state)).count();
    let seconds = begun.elapsed().as_secs_f32();
    if ready == states.len() && !states.is_empty() {
        lines.push(format!("{} {ready} services are ready, {seconds:.2} s after you asked.", paint.green("The house is up:")));
    } else {
        lines.push(format!("{} {ready} of {} services are ready.", paint.yellow("The house is not all up:"), states.len()));
    }
    for state in states.iter().filter(|state| !stands(state)) {
        lines.push(line(state, paint));
        if state.phase == Phase::Locked {
            let way = format!("sanctum logs {0}  says why; sanctum unlock {0}  starts it again", state.name);
            lines.push(format!("      {}", paint.cyan(way)));
        }
    }
    let shown = states.iter().any(|state| state.name == "dashboard" && stands(state));
    lines.extend(cli.dashboard().filter(|_| shown).map(|url| format!("Look at it: {}", paint.bold(url))));
    lines.push(String::new());
    lines.join("\n")
}

/// A closed terminal is no reason to end a house.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}
