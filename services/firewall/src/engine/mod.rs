//! The one owner of the truth: everything that happens goes through its queue, one at a time.

mod arrive;
mod canary;
mod core;
mod drift;
mod flood;
mod round;
mod say;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_core::future::BoxFuture;
use sanctum_api::Problem;
use sanctum_api::firewall::Desired;
use sanctum_http::Refusal;
use sanctum_kernel::{Chain, Nudge, Stop, Trace};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::core::{Core, Setup, View};
use crate::backend::Signal;
use crate::record::Record;

type Job = Box<dyn for<'a> FnOnce(&'a mut Core) -> BoxFuture<'a, ()> + Send>;

/// How many requests may wait; more are told to come back later.
const QUEUE: usize = 256;

/// The handle that everybody else holds.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    jobs: mpsc::Sender<Job>,
    view: watch::Receiver<Arc<View>>,
    nudge: Nudge,
    canaries: Arc<tokio::sync::Mutex<()>>,
}

/// The other end: the loop that owns the core.
pub(crate) struct Loop {
    core: Core,
    jobs: mpsc::Receiver<Job>,
    signals: mpsc::Receiver<Signal>,
}

impl Engine {
    /// A handle and its loop; `signals` are what the router tells.
    pub(crate) fn new(core: Core, signals: mpsc::Receiver<Signal>) -> (Self, Loop) {
        let (sender, jobs) = mpsc::channel(QUEUE);
        let engine =
            Self { jobs: sender, view: core.view(), nudge: core.nudge.clone(), canaries: Arc::default() };
        (engine, Loop { core, jobs, signals })
    }

    /// Runs `work` on the truth, keeps what it changed, and returns its answer.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Core) -> BoxFuture<'a, Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let trace = Trace::current();
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |core| {
            Box::pin(async move {
                let before = core.changes();
                let outcome = trace.scope(work(core)).await;
                let changed = core.changes() != before;
                // What an earlier one could not write down is no fault of this one.
                let kept = core.finish().await.or_else(|error| if changed { Err(error) } else { Ok(()) });
                let outcome =
                    outcome.and_then(|value| kept.map(|()| value).map_err(|error| not_kept(&error)));
                // The caller may have gone; what was done stays done.
                if reply.send(outcome).is_err() {}
            })
        });
        self.jobs.try_send(job).map_err(|_| busy())?;
        answer.await.map_err(|_| busy())?
    }

    /// What is true now, without waiting for anything in progress.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Resolves at the next change of the view.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    pub(crate) const fn nudge(&self) -> &Nudge {
        &self.nudge
    }
}

impl Loop {
    /// Begins with what was kept.
    pub(crate) fn take_over(&mut self, records: BTreeMap<String, Record>, desired: Desired) {
        self.core.take_over(records, desired);
    }

    /// Works until stopped.
    pub(crate) async fn run(mut self, stop: Stop) {
        loop {
            let departure = self.core.next_departure();
            tokio::select! {
                biased;
                () = stop.requested() => return,
                Some(signal) = self.signals.recv() => {
                    Trace::start().scope(self.core.signal(signal)).await;
                    self.keep().await;
                    // Arrivals come first, but a flood of them (made-up addresses) must not keep the curfew waiting.
                    if let Ok(job) = self.jobs.try_recv() {
                        job(&mut self.core).await;
                    }
                }
                Some(job) = self.jobs.recv() => job(&mut self.core).await,
                () = tokio::time::sleep_until(departure) => {
                    Trace::start().scope(async { self.core.depart() }).await;
                    self.keep().await;
                }
            }
        }
    }

    async fn keep(&mut self) {
        // In a flood most signs change nothing.
        if self.core.is_kept() {
            return;
        }
        if let Err(error) = self.core.finish().await {
            tracing::error!(error = %Chain(&error), "what happened could not be kept; it is tried again");
        }
    }
}

fn busy() -> Refusal {
    Refusal(Problem::new(503, "busy", "the firewall is busy or stopping").hint("try again in a few seconds"))
}

fn not_kept(error: &sanctum_store::StoreError) -> Refusal {
    let problem = Problem::new(error.status(), "not-kept", "it is in force, but could not be written down")
        .detail(error.to_string());
    Refusal(match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    })
}

/// Nothing was changed.
fn refused_store(error: &sanctum_store::StoreError) -> Refusal {
    let Refusal(mut problem) = not_kept(error);
    "it could not be written down, so nothing was changed".clone_into(&mut problem.title);
    Refusal(problem)
}
