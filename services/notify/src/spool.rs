//! What was said while the hub was down: files, each taken in exactly once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sanctum_api::notify::Spooled;
use sanctum_kernel::files;
use sanctum_kernel::{Failure, Nudge, Status, Stop, Trace};

use crate::accept::{Incoming, accept};
use crate::api::rules;
use crate::hub::Hub;

/// How often the directory is looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// Takes in what is there, and what comes, until stopped.
pub(crate) async fn run(hub: Arc<Hub>, stop: Stop) -> Result<(), Failure> {
    let nudge = Nudge::default();
    sanctum_kernel::reconcile::reconcile(&stop, PERIOD, &nudge, || sweep(Arc::clone(&hub))).await;
    Ok(())
}

/// Whole files end in `.json`; one that is being written has another name.
fn waiting(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    files
}

async fn sweep(hub: Arc<Hub>) -> Result<(), Failure> {
    for path in waiting(&hub.shared.paths.spool()) {
        take_in(&hub, &path).await?;
    }
    Ok(())
}

/// The name of the file is its key: a crash between the commit and the removal takes nothing in twice.
async fn take_in(hub: &Arc<Hub>, path: &Path) -> Result<(), Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = match files::read(path) {
        // What is not text will never be: it must not keep the others waiting.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err("it is not UTF-8".to_owned()),
        text => Ok(text?),
    };
    let spooled =
        text.and_then(|text| serde_json::from_str::<Spooled>(&text).map_err(|error| error.to_string()));
    let spooled = spooled.and_then(|spooled| match rules::check(&spooled.notice, hub) {
        Ok(()) => Ok(spooled),
        Err(problem) => Err(problem.to_string()),
    });
    let spooled = match spooled {
        Ok(spooled) => spooled,
        Err(reason) => {
            // Kept for a person to look at, out of the way of the others.
            tracing::error!(file = %name, error = %reason, "a spooled notification could not be read");
            hub.shared.well.set_hint(
                "spool",
                Status::Degraded,
                format!("`{name}` could not be read: {reason}"),
                "mend or remove the file with `.bad` at its end",
            );
            std::fs::rename(path, path.with_extension("json.bad"))?;
            return Ok(());
        }
    };
    let trace = spooled.trace_id.map_or_else(Trace::start, Trace::within).id();
    let at = spooled.at.min(hub.now());
    let key = spooled.key.map_or_else(
        || format!("spool:{name}"),
        |key| format!("{}:{key}", spooled.caller.as_deref().unwrap_or("cli")),
    );
    let incoming = Incoming { notice: spooled.notice, trace, at, key: Some(key), own: false };
    accept(hub, incoming).await?;
    files::remove(path)?;
    tracing::info!(file = %name, "a spooled notification was taken in");
    Ok(())
}
