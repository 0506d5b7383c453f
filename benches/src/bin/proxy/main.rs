//! proxy beside a bare pass-through and the peers, in one run: requests per second, added latency, first bytes, processor
//! time, long prompts, memory, start.
//!
//! `proxy [--only NAME,NAME] [--blocks N] [--seconds N] [--requests N] [--rows NAME,NAME] [--full]` prints a table and, as its last line, JSON.
//! Peers are those `tools/peers` has installed; the columns of the others stay empty. Clients and provider share one
//! processor, the gateway has another for itself; blocks that go straight to the provider and blocks through the gateway
//! alternate, and the best block of each kind counts. `--full` reads memory after a million requests.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

mod account;
mod floor;
mod gateways;
mod load;
mod measure;
mod table;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};
use sanctum_kernel::Failure;
use serde_json::{Map, Value, json};

use measure::{Amount, Bench};
use upstream::Upstream;

/// Clients and provider.
const OURS: usize = 0;
/// The gateway.
const THEIRS: &str = "1";

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let ["--bare", addr, upstream] = words.as_slice() {
        return runtime.block_on(floor::serve(addr, upstream));
    }
    let value = |name: &str| {
        let at = words.iter().position(|word| *word == name);
        at.and_then(|at| words.get(at + 1)).copied()
    };
    let number =
        |name: &str, default: usize| value(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let full = words.contains(&"--full");
    let amount = Amount {
        blocks: number("--blocks", 3),
        seconds: Duration::from_secs(u64::try_from(number("--seconds", 3))?),
        requests: number("--requests", if full { 1_000_000 } else { 200_000 }),
        rows: value("--rows").map(|rows| rows.split(',').map(str::to_owned).collect()).unwrap_or_default(),
    };
    let only: Option<Vec<&str>> = value("--only").map(|names| names.split(',').collect());
    let apart = std::thread::available_parallelism()?.get() > 1;
    if apart {
        let mut cpus = CpuSet::new();
        cpus.set(OURS);
        sched_setaffinity(None, &cpus)?;
    }
    let wrap: &[&str] = if apart { &["taskset", "-c", THEIRS] } else { &[] };
    let names =
        gateways::NAMES.into_iter().filter(|name| only.as_ref().is_none_or(|only| only.contains(name)));
    runtime.block_on(compare(names.collect(), amount, wrap))
}

async fn compare(names: Vec<&'static str>, amount: Amount, wrap: &[&str]) -> Result<(), Failure> {
    let knobs = Arc::new(Upstream::new());
    let (listener, upstream) = upstream::bind().await?;
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(upstream::serve(listener, Arc::clone(&knobs)));
    let mut all = Map::new();
    for name in names {
        println!("{name} …");
        // A start may look at its provider: this thread must not wait for it.
        let owned: Vec<String> = wrap.iter().map(|word| (*word).to_owned()).collect();
        let started = tokio::task::spawn_blocking(move || {
            let wrap: Vec<&str> = owned.iter().map(String::as_str).collect();
            gateways::start(name, upstream, &wrap).map_err(|error| error.to_string())
        });
        let mut on = match started.await? {
            Ok(Some(on)) => on,
            Ok(None) => {
                println!("  not installed (tools/peers)");
                continue;
            }
            Err(why) => {
                println!("  {why}");
                continue;
            }
        };
        let rows = Bench { on: &mut on, upstream, knobs: &knobs, amount: amount.clone() }.rows().await;
        match rows {
            Ok(rows) => drop(all.insert(name.to_owned(), Value::Object(rows))),
            Err(why) => println!("  {why}\n{}", on.gateway.last_words()),
        }
    }
    table::print(&all);
    println!("{}", json!({ "proxy": all, "blocks": amount.blocks, "requests": amount.requests }));
    Ok(())
}
