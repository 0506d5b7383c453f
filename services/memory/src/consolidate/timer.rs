//! When a pass is made: what was cut off at once, then every few hours by the wall clock.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sanctum_kernel::{Chain, Failure, Status, Stop};

use crate::library::{Library, Tell};

/// A pass that failed is made again after this.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// A house that has just started has other things to do.
const FIRST: SignedDuration = SignedDuration::from_mins(5);
/// What was cut off is tried again soon.
const SOON: Duration = Duration::from_secs(30);

/// Runs until stopped.
pub(crate) async fn run(library: Library, stop: Stop) -> Result<(), Failure> {
    if stop.or(library.has_read()).await.is_none() {
        return Ok(());
    }
    while let Err(error) = library.consolidation().resume(&library).await {
        say(&library, &error.to_string());
        if stop.or(tokio::time::sleep(SOON)).await.is_none() {
            return Ok(());
        }
    }
    let clock = library.shared().clock.clone();
    let every = SignedDuration::try_from(library.config().consolidate_every.0).unwrap_or(SignedDuration::MAX);
    if every.is_zero() {
        return Ok(());
    }
    let mut failed = None;
    loop {
        let now = clock.now();
        let last = library.last_pass().await.ok().flatten();
        // A last pass in the future was made by a clock that went back since.
        let due = match (failed, last.filter(|last| *last <= now)) {
            (Some(at), _) => at,
            (None, Some(last)) => last.saturating_add(every).unwrap_or(now),
            (None, None) => now.saturating_add(FIRST).unwrap_or(now),
        };
        if stop.or(clock.until(due)).await.is_none() {
            return Ok(());
        }
        let nothing: Tell = Arc::new(|_| {});
        match Box::pin(stop.or(library.consolidate(true, nothing))).await {
            None => return Ok(()),
            Some(Ok(report)) => {
                failed = None;
                let detail = format!("{}: {} steps", report.run, report.steps.len());
                library.shared().well.set("consolidation", Status::Well, detail);
            }
            Some(Err(error)) => {
                say(&library, &Chain(&error).to_string());
                failed = clock.now().checked_add(AGAIN).ok();
            }
        }
    }
}

fn say(library: &Library, error: &str) {
    tracing::warn!(error, "the notes could not be put in order");
    let hint = "it is tried again by itself; nothing is lost, and what was begun is taken up";
    library.shared().well.set_hint("consolidation", Status::Degraded, error.to_owned(), hint);
}
