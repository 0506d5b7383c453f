//! Memory: what recall finds, beside its peers, and how fast.
//!
//! `memory quality FILE` asks every question of a file in the format of LoCoMo (Maharana et al., 2024), all of its
//! conversations in one store, one turn a note. The set is CC BY-NC 4.0: it is measured with, is no part of this project,
//! and has to be fetched by who measures. `memory speed [NOTES…] [DRAWING.svg]` measures searches of 8 clients among synthetic
//! notes in the engine, and draws how their cost grows;
//! `memory ingest FILE` how fast texts get their vectors, `memory door [NOTES]` the service itself as it is started in a house.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    reason = "measurements, and notes that are made up"
)]

mod door;
mod ingest;
mod locomo;
mod peers;
mod plain;
mod plot;
mod quality;
mod speed;

use std::process::ExitCode;

use sanctum_kernel::Failure;

/// Memory that the process has to itself, in MB, from `smaps_rollup`.
fn pss() -> f64 {
    pss_of("/proc/self/smaps_rollup")
}

fn pss_of(rollup: &str) -> f64 {
    let all = std::fs::read_to_string(rollup).unwrap_or_default();
    let line = all.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kilobytes =
        line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1024.0
}

/// Processor time of this process until now, in seconds.
fn processor() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    let fine = match (what.as_str(), rest.first()) {
        ("quality", Some(file)) => quality::measure(file).await?,
        ("ingest", Some(file)) => ingest::measure(file).await?,
        ("serve", Some(home)) => door::serve(home).await?,
        ("door", notes) => door::measure(notes.map_or(Ok(100_000), |notes| notes.parse())?).await?,
        ("speed", _) => {
            let sizes: Vec<u32> = rest.iter().filter_map(|size| size.parse().ok()).collect();
            let drawing = rest.iter().find(|word| word.parse::<u32>().is_err()).map(String::as_str);
            let all = &[10_000, 31_623, 100_000, 316_228, 1_000_000];
            speed::measure(if sizes.is_empty() { all } else { &sizes }, drawing).await?
        }
        _ => {
            println!(
                "usage: memory quality FILE | memory ingest FILE | memory speed [NOTES…] [DRAWING.svg] | memory door [NOTES]"
            );
            false
        }
    };
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
