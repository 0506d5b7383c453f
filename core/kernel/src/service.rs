//! What a service does, and everything the host gives it to do it with.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::registry::Registry;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::{Catalogue, Clock, House, Latch, Paths, Peers, Ready, Spec, Stop, Tasks, Well};

/// What `build` and `run` fail with; printed once, by [`Chain`](crate::Chain).
pub type Failure = Box<dyn Error + Send + Sync>;

/// One long-running service.
///
/// `build` may fail and must not wait for the network: it checks configuration and opens what it needs.
/// `run` returns when `stop` is requested, or when the service can no longer do its job.
pub trait Service: Sized + Send + 'static {
    const SPEC: Spec;
    /// Its section of `sanctum.toml`: strict, with a default for every key.
    type Config: DeserializeOwned + JsonSchema + Default + Send + Sync + 'static;

    /// Rules of its section that no type can express. Called without side effects, before anything starts.
    fn check(_config: &Self::Config, _house: &House) -> Vec<Complaint> {
        Vec::new()
    }

    /// Whether a running instance takes this change over by itself. It then finds the new configuration by
    /// [`Revised::follow`]; otherwise a new instance is built.
    fn revises(_old: &Self::Config, _new: &Self::Config) -> bool {
        false
    }

    fn build(cx: Context<Self::Config>) -> impl Future<Output = Result<Self, Failure>> + Send;
    fn run(self, stop: Stop) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Something wrong in the configuration, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Keys from the section's own root, such as `["schedule", "weekday"]`; array positions as numbers.
    pub path: Vec<String>,
    /// A lower-case fragment without a full stop.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Complaint {
    pub fn new(path: &[&str], message: impl Into<String>) -> Self {
        Self { path: path.iter().map(|&key| key.into()).collect(), message: message.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Everything the host gives a service.
#[derive(Debug)]
pub struct Context<C> {
    pub config: C,
    pub house: Arc<House>,
    pub catalogue: &'static Catalogue,
    pub spec: &'static Spec,
    pub shared: Shared,
    pub latch: Latch,
    pub listeners: BTreeMap<&'static str, TcpListener>,
}

/// What a service hands on to its parts; cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared {
    pub paths: Paths,
    pub clock: Clock,
    pub tasks: Tasks,
    pub peers: Peers,
    pub well: Well,
    pub ready: Ready,
    pub metrics: Metrics,
    pub revised: Revised,
}

/// A configuration of a service, as the catalogue hands it on without knowing its type, and the house it belongs to.
#[derive(Debug, Clone)]
pub struct Revision {
    pub config: Arc<dyn Any + Send + Sync>,
    pub house: Arc<House>,
}

/// Where a running instance is handed a new configuration; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Revised(Arc<watch::Sender<Option<Revision>>>);

impl Revised {
    /// Hands over what a service has said that it takes.
    pub fn send(&self, revision: Revision) {
        self.0.send_replace(Some(revision));
    }

    /// Every configuration since the instance was built; of several that come together, the last.
    pub fn follow(&self) -> Revisions {
        let mut revisions = self.0.subscribe();
        // One that came between building and running is news as well.
        revisions.mark_changed();
        Revisions(revisions)
    }
}

/// New configurations, as they come.
#[derive(Debug)]
pub struct Revisions(watch::Receiver<Option<Revision>>);

impl Revisions {
    /// The next one; never, if none comes any more.
    pub async fn next<C: Send + Sync + 'static>(&mut self) -> Arc<C> {
        self.next_in_house().await.0
    }

    /// The next one, with the house it belongs to; never, if none comes any more.
    pub async fn next_in_house<C: Send + Sync + 'static>(&mut self) -> (Arc<C>, Arc<House>) {
        while self.0.changed().await.is_ok() {
            let revision = self.0.borrow_and_update().clone();
            let Some(Revision { config, house }) = revision else { continue };
            if let Ok(config) = config.downcast() {
                return (config, house);
            }
        }
        std::future::pending().await
    }
}

/// The registry of one service, already under its prefix `sanctum_<name>`.
#[derive(Clone)]
pub struct Metrics {
    own: Arc<Mutex<Registry>>,
    standard: Arc<Mutex<Registry>>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    pub fn new(service: &str) -> Self {
        let own = Arc::new(Mutex::new(Registry::with_prefix(format!("sanctum_{service}"))));
        Self { own, standard: Arc::default() }
    }

    /// Registers or encodes; a registry is only ever touched for the length of `work`.
    pub fn with<T>(&self, work: impl FnOnce(&mut Registry) -> T) -> T {
        work(&mut self.own.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same for metrics whose whole name a standard fixes, such as OpenTelemetry's `gen_ai_…`: no prefix.
    pub fn with_standard<T>(&self, work: impl FnOnce(&mut Registry) -> T) -> T {
        work(&mut self.standard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the service declares no listener named `{0}`")]
pub struct NoListener(&'static str);

impl<C> Context<C> {
    /// The socket bound for the listener of this name.
    pub fn listener(&mut self, name: &'static str) -> Result<TcpListener, NoListener> {
        self.listeners.remove(name).ok_or(NoListener(name))
    }
}
