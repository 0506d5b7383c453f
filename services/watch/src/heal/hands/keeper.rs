//! The supervisor's hands: what it does is only believed when the service is seen to be another process, and ready.

use std::time::Duration;

use sanctum_api::supervise::{Client, Phase, ServiceState};
use sanctum_kernel::Chain;
use sanctum_kernel::service::Shared;
use tokio::time::Instant;

const LOOK: Duration = Duration::from_millis(100);

/// The way to the supervisor.
pub(crate) fn client(shared: &Shared) -> Result<Client, String> {
    let to = sanctum_http::connect(&shared.peers, "supervise").map_err(|error| Chain(&error).to_string())?;
    Ok(Client::new(to))
}

/// Every service as the supervisor sees it.
pub(crate) async fn services(shared: &Shared) -> Result<Vec<ServiceState>, String> {
    client(shared)?.services().await.map_err(|error| Chain(&error).to_string())
}

pub(crate) async fn service(shared: &Shared, name: &str) -> Result<ServiceState, String> {
    client(shared)?.service(name).await.map_err(|error| Chain(&error).to_string())
}

/// Restarts (or starts, or unlocks) a service and waits until it is another process, and ready.
pub(crate) async fn renew(shared: &Shared, name: &str, within: Duration) -> Result<String, String> {
    let client = client(shared)?;
    let said = |error: sanctum_api::CallError| match error.problem() {
        Some(problem) => {
            let detail = problem.detail.clone().unwrap_or_default();
            format!("{}: {detail}", Chain(&error)).trim_end_matches([':', ' ']).to_owned()
        }
        None => Chain(&error).to_string(),
    };
    let before = client.service(name).await.map_err(said)?;
    let verb = match before.phase {
        Phase::Locked => "unlock",
        Phase::Stopped => "start",
        _ => "restart",
    };
    let started = Instant::now();
    client.act(name, verb).await.map_err(said)?;
    let mut seen = before.clone();
    while started.elapsed() < within {
        tokio::time::sleep(LOOK).await;
        // A busy supervisor is asked again; only its word counts.
        let Ok(now) = client.service(name).await else { continue };
        seen = now;
        let another = seen.pid.is_some() && seen.pid != before.pid;
        if seen.phase == Phase::Ready && another {
            let pid = seen.pid.unwrap_or_default();
            let took = started.elapsed().as_secs_f32();
            return Ok(format!("`{name}` runs as process {pid} and is ready, after {took:.1} s"));
        }
        let relocked = seen.phase == Phase::Locked
            && seen.locked.as_ref().map(|locked| locked.at) != before.locked.as_ref().map(|locked| locked.at);
        if relocked {
            let why = seen.locked.map(|locked| locked.reason).unwrap_or_default();
            return Err(format!("`{name}` was started again and is locked: {why}"));
        }
    }
    let detail = seen.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    Err(format!("`{name}` is {}{detail} after {} s, not ready", seen.phase.word(), within.as_secs()))
}
