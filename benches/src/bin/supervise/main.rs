//! supervise beside a bare floor and the supervisors that a package registry has, in one run: how soon a killed child is
//! replaced, how long a house of 40 takes to be ready, what it costs while nothing happens, and what a flood does.
//!
//! `supervise [--kills N] [--only NAME] [--flood SECONDS] [--sanctum PATH] [--json]` prints a small table, and with `--json` the
//! figures instead. Ours is the released binary, `sanctum up`, with 40 services of its file; peers come from `tools/peers`, and
//! those that are not there leave their row out. Every supervisor keeps the same child, with 40 of them in 5 layers of 8
//! (256 needs), each ready 100 ms after its start, so that 500 ms is the critical path; the kills hit a house of 40 that need nobody,
//! in turn with those of a floor that runs beside it, each child again only after it has run for 2 s (ours starts one without a wait
//! that was ready for its `reset-after`, here 1 s; s6 and runit one that ran for a second). The floor runs first and last.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark speaks on standard output")]

mod book;
mod flood;
mod floor;
mod kinds;
mod measure;

use std::path::PathBuf;

use sanctum_kernel::Failure;
use serde_json::{Value, json};

use kinds::{ALL, Kind, Places};

/// Five layers of 100 ms.
const CRITICAL_PATH: f64 = 500.0;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["--floor", child, ms, names @ ..] = words.as_slice() {
        floor::keep(child, ms, names);
        return Ok(());
    }
    let value =
        |name: &str| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1)).copied();
    let number =
        |name: &str, default: u64| value(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    let only = value("--only");
    let here = std::env::current_exe()?.parent().map(PathBuf::from).unwrap_or_default();
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let places = Places {
        child: here.join("supervise_child"),
        sanctum: value("--sanctum").map_or_else(|| here.join("sanctum"), PathBuf::from),
        peers: cache.unwrap_or_else(home).join("sanctum/peers"),
    };
    let kills = usize::try_from(number("--kills", 200))?;
    let mut rows = Vec::new();
    let wanted = ALL
        .iter()
        .chain([&Kind::Floor])
        .filter(|kind| only.is_none_or(|only| only.split(',').any(|only| only == kind.name())));
    for kind in wanted.filter(|kind| kind.is_there(&places)) {
        match measure::measure(*kind, &places, kills) {
            Ok(row) => rows.push(row),
            Err(error) => eprintln!("{}: {error}", kind.name()),
        }
    }
    let seconds = number("--flood", 5);
    let flood = if seconds > 0 && only.is_none_or(|only| only.contains("sanctum")) {
        flood::measure(&places, seconds, 200).unwrap_or_else(|error| json!({ "error": error.to_string() }))
    } else {
        Value::Null
    };
    if words.contains(&"--json") {
        println!("{}", json!({ "rows": rows, "flood": flood, "critical_path_ms": CRITICAL_PATH }));
        return Ok(());
    }
    table(&rows, &flood);
    Ok(())
}

fn table(rows: &[Value], flood: &Value) {
    let of = |row: &Value, key: &str| row[key].as_f64().unwrap_or(f64::NAN);
    println!(
        "{:<12} {:>6} {:>9} {:>7} {:>9} {:>9} {:>8} {:>7} {:>6} {:>9} {:>9} {:>8}",
        "",
        "kills",
        "median ms",
        "x floor",
        "p99 ms",
        "boot ms",
        "x path",
        "order",
        "procs",
        "PSS MB",
        "own MB",
        "idle %"
    );
    for row in rows {
        println!(
            "{:<12} {:>6} {:>9.2} {:>7.2} {:>9.2} {:>9.0} {:>8.2} {:>7} {:>6} {:>9.1} {:>9.1} {:>8.3}",
            row["name"].as_str().unwrap_or_default(),
            row["kills"],
            of(row, "median_ms"),
            of(row, "median_ms") / of(row, "floor_ms"),
            of(row, "p99_ms"),
            of(row, "boot_ms"),
            of(row, "boot_ms") / CRITICAL_PATH,
            format!("{}/{}", row["violations"], row["edges"]),
            row["processes"],
            of(row, "pss_mb"),
            of(row, "own_mb"),
            of(row, "idle_cpu"),
        );
    }
    if let Some(ours) = rows.iter().find(|row| row["name"] == "sanctum") {
        println!(
            "ours: median {:.2}x the floor, p99 {:.1} ms above the floor's, boot {:.2}x the critical path, {} of {} needs violated",
            of(ours, "median_ms") / of(ours, "floor_ms"),
            of(ours, "p99_ms") - of(ours, "floor_p99_ms"),
            of(ours, "boot_ms") / CRITICAL_PATH,
            ours["violations"],
            ours["edges"],
        );
    }
    println!("flood: {flood}");
}
