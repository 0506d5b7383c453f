//! Looks that may never return: a file on a server that is gone takes its thread with it, so it is taken once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Answer;
use crate::answer::span;

/// A look that takes longer hangs.
const LONG: Duration = Duration::from_secs(5);

/// What is being looked at by threads that may wait, since when, and by how many.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stuck(Arc<Mutex<HashMap<String, (Instant, usize)>>>);

impl Stuck {
    /// Runs `work` on a thread that may wait; while an earlier look at the same thing hangs, that is the answer.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        what: String,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Answer> {
        {
            let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let (since, count) = looks.entry(what.clone()).or_insert((now, 0));
            if since.elapsed() > LONG {
                return Err(Answer::fail(format!(
                    "a look at it has been hanging for {}",
                    span(since.elapsed())
                )));
            }
            *count += 1;
        }
        let held = Held { stuck: self.clone(), what };
        let done = tokio::task::spawn_blocking(move || {
            let _held = held;
            work()
        });
        done.await.map_err(|error| Answer::unknown(format!("the look at it broke off: {error}")))
    }
}

struct Held {
    stuck: Stuck,
    what: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut looks = self.stuck.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = looks.get_mut(&self.what) {
            *count -= 1;
            if *count == 0 {
                looks.remove(&self.what);
            }
        }
    }
}
