//! Running services in this process.

use sanctum_host::{Plan, start};
use sanctum_kernel::{Clock, Failure};
use sanctum_settings::Loaded;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};

/// Worker threads of a process of the house, where there are so many processors: services wait far more than they compute.
/// On one processor a second worker would only take turns with the first, and one loop has nobody to wake.
const WORKERS: usize = 2;

/// Runs the named services until they are asked to stop; all but the supervisor if there are no names.
/// `begins` makes fresh tokens: for whoever begins a house.
pub(crate) fn services(names: &[&'static str], begins: bool, loaded: Loaded, cli: &Cli) -> Outcome {
    sanctum_host::telemetry(cli.verbose);
    let names = if names.is_empty() { in_one_process() } else { names.to_vec() };
    let plan = Plan {
        catalogue: &CATALOGUE,
        paths: cli.paths.clone(),
        loaded,
        names,
        clock: Clock::system(),
        begins,
    };
    let in_one = begins && plan.names.contains(&"dashboard");
    // The supervisor and the hub have one loop to turn and give long work to others: what happens to them need not be handed
    // from thread to thread before they do something.
    let runtime = if matches!(*plan.names, ["supervise" | "notify"]) { alone()? } else { runtime()? };
    runtime.block_on(async {
        let running = start(plan).await.map_err(sanctum_host::HostError::hinted)?;
        if let Some(url) = in_one.then(|| cli.dashboard()).flatten() {
            cli.say(&format!("The house is up, in one process. Look at it: {url}"))?;
        }
        Ok(running.until_stopped().await)
    })
}

/// Everything but the supervisor, which would start the others as processes, and the one who watches it.
pub(crate) fn in_one_process() -> Vec<&'static str> {
    let apart = |name: &&str| !matches!(*name, "supervise" | "deadman");
    CATALOGUE.iter().map(|entry| entry.spec.name).filter(apart).collect()
}

/// The runtime of one whose work is all on one thread.
fn alone() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// The runtime of a process of the house.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let processors = std::thread::available_parallelism().map_or(WORKERS, std::num::NonZero::get);
    let workers = WORKERS.min(processors);
    if workers < 2 {
        return alone();
    }
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}
