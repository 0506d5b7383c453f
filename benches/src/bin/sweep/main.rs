//! The sweep beside monit: what 200 checks cost, what hung endpoints cost the others, 10,000 checks, and how soon a death is seen.
//!
//! `sweep [--json] [--monit PATH] [--only cost|hung|many|deaths]` prints a table and, as its last line with `--json`, the numbers.
//! Endpoints are a process of their own, so that its work is not counted; the sweep runs in this one, on a runtime with as many
//! threads as a process of the house has. All in real time and on loopback; where a cadence is shorter than the house's, it is said.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

mod monit;
mod ours;
mod scenes;
mod targets;

use std::path::PathBuf;

use sanctum_kernel::Failure;
use serde_json::{Value, json};

use scenes::Bars;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if words.first() == Some(&"--serve-targets") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(targets::serve());
    }
    let value = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1).copied()
    };
    let only = value("--only").map(str::to_owned);
    let monit = value("--monit").map_or_else(fetched, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (results, bars) = runtime.block_on(async {
        // On a thread of the runtime, as in the house: one of its own would be woken for every answer.
        let mut task = tokio::task::JoinSet::new();
        task.spawn(measure(only, monit));
        task.join_next().await.ok_or("nothing was measured")??
    })?;
    println!();
    bars.print();
    if words.contains(&"--json") {
        println!("{}", json!({ "results": results, "bars": bars.as_json() }));
    }
    Ok(())
}

async fn measure(
    only: Option<String>,
    monit: PathBuf,
) -> Result<(serde_json::Map<String, Value>, Bars), Failure> {
    let wanted = |scene: &str| only.as_deref().is_none_or(|only| only == scene);
    let mut bars = Bars::default();
    let mut results = serde_json::Map::new();
    if wanted("cost") {
        results.insert("cost".to_owned(), scenes::cost(&mut bars, &monit).await?);
    }
    if wanted("hung") {
        results.insert("hung".to_owned(), scenes::hung(&mut bars, &monit).await?);
    }
    if wanted("many") {
        results.insert("many".to_owned(), scenes::many(&mut bars).await?);
    }
    if wanted("deaths") {
        results.insert("deaths".to_owned(), scenes::deaths(&mut bars).await?);
    }
    Ok((results, bars))
}

/// monit where `tools/peers` puts it, or else where Debian does.
fn fetched() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap_or_default();
    let fetched = cache.join("sanctum/peers/debian/usr/bin/monit");
    if fetched.is_file() { fetched } else { PathBuf::from("/usr/bin/monit") }
}
