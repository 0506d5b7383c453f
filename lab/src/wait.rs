//! Waiting for a condition, with a deadline that says what was waited for.

use std::time::{Duration, Instant};

use sanctum_kernel::Failure;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Polls `condition` on this thread for so many seconds.
pub(crate) fn blocking<T>(
    what: &str,
    seconds: u64,
    mut condition: impl FnMut() -> Option<T>,
) -> Result<T, Failure> {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = condition() {
            return Ok(found);
        }
        if Instant::now() >= end {
            return Err(format!("waited {seconds} s in vain for {what}").into());
        }
        std::thread::park_timeout(LOOK);
    }
}

/// Polls `condition` for so many seconds.
pub(crate) async fn until<T>(
    what: &str,
    seconds: u64,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> Result<T, Failure> {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = condition().await {
            return Ok(found);
        }
        if Instant::now() >= end {
            return Err(format!("waited {seconds} s in vain for {what}").into());
        }
        tokio::time::sleep(LOOK).await;
    }
}
