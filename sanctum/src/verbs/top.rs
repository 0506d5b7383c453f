//! `sanctum top`: what every service takes of the machine, live.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sanctum_api::supervise::{Client, Phase, ServiceState, Usage};
use sanctum_api::{CallError, Transport};
use sanctum_kernel::{Clock, Period, Size, exit};
use serde::Serialize;

use crate::cli::{asked_to_end, Cli, Outcome};
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
    let live = !cli.json && io::stdout().is_terminal() && n != Some(1);
    let times = n.or((!live).then_some(1));
    let screen = live.then(Screen::enter).transpose()?;
    let mut last = Vec::new();
    let ended = cli.call(async {
        let mut drawn = 0;
        let looks = async {
            let mut before = look(&way, Duration::ZERO).await?;
            loop {
                let pause = if drawn == 0 { FIRST.min(every.0) } else { every.0 };
                let now = look(&way, pause.max(LEAST)).await?;
                last = rows(&before, &now);
                sort(&mut last, by.as_deref());
                if let Some(screen) = &screen
                    && screen.draw(&last).is_err()
                {
                    return Ok(());
                }
                before = now;
                drawn += 1;
                if times.is_some_and(|times| drawn >= times) {
                    return Ok(());
                }
            }
        };
        tokio::select! {
            ended = looks => ended,
            () = asked_to_end(), if live => Ok(()),
        }
    });
    // The person's own screen is back before anything else is said; the last table stays there.
    drop(screen);
    ended?;
    cli.show(&last, |out, paint| draw(out, paint, &last, None))?;
    Ok(exit::OK)
}

/// A terminal's second screen, so that what was on the first one is still there afterwards (xterm's control sequences).
struct Screen;

impl Screen {
    fn enter() -> io::Result<Self> {
        let mut out = io::stdout().lock();
        out.write_all(b"\x1b[?1049h\x1b[?25l")?;
        out.flush()?;
        Ok(Self)
    }

    /// In the place of what is there, line by line, so that nothing flickers; no more than fits.
    #[expect(clippy::unused_self, reason = "only on a screen that was entered")]
    fn draw(&self, rows: &[Row]) -> io::Result<()> {
        let fits = terminal_size::terminal_size().map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
        let mut text = Vec::new();
        draw(&mut text, Paint::stdout(), rows, fits)?;
        let text = String::from_utf8_lossy(&text).replace('\n', "\x1b[K\n");
        let mut out = io::stdout().lock();
        // Without a last line break, which would move everything up on a full screen.
        write!(out, "\x1b[H{}\x1b[J", text.trim_end_matches('\n'))?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout().lock();
        out.write_all(b"\x1b[?25h\x1b[?1049l").and_then(|()| out.flush()).ok();
    }
}

async fn look(way: &Arc<dyn Transport>, after: Duration) -> Result<Look, CallError> {
    let client = Client::new(Arc::clone(way));
    tokio::time::sleep(after).await;
    let usage = client.usage().await?;
    let at = Instant::now();
    Ok(Look { states: client.services().await?, usage, at })
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

const HEADS: [&str; 10] =
    ["SERVICE", "PHASE", "PID", "CPU %", "MEMORY", "PROCS", "THREADS", "FILES", "RESTARTS", "FOR"];
/// Columns that a narrow terminal goes without, the first first.
const SPARED: [usize; 7] = [6, 7, 5, 2, 9, 8, 1];
/// Between two columns.
const GAP: usize = 2;

/// `fits` are the columns and lines there are.
fn draw(out: &mut dyn Write, paint: Paint, rows: &[Row], fits: Option<(usize, usize)>) -> io::Result<()> {
    let cells: Vec<[String; 10]> = rows.iter().map(words).collect();
    let width =
        |at: usize, head: &str| cells.iter().filter_map(|row| Some(row.get(at)?.chars().count())).max().unwrap_or(0).max(head.len());
    let widths: Vec<usize> = HEADS.iter().enumerate().map(|(at, head)| width(at, head)).collect();
    let shown = columns(&widths, fits.map(|(width, _)| width));
    let line = |row: &[String]| -> Vec<(usize, String)> {
        let cell = |&at: &usize| {
            let (cell, width) = (row.get(at)?, widths.get(at).copied()?);
            // Words to the left, numbers to the right.
            Some((at, if at < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }))
        };
        shown.iter().filter_map(cell).collect()
    };
    let head: Vec<String> = line(&HEADS.map(str::to_owned)).into_iter().map(|(_, cell)| cell).collect();
    writeln!(out, "{}", paint.dim(head.join("  ").trim_end()))?;
    // The heads, the sum, and what is said of those that are left out.
    let room = fits.map_or(rows.len(), |(_, height)| if rows.len() + 2 > height { height.saturating_sub(3) } else { rows.len() });
    for (row, cells) in rows.iter().zip(&cells).take(room) {
        let cells: Vec<String> = line(cells).into_iter().map(|(at, cell)| coloured(paint, row, at, cell)).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    let left = rows.len().saturating_sub(room);
    if left > 0 {
        writeln!(out, "{}", paint.dim(format!("and {left} more, for a higher terminal")))?;
    }
    let memory = rows.iter().fold(0, |sum: u64, row| sum.saturating_add(row.memory_bytes));
    let cpu: f64 = rows.iter().map(|row| row.cpu_percent).sum();
    writeln!(out, "{}", paint.dim(format!("{} services, {cpu:.1} % of a processor, {}", rows.len(), size(memory))))
}

/// Which columns fit into so much, in their order.
fn columns(widths: &[usize], fits: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..widths.len()).collect();
    let long = |shown: &[usize]| shown.iter().filter_map(|&at| widths.get(at)).map(|width| width + GAP).sum::<usize>().saturating_sub(GAP);
    for spared in SPARED {
        if fits.is_none_or(|fits| long(&shown) <= fits) {
            break;
        }
        shown.retain(|at| *at != spared);
    }
    shown
}

fn coloured(paint: Paint, row: &Row, at: usize, cell: String) -> String {
    match (at, row.phase) {
        (0, _) => paint.bold(cell),
        (1, Phase::Ready | Phase::Done) => paint.green(cell),
        (1, Phase::Locked | Phase::Failed) => paint.red(cell),
        (1, Phase::Stopped | Phase::Scheduled) => paint.dim(cell),
        (1, _) => paint.yellow(cell),
        (3, _) if row.cpu_percent >= 50.0 => paint.yellow(cell),
        _ => cell,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> Row {
        Row {
            name: name.to_owned(),
            phase: Phase::Ready,
            pid: Some(12345),
            processes: 1,
            threads: 4,
            cpu_percent: 1.5,
            memory_bytes: 20 << 20,
            files: Some(12),
            restarts: 0,
            seconds: 5,
        }
    }

    #[test]
    fn no_line_is_longer_and_no_table_higher_than_the_terminal() {
        let rows: Vec<Row> = (0..40).map(|at| row(&format!("service-{at:02}"))).collect();
        for (width, height) in [(200, 60), (80, 24), (40, 10), (30, 5)] {
            let mut text = Vec::new();
            draw(&mut text, Paint::plain(), &rows, Some((width, height))).unwrap();
            let text = String::from_utf8(text).unwrap();
            let table: Vec<&str> = text.lines().collect();
            assert!(table.len() <= height, "{width}x{height}: {text}");
            let (sum, table) = table.split_last().unwrap();
            assert!(sum.starts_with("40 services"), "{sum}");
            assert!(table.iter().all(|line| line.len() <= width.max(34)), "{width}x{height}: {text}");
            assert!(table[1].starts_with("service-00") && table[0].contains("CPU %"), "{text}");
            assert_eq!(text.contains("more, for a higher terminal"), height < 42, "{text}");
        }
    }
}
