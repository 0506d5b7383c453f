//! Memory: what recall finds, beside its peers, and how fast.
//!
//! `memory quality FILE` asks every question of a file in the format of LoCoMo (Maharana et al., 2024), all of its
//! conversations in one store, one turn a note. The set is CC BY-NC 4.0: it is measured with, is no part of this project,
//! and has to be fetched by who measures. `memory speed [NOTES…]` measures searches of 8 clients among synthetic notes,
//! `memory ingest FILE` how fast texts get their vectors.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    reason = "measurements, and notes that are made up"
)]

mod ingest;
mod locomo;
mod peers;
mod plain;
mod quality;
mod speed;

use std::process::ExitCode;

use sanctum_kernel::Failure;

/// Memory that the process has to itself, in MB, from `smaps_rollup`.
fn pss() -> f64 {
    let all = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
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
        ("speed", _) => {
            let sizes: Vec<u32> = rest.iter().filter_map(|size| size.parse().ok()).collect();
            speed::measure(if sizes.is_empty() { &[10_000, 100_000, 1_000_000] } else { &sizes }).await?
        }
        _ => {
            println!("usage: memory quality FILE | memory ingest FILE | memory speed [NOTES…]");
            false
        }
    };
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
