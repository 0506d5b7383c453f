//! How to look at a service: one file for each kind of check, one answer for all of them.

mod answer;
mod dial;
mod kinds;
mod line;
mod stuck;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sanctum_kernel::inventory::check::Check;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Clock, Paths, Peers, Period};
use tokio::time::Instant;

pub use answer::{Answer, Finding};

/// Puts questions. Cheap to clone; clones share what is known of names and of what hangs.
#[derive(Debug, Clone)]
pub struct Prober(Arc<Eyes>);

/// What a kind may need to look.
#[derive(Debug)]
pub(crate) struct Eyes {
    pub(crate) paths: Paths,
    pub(crate) clock: Clock,
    pub(crate) peers: Peers,
    pub(crate) names: dial::Names,
    pub(crate) stuck: stuck::Stuck,
}

/// How far a question has come, for those that were cut off.
#[derive(Debug, Default)]
pub(crate) struct Stage(AtomicU8);

impl Stage {
    /// The connection stands.
    pub(crate) fn connected(&self) {
        self.0.store(1, Ordering::Relaxed);
    }

    /// The answer has begun.
    pub(crate) fn answering(&self) {
        self.0.store(2, Ordering::Relaxed);
    }

    fn cut(&self, kind: &str, patience: Duration) -> Answer {
        let within = Period(patience);
        Answer::fail(match (self.0.load(Ordering::Relaxed), kind) {
            (2, _) => format!("its answer did not end within {within}"),
            (1, _) => format!("it takes connections and gave no answer within {within}"),
            (_, "command") => format!("it had not ended after {within} and was killed"),
            (_, "tcp" | "http" | "health" | "events" | "certificate") => {
                format!("no connection within {within}")
            }
            _ => format!("no answer within {within}"),
        })
    }
}

impl Prober {
    pub fn new(shared: &Shared) -> Self {
        Self::with(shared.paths.clone(), shared.clock.clone(), shared.peers.clone())
    }

    /// For one that is no service: a command, a measurement.
    pub fn with(paths: Paths, clock: Clock, peers: Peers) -> Self {
        let (names, stuck) = (dial::Names::default(), stuck::Stuck::default());
        Self(Arc::new(Eyes { paths, clock, peers, names, stuck }))
    }

    /// Puts one question and returns within its time-out, whatever is asked. Dropping the future ends the question:
    /// connections are closed, a command is killed.
    pub async fn ask(&self, check: &Check) -> Answer {
        let (began, patience, stage) = (Instant::now(), check.patience(), Stage::default());
        let mut answer = match tokio::time::timeout(patience, kinds::look(&self.0, check, &stage)).await {
            Ok(Ok(answer) | Err(answer)) => answer,
            Err(_) => stage.cut(check.kind(), patience),
        };
        answer.took = began.elapsed();
        answer
    }
}
