//! What is to be kept running: the same few facts for our own services and for foreign programs.

mod file;
mod foreign;
mod ours;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use file::{program, stamp};
pub(crate) use foreign::of_house;
pub(crate) use ours::{of_catalogue, this_program};
use sanctum_kernel::inventory::{Kind, Limits, Schedule, Seat, StopSignal, check};
use sanctum_kernel::{Paths, SecretRef};

/// One program to keep running, or to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// A short word: the name of its log and its pid file.
    pub name: String,
    pub house_name: String,
    pub summary: String,
    /// Part of this binary.
    pub ours: bool,
    pub kind: Kind,
    /// The program and its arguments, executed as they are: no shell is asked.
    pub command: PathBuf,
    pub args: Vec<OsString>,
    /// Variables of its environment besides those every child gets.
    pub env: BTreeMap<String, String>,
    /// The same, where the value is a secret; read at every start.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Names of plans that must be ready before it is started; their later end does not touch it.
    pub needs: Vec<String>,
    /// Names of plans that must be ready for as long as it runs.
    pub requires: Vec<String>,
    /// Names of plans that are started before it, if they can be.
    pub wants: Vec<String>,
    /// Names of plans that must have been ready once.
    pub after: Vec<String>,
    /// How to see that it is ready.
    pub ready: Check,
    /// It says itself when it is ready (sd_notify(3)); whichever comes first.
    pub notify: bool,
    /// How to see that it is well.
    pub health: Check,
    /// How long it may take to become ready; the house's rule if absent.
    pub start_within: Option<Duration>,
    /// How long it may take to end after it was asked.
    pub grace: Duration,
    /// What asks it to end.
    pub stop_signal: StopSignal,
    /// Where it listens, for people.
    pub address: Option<SocketAddr>,
    /// The port it listens on: nobody else may hold it when it is started.
    pub port: Option<u16>,
    /// The directory it works in; the house's if absent.
    pub directory: Option<PathBuf>,
    /// Who it runs as, by name; the supervisor's user and group if absent.
    pub user: Option<String>,
    pub group: Option<String>,
    pub limits: Limits,
    pub oom_score: Option<i16>,
    pub nice: Option<i8>,
    pub schedule: Option<Schedule>,
    /// What it takes, if it is loaded on demand.
    pub seat: Option<Seat>,
}

/// A question put to a running program.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Yes, if the process is there.
    Process,
    /// Only the program itself can tell, and does.
    Told,
    /// `GET path` answers 200 and the body contains `expect`.
    Http { addr: SocketAddr, path: String, expect: String },
    /// `GET /health`, as every service of the house answers it.
    Health { addr: SocketAddr },
    /// As the file declares it.
    Declared(Box<check::Check>),
}

impl Plan {
    /// A plan for a command that says nothing else: ready when its process is there.
    pub fn new(name: &str, command: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            house_name: name.to_owned(),
            summary: String::new(),
            ours: false,
            kind: Kind::Continuous,
            command: command.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            needs: Vec::new(),
            requires: Vec::new(),
            wants: Vec::new(),
            after: Vec::new(),
            ready: Check::Process,
            notify: false,
            health: Check::Process,
            start_within: None,
            grace: Duration::from_secs(10),
            stop_signal: StopSignal::Term,
            address: None,
            port: None,
            directory: None,
            user: None,
            group: None,
            limits: Limits::default(),
            oom_score: None,
            nice: None,
            schedule: None,
            seat: None,
        }
    }

    /// What a process must have been started with to be one of this plan. The program's own bytes do not count: after an
    /// upgrade the house goes on with what runs until somebody restarts it.
    pub(crate) fn signature(&self) -> String {
        let plain = Self {
            command: self.command.clone(),
            args: self.args.clone(),
            env: self.env.clone(),
            ..Self::new("", "")
        };
        let parts = (&self.command, &self.args, &self.env);
        let how = |plan: &Self| {
            let Self { secrets, directory, user, group, limits, oom_score, nice, .. } = plan;
            let told = plan.notify && !plan.ours;
            format!("{:?}", (secrets, directory, user, group, limits, oom_score, nice, told))
        };
        // Most say nothing of this, and what an earlier version wrote of them stays true.
        if how(self) == how(&plain) { format!("{parts:?}") } else { format!("{parts:?} {}", how(self)) }
    }
}

/// What every child gets: the few variables of `allowed` that are set here, its house and its own name.
pub(crate) fn environment(plan: &Plan, allowed: &[String], paths: &Paths) -> Vec<(OsString, OsString)> {
    let passed = allowed.iter().filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
    let own = plan.env.iter().map(|(name, value)| (name.into(), value.into()));
    let ours = [("SANCTUM_HOME", paths.home().as_os_str()), ("SANCTUM_UNIT", plan.name.as_ref())];
    passed.chain(own).chain(ours.map(|(name, value)| (name.into(), value.to_owned()))).collect()
}
