//! `sanctum top`: what every service takes of the machine, live.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sanctum_api::supervise::{Client, Phase, ServiceState, Usage};
use sanctum_api::{CallError, Transport};
use sanctum_kernel::{Clock, Period, Size, exit};
use serde::Serialize;

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// What every service takes: processor, memory, open files, restarts.
///
/// On a terminal the table is drawn anew until Ctrl-C; elsewhere it is printed once. A service stands with everything that
/// is in its process group.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum top                   live, every two seconds\n  sanctum top -n 1              once\n  sanctum top --by memory       the largest first\n  sanctum top --json | jq '.[] | select(.cpu_percent > 50)'\n\nExit code 69 if no supervisor answers.")]
pub(crate) struct Args {
    /// Draw so often and end
    #[arg(short, value_name = "TIMES")]
    n: Option<u32>,
    /// How long to measure between two tables
    #[arg(long, value_name = "PERIOD", default_value = "2s")]
    every: Period,
    /// The largest first; by name otherwise
    #[arg(long, value_name = "COLUMN", value_parser = ["cpu", "memory", "restarts"])]
    by: Option<String>,
}

/// The first look is only the beginning of a measurement.
const FIRST: Duration = Duration::from_millis(500);
/// More often than this is no measurement.
const LEAST: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Serialize)]
struct Row {
    name: String,
    phase: Phase,
    pid: Option<u32>,
    processes: u32,
    threads: u32,
    /// Of one processor.
    cpu_percent: f64,
    memory_bytes: u64,
    files: Option<u32>,
    restarts: u32,
    /// Since the phase began.
    seconds: u64,
}

/// A look at everything, and when.
struct Look {
    states: Vec<ServiceState>,
    usage: Vec<Usage>,
    at: Instant,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let Args { n, every, by } = args;
    let way = cli.transport("supervise")?;
    let live = !cli.json && io::stdout().is_terminal();
    let times = n.or((!live).then_some(1));
    let mut before = look(cli, &way, Duration::ZERO)?;
    let mut drawn = 0;
    loop {
        let pause = if drawn == 0 { FIRST.min(every.0) } else { every.0 };
        let now = look(cli, &way, pause.max(LEAST))?;
        let mut rows = rows(&before, &now);
        sort(&mut rows, by.as_deref());
        cli.show(&rows, |out, paint| {
            // Home, and clear what is below.
            if live && times != Some(1) {
                write!(out, "\x1b[H\x1b[J")?;
            }
            draw(out, paint, &rows)
        })?;
        before = now;
        drawn += 1;
        if times.is_some_and(|times| drawn >= times) {
            return Ok(exit::OK);
        }
    }
}

fn look(cli: &Cli, way: &Arc<dyn Transport>, after: Duration) -> Result<Look, sanctum_kernel::Failure> {
    let client = Client::new(Arc::clone(way));
    cli.call(async move {
        tokio::time::sleep(after).await;
        let usage = client.usage().await?;
        let at = Instant::now();
        Ok::<_, CallError>(Look { states: client.services().await?, usage, at })
    })
}

fn rows(before: &Look, now: &Look) -> Vec<Row> {
    let seconds = now.at.duration_since(before.at).as_secs_f64().max(0.001);
    let clock = Clock::system().now();
    let row = |state: &ServiceState| {
        let usage = now.usage.iter().find(|usage| usage.name == state.name && Some(usage.pid) == state.pid);
        let earlier = usage.and_then(|usage| before.usage.iter().find(|other| other.name == usage.name && other.pid == usage.pid));
        let busy = usage.zip(earlier).map_or(0, |(usage, earlier)| usage.cpu_ms.saturating_sub(earlier.cpu_ms));
        Row {
            name: state.name.clone(),
            phase: state.phase,
            pid: state.pid,
            processes: usage.map_or(0, |usage| usage.processes),
            threads: usage.map_or(0, |usage| usage.threads),
            cpu_percent: (Duration::from_millis(busy).as_secs_f64() / seconds * 1000.0).round() / 10.0,
            memory_bytes: usage.map_or(0, |usage| usage.memory_bytes),
            files: usage.and_then(|usage| usage.files),
            restarts: state.restarts,
            seconds: since(clock, state.since),
        }
    };
    now.states.iter().map(row).collect()
}

fn since(now: Timestamp, then: Timestamp) -> u64 {
    u64::try_from(now.duration_since(then).as_secs()).unwrap_or(0)
}

fn sort(rows: &mut [Row], by: Option<&str>) {
    match by {
        Some("cpu") => rows.sort_by(|a, b| b.cpu_percent.total_cmp(&a.cpu_percent)),
        Some("memory") => rows.sort_by_key(|row| std::cmp::Reverse(row.memory_bytes)),
        Some("restarts") => rows.sort_by_key(|row| std::cmp::Reverse(row.restarts)),
        _ => rows.sort_by(|a, b| a.name.cmp(&b.name)),
    }
}

fn draw(out: &mut dyn Write, paint: Paint, rows: &[Row]) -> io::Result<()> {
    let heads = ["SERVICE", "PHASE", "PID", "CPU %", "MEMORY", "PROCS", "THREADS", "FILES", "RESTARTS", "FOR"];
    let cells: Vec<[String; 10]> = rows.iter().map(words).collect();
    let width = |at: usize, head: &str| cells.iter().filter_map(|row| Some(row.get(at)?.chars().count())).max().unwrap_or(0).max(head.len());
    let widths: Vec<usize> = heads.iter().enumerate().map(|(at, head)| width(at, head)).collect();
    let line = |row: &[String]| -> Vec<String> {
        // Words to the left, numbers to the right.
        row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| if at < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }).collect()
    };
    writeln!(out, "{}", paint.dim(line(&heads.map(str::to_owned)).join("  ").trim_end()))?;
    for (row, cells) in rows.iter().zip(&cells) {
        let mut cells = line(cells);
        if let Some(cell) = cells.get_mut(0) {
            *cell = paint.bold(cell.clone());
        }
        if let Some(cell) = cells.get_mut(1) {
            *cell = match row.phase {
                Phase::Ready | Phase::Done => paint.green(cell.clone()),
                Phase::Locked | Phase::Failed => paint.red(cell.clone()),
                Phase::Stopped | Phase::Scheduled => paint.dim(cell.clone()),
                _ => paint.yellow(cell.clone()),
            };
        }
        if let Some(cell) = cells.get_mut(3).filter(|_| row.cpu_percent >= 50.0) {
            *cell = paint.yellow(cell.clone());
        }
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    let memory = rows.iter().fold(0, |sum: u64, row| sum.saturating_add(row.memory_bytes));
    let cpu: f64 = rows.iter().map(|row| row.cpu_percent).sum();
    writeln!(out, "{}", paint.dim(format!("{} services, {cpu:.1} % of a processor, {}", rows.len(), size(memory))))
}

fn words(row: &Row) -> [String; 10] {
    let there = |text: String| if row.pid.is_some() { text } else { "-".to_owned() };
    [
        row.name.clone(),
        row.phase.word().replace('-', " "),
        row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        there(format!("{:.1}", row.cpu_percent)),
        there(size(row.memory_bytes)),
        there(row.processes.to_string()),
        there(row.threads.to_string()),
        row.files.filter(|_| row.pid.is_some()).map_or_else(|| "-".to_owned(), |files| files.to_string()),
        row.restarts.to_string(),
        long(row.seconds),
    ]
}

/// Bytes as a person reads them: `12.3 MiB`.
#[expect(clippy::cast_precision_loss, reason = "a tenth of a unit is enough")]
fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes {
        0..MIB => Size(bytes / 1024 * 1024).to_string(),
        _ if bytes < 1024 * MIB => format!("{:.1} MiB", bytes as f64 / MIB as f64),
        _ => format!("{:.1} GiB", bytes as f64 / (1024 * MIB) as f64),
    }
}

/// `12 s`, `3 min`, `5 h`, `2 d`.
fn long(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
