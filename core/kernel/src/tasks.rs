//! Background work that somebody waits for.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::{Chain, Failure, Stop};

/// What the end of a task with an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It is logged; the service goes on without it.
    Log,
    /// The service cannot do its job: it stops with this error.
    Stop,
}

/// The task group of one service. At stop the host waits for all of them within the service's grace.
#[derive(Debug, Clone)]
pub struct Tasks {
    set: Arc<Mutex<JoinSet<()>>>,
    failed: mpsc::UnboundedSender<Failure>,
    stop: Stop,
}

impl Tasks {
    /// A group whose tasks hold `stop`, and where failures of [`OnError::Stop`] tasks come out.
    pub fn new(stop: Stop) -> (Self, mpsc::UnboundedReceiver<Failure>) {
        let (failed, failures) = mpsc::unbounded_channel();
        (Self { set: Arc::default(), failed, stop }, failures)
    }

    /// Runs `work` with a stop token of its own; it must return soon after the stop is requested.
    pub fn spawn<F>(&self, name: &'static str, on_error: OnError, work: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let stop = self.stop.clone();
        let failed = self.failed.clone();
        let work = work(stop.clone());
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        while set.try_join_next().is_some() {}
        set.spawn(async move {
            let outcome = work.await;
            drop(stop);
            if let Err(error) = outcome {
                tracing::error!(task = name, error = %Chain(&*error), "a task failed");
                if on_error == OnError::Stop {
                    failed.send(error).ok();
                }
            }
        });
    }

    /// A token for work that is awaited elsewhere.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Returns when every task has ended.
    pub async fn drain(&self) {
        loop {
            let mut set = std::mem::take(&mut *self.set.lock().unwrap_or_else(PoisonError::into_inner));
            if set.is_empty() {
                return;
            }
            while set.join_next().await.is_some() {}
        }
    }

    /// Ends whatever is still running; for the host, after the grace.
    pub fn abort(&self) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}
