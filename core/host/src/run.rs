//! The life of a process: from the plan to the exit code.

use std::time::{Duration, Instant};

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::files::FileError;
use sanctum_kernel::peers::{ensure_tokens, make_tokens};
use sanctum_kernel::running::Running as Said;
use sanctum_kernel::{Catalogue, Chain, Clock, Failure, Paths, Ready, exit};
use sanctum_settings::Loaded;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::instance::{Ground, Instance};
use crate::reload::Watch;
use crate::{BindError, Bound};

/// What to run.
#[derive(Debug)]
pub struct Plan {
    pub catalogue: &'static Catalogue,
    pub paths: Paths,
    pub loaded: Loaded,
    /// Names of the services this process runs; all of the catalogue if empty.
    pub names: Vec<&'static str>,
    pub clock: Clock,
    /// Make fresh tokens first, for the process that begins the house; the others make what is missing.
    pub begins: bool,
}

/// Why a house did not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("could not prepare the house's directories")]
    Prepare(#[source] FileError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("services need each other in a circle: {}", .0.join(" → "))]
    Cycle(Vec<&'static str>),
    #[error("could not start {service}")]
    Build {
        service: &'static str,
        #[source]
        source: Failure,
    },
}

impl HostError {
    /// The way out, if there is one, and the exit code.
    pub fn hint(&self) -> (Option<String>, u8) {
        match self {
            Self::Prepare(_) => (
                Some("choose another place with SANCTUM_HOME, or mend its permissions".to_owned()),
                exit::CANNOT_CREATE,
            ),
            Self::Bind(error) => {
                let (hint, code) = error.hint();
                (Some(hint), code)
            }
            Self::Cycle(_) => (None, exit::SOFTWARE),
            Self::Build { source, .. } => {
                let hinted = sanctum_kernel::hint(&**source);
                hinted.map_or((None, exit::SOFTWARE), |(hint, code)| (Some(hint.to_owned()), code))
            }
        }
    }

    /// As an error that carries its own hint, for printing.
    pub fn hinted(self) -> Failure {
        let message = Chain(&self).to_string();
        match self.hint() {
            (Some(hint), code) => Box::new(Hinted::new(code, message, hint)),
            (None, _) => Box::new(self),
        }
    }
}

/// Services that run in this process.
#[derive(Debug)]
pub struct Running {
    ground: Ground,
    /// In boot order.
    instances: Vec<Instance>,
    /// Instances that a reload has replaced and that finish what they had begun.
    lingering: JoinSet<()>,
    /// Tells them that the process ends.
    ending: watch::Sender<bool>,
    watch: Watch,
    /// Where each of them listens, for whoever looks from outside; true for as long as this lives.
    said: Vec<Said>,
    ended: mpsc::UnboundedReceiver<(&'static str, bool)>,
    report: mpsc::UnboundedSender<(&'static str, bool)>,
}

/// Binds, builds and runs the planned services in the order of their needs.
pub async fn start(plan: Plan) -> Result<Running, HostError> {
    let begun = Instant::now();
    let Plan { catalogue, paths, loaded, mut names, clock, begins } = plan;
    let order = catalogue.boot_order().map_err(HostError::Cycle)?;
    if names.is_empty() {
        names = catalogue.iter().map(|entry| entry.spec.name).collect();
    }
    paths.prepare().map_err(HostError::Prepare)?;
    let mut others = tokens(catalogue, &paths, &names, begins).map_err(HostError::Prepare)?;
    let bound = Bound::bind(catalogue, &loaded, &names)?;
    let said = say(&names, &paths, &bound).map_err(HostError::Prepare)?;
    let ground = Ground { catalogue, paths, clock, bound };
    let (report, ended) = mpsc::unbounded_channel();
    let watch = Watch::new(loaded);
    let mut running = Running {
        ground,
        instances: Vec::new(),
        lingering: JoinSet::new(),
        ending: watch::Sender::new(false),
        watch,
        said,
        ended,
        report,
    };
    for entry in order.into_iter().filter(|entry| names.contains(&entry.spec.name)) {
        let service = entry.spec.name;
        let built = running.ground.build(entry, running.watch.loaded()).await;
        if let Some(others) = others.take() {
            others
                .await
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
                .map_err(HostError::Prepare)?;
        }
        match built {
            Ok(built) => running.instances.push(built.run(running.report.clone())),
            Err(source) => {
                // What had been started must not be left behind half-born.
                running.stop().await;
                return Err(HostError::Build { service, source });
            }
        }
        tracing::info!(service, ms = begun.elapsed().as_millis(), "started");
    }
    Ok(running)
}

/// Makes the tokens of `names` now, and those of all others while these are built: who runs may start them.
fn tokens(
    catalogue: &'static Catalogue,
    paths: &Paths,
    names: &[&'static str],
    begins: bool,
) -> Result<Option<JoinHandle<Result<(), FileError>>>, FileError> {
    if !begins {
        return ensure_tokens(catalogue, paths).map(|()| None);
    }
    let names = names.to_vec();
    let is_own = move |caller: &str, callee: &str| names.contains(&caller) || names.contains(&callee);
    make_tokens(catalogue, paths, &is_own)?;
    let paths = paths.clone();
    let rest = move || make_tokens(catalogue, &paths, |caller, callee| !is_own(caller, callee));
    Ok(Some(tokio::task::spawn_blocking(rest)))
}

/// Says in `run/at` where the services of this process listen.
fn say(names: &[&'static str], paths: &Paths, bound: &Bound) -> Result<Vec<Said>, FileError> {
    let mut all = Vec::new();
    for (name, addr) in names.iter().filter_map(|name| Some((*name, bound.addrs.get(*name)?))) {
        let said = Said::say(paths, name, *addr)?;
        if said.is_none() {
            tracing::warn!(service = name, "another process of this house runs this service, too");
        }
        all.extend(said);
    }
    Ok(all)
}

/// Why a process ended.
#[derive(Debug)]
enum Why {
    Asked,
    Ended(&'static str),
}

impl Running {
    /// Where everybody listens.
    pub const fn addrs(&self) -> &std::collections::BTreeMap<String, std::net::SocketAddr> {
        &self.ground.bound.addrs
    }

    pub fn paths(&self) -> &Paths {
        &self.ground.paths
    }

    pub fn clock(&self) -> &Clock {
        &self.ground.clock
    }

    /// Whether every service is ready.
    pub fn is_ready(&self) -> bool {
        self.instances.iter().all(|instance| instance.shared.ready.is_ready())
    }

    /// Waits for a signal, a changed file, or the end of a service; returns the exit code after draining.
    pub async fn until_stopped(mut self) -> u8 {
        let why = self.wait().await;
        if let Why::Ended(service) = why {
            tracing::error!(service, "a service ended without being asked to: the process goes with it");
        }
        let failed = self.stop().await;
        match why {
            Why::Asked if !failed => exit::OK,
            _ => exit::SOFTWARE,
        }
    }

    async fn wait(&mut self) -> Why {
        let mut signals = Signals::new();
        let latches: Vec<Ready> =
            self.instances.iter().map(|instance| instance.shared.ready.clone()).collect();
        let mut announced = false;
        loop {
            tokio::select! {
                () = becomes_ready(&latches), if !announced => {
                    announced = true;
                    sanctum_kernel::announce("READY=1");
                }
                hang_up = signals.next() => match hang_up {
                    Signal::Stop => return Why::Asked,
                    Signal::Reload => self.reload(true).await,
                },
                ended = self.ended.recv() => return match ended {
                    Some((service, false)) => Why::Ended(service),
                    // It was asked by another way, as the supervisor is by `down`: its work is done.
                    Some((_, true)) | None => Why::Asked,
                },
                () = tokio::time::sleep(LOOK) => self.reload(false).await,
            }
        }
    }

    /// Looks at the file again, and rebuilds what it changes.
    pub async fn reload(&mut self, asked: bool) {
        let Some(next) = self.watch.look(self.ground.catalogue, asked, &self.instances) else { return };
        let before = self.watch.loaded().clone();
        let mut kept = true;
        for at in 0..self.instances.len() {
            let Some(name) = self.instances.get(at).map(|instance| instance.spec.name) else { continue };
            let Some(entry) =
                self.ground.catalogue.find(name).filter(|entry| before.differs_for(&next, entry))
            else {
                continue;
            };
            if let Some(revision) = before.revision(&next, entry) {
                if let Some(instance) = self.instances.get(at) {
                    instance.shared.revised.send(revision);
                }
                continue;
            }
            match self.ground.build(entry, &next).await {
                Ok(built) => self.replace(at, built).await,
                Err(error) => {
                    kept = false;
                    tracing::error!(service = name, error = %Chain(&*error), "the new configuration does not build: the old one stays");
                    Watch::complain(&self.instances, &format!("{name}: {}", Chain(&*error)));
                }
            }
        }
        if kept {
            self.watch.accept(next, &self.instances);
        }
    }

    async fn replace(&mut self, at: usize, built: crate::instance::Built) {
        let old = self.instances.remove(at);
        let name = old.spec.name;
        if !old.spec.linger.is_zero() {
            self.linger(old);
        } else if let Err(error) = old.stop().await {
            tracing::warn!(service = name, error = %Chain(&*error), "the old instance ended badly");
        }
        self.instances.insert(at, built.run(self.report.clone()));
        tracing::info!(service = name, "runs with its new configuration");
    }

    /// Lets a replaced instance finish what it has begun, beside its successor.
    fn linger(&mut self, old: Instance) {
        while self.lingering.try_join_next().is_some() {}
        let (name, linger, grace) = (old.spec.name, old.spec.linger, old.spec.grace);
        old.retire();
        let mut ending = self.ending.subscribe();
        self.lingering.spawn(async move {
            let ended = async move {
                if ending.wait_for(|ending| *ending).await.is_ok() {
                    tokio::time::sleep(grace).await;
                }
            };
            tokio::select! {
                outcome = old.stop_within(linger) => if let Err(error) = outcome {
                    tracing::warn!(service = name, error = %Chain(&*error), "the old instance ended badly");
                },
                () = ended => tracing::warn!(service = name, "the old instance was cut off"),
            }
        });
    }

    /// Stops everything in reverse boot order, each within its grace; whether any of them ended badly.
    pub async fn stop(mut self) -> bool {
        let mut failed = false;
        sanctum_kernel::announce("STOPPING=1");
        self.ending.send_replace(true);
        for instance in self.instances.into_iter().rev() {
            let service = instance.spec.name;
            if let Err(error) = instance.stop().await {
                tracing::error!(service, error = %Chain(&*error), "ended badly");
                failed = true;
            } else {
                tracing::info!(service, "stopped");
            }
        }
        while self.lingering.join_next().await.is_some() {}
        drop(self.said);
        failed
    }
}

/// How often the file's time stamp is looked at: one `stat`.
const LOOK: Duration = Duration::from_secs(2);

/// Until every service is ready.
async fn becomes_ready(latches: &[Ready]) {
    while !latches.iter().all(Ready::is_ready) {
        tokio::time::sleep(READY).await;
    }
}

/// How late whoever waits for this process hears that it is ready.
const READY: Duration = Duration::from_millis(2);

enum Signal {
    Stop,
    Reload,
}

/// SIGTERM, SIGINT and SIGHUP, for as long as the process waits.
struct Signals {
    term: Option<tokio::signal::unix::Signal>,
    int: Option<tokio::signal::unix::Signal>,
    hup: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            term: signal(SignalKind::terminate()).ok(),
            int: signal(SignalKind::interrupt()).ok(),
            hup: signal(SignalKind::hangup()).ok(),
        }
    }

    async fn next(&mut self) -> Signal {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            if let Some(signal) = signal
                && signal.recv().await.is_some()
            {
                return;
            }
            std::future::pending::<()>().await;
        }
        tokio::select! {
            () = one(&mut self.term) => Signal::Stop,
            () = one(&mut self.int) => Signal::Stop,
            () = one(&mut self.hup) => Signal::Reload,
        }
    }
}
