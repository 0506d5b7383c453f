//! What keeping the money and the usage log costs: a reservation and its settlement, a line, a key, and a start with a
//! log of 1,000,000 lines.
//!
//! Everything is real: files, write(2), the writer's thread. Give a directory on the disk to be measured as the first
//! argument; the default is the system's temporary directory. About 700 MB are written and removed.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use sanctum_api::proxy::NewKey;
use sanctum_kernel::{Clock, Failure, Trace, Well, Zone, files};
use sanctum_proxy::budget::{Caps, Ledger, cost};
use sanctum_proxy::keys::{self, Keys, SCHEMA};
use sanctum_proxy::kinds::{Intent, Nano, Price, Tier};
use sanctum_proxy::usage::{Attempt, Config, Finish, Line, Log, Parts, Source, Tokens, rows};
use serde_json::json;

/// Lines of the log that a start is measured with.
const LINES: u64 = 1_000_000;
/// Reservations that are measured, by each thread.
const ROUNDS: u32 = 100_000;
/// The bar for a reservation and its settlement, at the median.
const PAIR: Duration = Duration::from_micros(5);
/// The bar for a start, ready.
const START: Duration = Duration::from_secs(1);
/// Long enough for every line to be written, and for the log to be counted.
const PATIENCE: Duration = Duration::from_mins(5);

fn main() -> Result<ExitCode, Failure> {
    let within = std::env::args().nth(1);
    let made = within.map_or_else(tempfile::tempdir, tempfile::tempdir_in)?;
    let dir = made.path();
    let (one, four) = (pairs(&dir.join("one"), 1)?, pairs(&dir.join("four"), 4)?);
    let admit = admit(dir)?;
    let price = price();
    let written = write(&dir.join("log"))?;
    let starts = starts(&dir.join("log"))?;
    let kept = one.1 <= PAIR && starts.iter().all(|(_, ready, _)| *ready <= START);
    println!(
        "{}",
        json!({
            "reserve_settle_ns": { "mean": one.0.as_nanos(), "p50": one.1.as_nanos(), "p99": one.2.as_nanos() },
            "reserve_settle_4_threads_mean_ns": four.0.as_nanos(),
            "cost_ns": price.as_nanos(), "admit_ns": admit.as_nanos(),
            "line_queued_ns": written.0.as_nanos(), "lines_per_s": written.1,
            "starts": starts.iter().map(|(name, ready, counted)| json!({
                "with": name, "ready_ms": ready.as_millis(), "counted_ms": counted.as_millis() })).collect::<Vec<_>>(),
            "bars_kept": kept,
        })
    );
    println!(
        "bars: reserve + settle ≤ 5 µs at the median, ready with 1,000,000 lines ≤ 1 s: {}",
        if kept { "kept" } else { "MISSED" }
    );
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ledger(dir: &Path) -> Result<Ledger, Failure> {
    let caps = Caps { house: Some(Nano::dollars(1e9)), other: Some(Nano::dollars(1e8)), ..Caps::default() };
    Ok(Ledger::open(dir, Clock::system(), Zone::system().tz(), caps)?)
}

/// Mean (of the whole, by pair), median and 99th percentile of a reservation and its settlement.
fn pairs(dir: &Path, threads: usize) -> Result<(Duration, Duration, Duration), Failure> {
    let ledger = ledger(dir)?;
    let barrier = Barrier::new(threads);
    let (ledger, barrier) = (&ledger, &barrier);
    let began = Instant::now();
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let spend = move |thread: usize| {
            let agent = format!("agent{thread}");
            let trace = Trace::start().id();
            let mut times = Vec::new();
            barrier.wait();
            for _ in 0..ROUNDS {
                let began = Instant::now();
                let reserved = ledger.reserve(&agent, trace, Nano(31_000_000));
                if let Ok(reservation) = reserved {
                    reservation.settle(Nano(12_345_678));
                }
                times.push(began.elapsed());
            }
            times
        };
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || spend(thread))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let count = u32::try_from(times.len().max(1))?;
    let mean = began.elapsed() / count;
    times.sort_unstable();
    let at = |percent: usize| {
        times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
    };
    let (p50, p99) = (at(50), at(99));
    println!(
        "reserve + settle, {threads} thread(s)  mean {mean:>9.2?}   median {p50:>9.2?}   p99 {p99:>9.2?}   {count} pairs"
    );
    Ok((mean, p50, p99))
}

fn each(name: &str, mut work: impl FnMut()) -> Duration {
    (0..10_000).for_each(|_| work());
    let began = Instant::now();
    (0..ROUNDS).for_each(|_| work());
    let each = began.elapsed() / ROUNDS;
    println!("{name:<32} {each:>9.2?}");
    each
}

fn price() -> Duration {
    let price = Price { input: 3.0, output: 15.0, ..Price::default() };
    let tokens =
        Tokens { input: 13_400, cached: 10_000, written_5m: 2_000, output: 500, ..Tokens::default() };
    let usage = tokens.into();
    each("cost", || {
        black_box(cost(black_box(&price), black_box(&usage)));
    })
}

fn admit(dir: &Path) -> Result<Duration, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let db = sanctum_store::Db::open(&dir.join("keys.db"), &[SCHEMA])?;
    let (keys, secret) = runtime.block_on(async {
        let keys = Keys::open(db, Clock::system()).await?;
        let mut secret = String::new();
        for number in 0..100 {
            let new = NewKey { agent: format!("agent{number}"), ..NewKey::default() };
            secret = keys::create(&keys, new).await.map_err(|refusal| refusal.0)?.secret;
        }
        Ok::<_, Failure>((keys, secret))
    })?;
    Ok(each("admit one of 100 keys", || {
        black_box(keys.admit(black_box(&secret)).is_ok());
    }))
}

fn open(dir: &Path) -> Result<(Ledger, Log), Failure> {
    let ledger = ledger(dir)?;
    let parts = Parts {
        dir: dir.join("usage"),
        clock: Clock::system(),
        zone: Zone::system().tz(),
        ledger: ledger.clone(),
        config: Config::default(),
        well: Well::default(),
    };
    Ok((ledger.clone(), Log::open(parts)?))
}

fn line(number: u64, clock: &Clock) -> Line {
    let mut line = Line::new(
        clock.now(),
        Trace::start().id(),
        match number % 4 {
            0 => "windu",
            1 => "yoda",
            2 => "ahsoka",
            _ => "rex",
        },
    );
    line.reservation = Some(1_763_830_800_000_000 + number);
    (line.api, line.rule, line.asked) =
        ("messages".into(), "glob claude-*".into(), "claude-opus-4-5".to_owned());
    (line.intent, line.intent_because, line.privacy_because) =
        (Intent::Code, "tool: edit_file".into(), "nothing private".into());
    (line.tier, line.locality, line.egress, line.key) =
        (Some(Tier::Strong), Some("cloud".into()), true, Some("key-0a1b2c3d4e5f".to_owned()));
    (line.provider, line.model) = (Some("anthropic".to_owned()), Some("claude-opus-4-5".to_owned()));
    line.attempts = vec![Attempt {
        provider: "anthropic".to_owned(),
        model: "claude-opus-4-5".to_owned(),
        outcome: "ok".into(),
        ms: 4321.125,
    }];
    line.tokens = Tokens {
        input: 13_400 + number % 100,
        cached: 10_000,
        written_5m: 2_000,
        output: 500,
        ..Tokens::default()
    };
    (line.cost_usd, line.source) = (Nano(23_450_000 + number % 1000), Source::Reported);
    (line.first_ms, line.total_ms, line.finish, line.status, line.stream) =
        (Some(612.5), 4330.75, Finish::Stop, 200, true);
    line
}

/// Writes a million lines as requests do: what a line costs the request, and how many a second reach the file.
fn write(dir: &Path) -> Result<(Duration, u64), Failure> {
    let (_ledger, log) = open(dir)?;
    let clock = Clock::system();
    let sample = line(0, &clock);
    let began = Instant::now();
    let mut queued = Duration::ZERO;
    for number in 0..LINES {
        let line = line(number, &clock);
        let pushed = Instant::now();
        log.write(line);
        queued += pushed.elapsed();
        // As the places of requests do, so that the queue stays bounded.
        if number % 4096 == 4095 && !log.flush(PATIENCE) {
            return Err("the lines could not be written".into());
        }
    }
    if !log.flush(PATIENCE) {
        return Err("the lines could not be written".into());
    }
    let each = queued / u32::try_from(LINES)?;
    let rate = LINES * 1000 / u64::try_from(began.elapsed().as_millis().max(1))?;
    println!(
        "{:<32} {each:>9.2?}   {rate} lines/s reach the file, {} bytes each",
        "a line, for its request",
        serde_json::to_vec(&sample)?.len()
    );
    Ok((each, rate))
}

type Started = (&'static str, Duration, Duration);

/// Until it is ready, and until usage can be asked for, after a clean stop, without the last lines in the checkpoint,
/// and without any checkpoint.
fn starts(dir: &Path) -> Result<Vec<Started>, Failure> {
    let mut all = Vec::new();
    let checkpoint = dir.join("usage/checkpoint.json");
    all.push(start(dir, "a checkpoint")?);
    // What a process leaves that dies a full interval after its last checkpoint.
    let old = std::fs::read(&checkpoint)?;
    let (ledger, log) = open(dir)?;
    let clock = Clock::system();
    (0..49_000).for_each(|number| log.write(line(LINES + number, &clock)));
    log.flush(PATIENCE);
    drop((ledger, log));
    files::replace(&checkpoint, &old, 0o600)?;
    all.push(start(dir, "49,000 lines since the checkpoint")?);
    files::remove(&checkpoint)?;
    all.push(start(dir, "no checkpoint")?);
    files::remove(&checkpoint)?;
    // A request was under way when the process died, and there is no checkpoint: the files are searched before it is ready.
    let (ledger, log) = open(dir)?;
    let held = ledger.reserve("windu", Trace::start().id(), Nano(1))?;
    let journal = std::fs::read(dir.join("budget.journal"))?;
    drop(held);
    drop((ledger, log));
    files::replace(&dir.join("budget.journal"), &journal, 0o600)?;
    files::remove(&checkpoint)?;
    all.push(start(dir, "no checkpoint, one request lost")?);
    Ok(all)
}

fn start(dir: &Path, name: &'static str) -> Result<Started, Failure> {
    let began = Instant::now();
    let (ledger, log) = open(dir)?;
    let ready = began.elapsed();
    let table = rows(&log, "agent", 3)?;
    let counted = began.elapsed();
    let requests: u64 = table.iter().map(|row| row.requests).sum();
    println!("start with {name:<34} ready {ready:>9.2?}   usage known {counted:>9.2?}   {requests} requests");
    drop((ledger, log));
    Ok((name, ready, counted))
}
