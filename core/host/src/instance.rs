//! One running instance of a service.

use std::sync::Arc;
use std::time::Duration;

use sanctum_kernel::catalogue::{Seed, Started};
use sanctum_kernel::latch::latch;
use sanctum_kernel::service::{Metrics, Revised, Shared};
use sanctum_kernel::stop::{Stopper, channel};
use sanctum_kernel::{
    Catalogue, Chain, Clock, Entry, Failure, House, Paths, Peers, Ready, Spec, Tasks, Well,
};
use sanctum_settings::Loaded;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::Bound;

/// What every instance of a process is made from.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) catalogue: &'static Catalogue,
    pub(crate) paths: Paths,
    pub(crate) clock: Clock,
    pub(crate) bound: Bound,
}

/// A service that has been built and may be run.
pub(crate) struct Built {
    spec: &'static Spec,
    started: Started,
    stopper: Stopper,
    stop: sanctum_kernel::Stop,
    tasks: Tasks,
    failures: mpsc::UnboundedReceiver<Failure>,
    pub(crate) shared: Shared,
}

/// A service that runs.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) spec: &'static Spec,
    pub(crate) shared: Shared,
    stopper: Stopper,
    tasks: Tasks,
    work: JoinHandle<Result<(), Failure>>,
}

impl Ground {
    /// Builds a service from a checked file.
    pub(crate) async fn build(&self, entry: &'static Entry, loaded: &Loaded) -> Result<Built, Failure> {
        let spec = entry.spec;
        let (stopper, stop) = channel();
        let (tasks, failures) = Tasks::new(stop.clone());
        let (held, ready) = latch();
        let peers = Peers::load(spec.name, self.catalogue, &self.paths, self.bound.addrs.clone())?;
        let shared = self.shared(spec, tasks.clone(), peers, ready);
        let seed = Seed {
            house: Arc::<House>::clone(&loaded.house),
            catalogue: self.catalogue,
            shared: shared.clone(),
            latch: held,
            listeners: self.bound.sockets(spec)?,
        };
        let starting = loaded.with_section(spec.name, |section| (entry.start)(section, seed))?;
        let span = tracing::info_span!("service", service = spec.name);
        let started = starting.instrument(span).await?;
        Ok(Built { spec, started, stopper, stop, tasks, failures, shared })
    }

    fn shared(&self, spec: &Spec, tasks: Tasks, peers: Peers, ready: Ready) -> Shared {
        Shared {
            paths: self.paths.clone(),
            clock: self.clock.clone(),
            tasks,
            peers,
            well: Well::default(),
            ready,
            metrics: Metrics::new(spec.name),
            revised: Revised::default(),
        }
    }
}

impl Built {
    /// Runs it; `ended` hears its name, and whether that was well, when it ends without having been asked to.
    pub(crate) fn run(self, ended: mpsc::UnboundedSender<(&'static str, bool)>) -> Instance {
        let Self { spec, started, stopper, stop, tasks, mut failures, shared } = self;
        let farewell = Farewell { service: spec.name, asked: stop.clone(), ended, well: false };
        let running = started.run(stop);
        let work = async move {
            // Taken whole: captured field by field it would say goodbye right here.
            let mut farewell = farewell;
            let outcome = tokio::select! {
                outcome = running => outcome,
                Some(error) = failures.recv() => Err(error),
            };
            if let Err(error) = &outcome {
                tracing::error!(error = %Chain(&**error), "the service failed");
            }
            farewell.well = outcome.is_ok();
            outcome
        };
        let span = tracing::info_span!("service", service = spec.name);
        #[expect(clippy::disallowed_methods, reason = "the host waits for this task in `stop`")]
        let work = tokio::spawn(work.instrument(span));
        Instance { spec, shared, stopper, tasks, work }
    }
}

impl Instance {
    /// Asks it to begin no more work, without waiting.
    pub(crate) fn retire(&self) {
        self.stopper.request();
    }

    /// Asks it to stop and waits, within its grace, until all its work is gone; then what it ended with.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let grace = self.spec.grace;
        self.stop_within(grace).await
    }

    pub(crate) async fn stop_within(self, grace: Duration) -> Result<(), Failure> {
        let Self { spec, stopper, tasks, work, shared } = self;
        drop(shared);
        stopper.request();
        let mut work = work;
        let ended = tokio::time::timeout(grace, &mut work).await;
        let outcome = match ended {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(Box::new(panic) as Failure),
            Err(_) => {
                work.abort();
                Err(format!("it did not stop within {} s", grace.as_secs()).into())
            }
        };
        // The group itself holds a token; the tasks have ended when only that one is left.
        let drained = tokio::time::timeout(Duration::from_secs(2).min(grace), tasks.drain()).await;
        if drained.is_err() {
            tracing::warn!(service = spec.name, "some of its tasks were cut off");
            tasks.abort();
        }
        outcome
    }
}

/// Reports the end of a service that nobody asked to end, also if it ends with a panic.
struct Farewell {
    service: &'static str,
    asked: sanctum_kernel::Stop,
    ended: mpsc::UnboundedSender<(&'static str, bool)>,
    well: bool,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if !self.asked.is_requested() {
            self.ended.send((self.service, self.well)).ok();
        }
    }
}
