//! The watch's engine in simulated houses: right root causes, detection, restarts of innocents, alarms, false alarms.
//!
//! `rootcause [--seed N] [--runs N] [--days N] [--json]` prints a table, or JSON. Each run is a house of 10 to 60 services with 1 to 3 faults at once
//! and one answer in a hundred lost; the seed is the run, so any that goes wrong can be looked at again: `--seed N --runs 1`.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

use std::time::{Duration, Instant};

use sanctum_watch::sim;
use serde_json::json;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let at = args.iter().position(|flag| flag == name);
        at.and_then(|at| args.get(at + 1)).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (seed, runs, days) = (number("--seed", 0), number("--runs", 1_000), number("--days", 24));
    let began = Instant::now();
    let score = sim::graphs(seed..seed + runs);
    let took = began.elapsed();
    let (mut alarms, mut probes) = (0, 0);
    for day in 0..days {
        let verdict = sim::healthy(seed + day, Duration::from_hours(24));
        alarms += verdict.incidents;
        probes += verdict.probes;
    }
    let odd: Vec<_> = score.odd.iter().map(|(seed, why)| json!({ "seed": seed, "why": why })).collect();
    if args.iter().any(|flag| flag == "--json") {
        let value = json!({
            "runs": score.runs, "right": score.right, "faults": score.faults, "visible": score.visible,
            "dead": score.dead, "seen_in_time": score.in_time, "worst_beyond_cadence_s": score.worst,
            "restarts": score.restarts, "innocents": score.innocents,
            "incidents": score.incidents, "alarms_repeated": score.repeated, "people_asked": score.told,
            "healthy_days": days, "false_alarms": alarms, "probes": score.probes + probes,
            "seconds": took.as_secs_f64(), "odd": odd,
        });
        println!("{value}");
        return;
    }
    println!("right root causes            {} of {}", score.right, score.runs);
    println!(
        "dead seen in cadence + 1 s   {} of {} (worst {:+.2} s)",
        score.in_time, score.dead, score.worst
    );
    println!("restarts of innocents        {} of {}", score.innocents, score.restarts);
    println!("alarms beyond the first      {} of {} incidents", score.repeated, score.incidents);
    println!("people asked                 {}", score.told);
    println!("false alarms                 {alarms} in {days} healthy days, {probes} questions");
    println!("questions, time              {}, {:.1} s", score.probes, took.as_secs_f64());
    for (seed, why) in &score.odd {
        println!("seed {seed}: {why}");
    }
}
