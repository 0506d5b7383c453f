//! What is to be kept running: the same few facts for our own services and for foreign programs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Catalogue, Failure, Paths, Peers, Probe, exit};

/// One program to keep running.
#[derive(Debug, Clone)]
pub struct Plan {
    /// A short word: the name of its log and its pid file.
    pub name: String,
    pub house_name: String,
    pub summary: String,
    /// The program and its arguments, executed as they are: no shell is asked.
    pub command: PathBuf,
    pub args: Vec<OsString>,
    /// Variables of its environment besides those every child gets.
    pub env: BTreeMap<String, String>,
    /// Names of plans that must be ready before it is started.
    pub needs: Vec<String>,
    /// How to see that it is ready.
    pub ready: Check,
    /// How to see that it is well.
    pub health: Check,
    /// How long it may take to end after SIGTERM.
    pub grace: Duration,
    /// Where it listens, for people.
    pub address: Option<SocketAddr>,
}

/// A question put to a running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Yes, if the process is there.
    Process,
    /// `GET path` answers 200 and the body contains `expect`.
    Http { addr: SocketAddr, path: String, expect: String },
    /// `GET /health`, as every service of the house answers it.
    Health { addr: SocketAddr },
}

impl Plan {
    /// A plan for a command that says nothing else: ready when its process is there.
    pub fn new(name: &str, command: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            house_name: name.to_owned(),
            summary: String::new(),
            command: command.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            needs: Vec::new(),
            ready: Check::Process,
            health: Check::Process,
            grace: Duration::from_secs(10),
            address: None,
        }
    }

    /// What a process must have been started with to be one of this plan. The program's own bytes do not count: after an
    /// upgrade the house goes on with what runs until somebody restarts it.
    pub(crate) fn signature(&self) -> String {
        let parts = (&self.command, &self.args, &self.env);
        format!("{parts:?}")
    }
}

/// The plans of a catalogue: every service but the supervisor itself and those that are disabled runs as
/// `<this program> run NAME`.
pub(crate) fn of_catalogue(
    catalogue: &'static Catalogue,
    peers: &Peers,
    disabled: &[String],
) -> Result<Vec<Plan>, Failure> {
    for name in disabled {
        if !catalogue.iter().any(|entry| entry.spec.name == name) {
            let known: Vec<_> = catalogue.iter().map(|entry| entry.spec.name).collect();
            let message = format!("`supervise.disabled` names `{name}`, which is no service");
            return Err(
                Hinted::new(exit::CONFIG, message, format!("Services are: {}.", known.join(", "))).into()
            );
        }
    }
    let program = this_program()?;
    let runs = |name: &str| name != "supervise" && !disabled.iter().any(|disabled| disabled == name);
    let plans = catalogue.iter().filter(|entry| runs(entry.spec.name)).map(|entry| {
        let spec = entry.spec;
        let address = peers.addr(spec.name);
        let ready = |addr| Check::Http { addr, path: "/ready".to_owned(), expect: String::new() };
        let probed = !matches!(spec.probe, Probe::Process);
        Plan {
            house_name: spec.house_name.to_owned(),
            summary: spec.summary.to_owned(),
            args: vec!["run".into(), spec.name.into()],
            needs: spec.needs.iter().filter(|need| runs(need)).map(|&need| need.to_owned()).collect(),
            ready: address.map_or(Check::Process, ready),
            health: address.filter(|_| probed).map_or(Check::Process, |addr| Check::Health { addr }),
            grace: spec.grace,
            address,
            ..Plan::new(spec.name, program.clone())
        }
    });
    Ok(plans.collect())
}

/// Where this program is. After an upgrade Linux calls the old file `… (deleted)`; the new one is in its place.
fn this_program() -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), PathBuf::from))
}

/// What every child gets: the few variables of `allowed` that are set here, its house and its own name.
pub(crate) fn environment(plan: &Plan, allowed: &[String], paths: &Paths) -> Vec<(OsString, OsString)> {
    let passed = allowed.iter().filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
    let own = plan.env.iter().map(|(name, value)| (name.into(), value.into()));
    let ours = [("SANCTUM_HOME", paths.home().as_os_str()), ("SANCTUM_UNIT", plan.name.as_ref())];
    passed.chain(own).chain(ours.map(|(name, value)| (name.into(), value.to_owned()))).collect()
}
