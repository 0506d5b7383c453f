//! The section `[service.NAME]`: a service that is not part of this binary.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use crate::{Cron, Period, Size, Tier};

/// A service that the house depends on and that is not part of this binary: a container engine, a model server, a tunnel,
/// a backup job. Declared once, here; the supervisor, the watch, the dashboard and the port register read it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Declared {
    /// What people call it; the short name if absent.
    pub name: Option<String>,
    /// One line for people, without a full stop.
    pub summary: String,
    /// Where it lives: `host`, `guest` or `outside`.
    pub plane: Plane,
    /// `continuous`, `one-shot` (runs once and ends) or `scheduled`.
    pub kind: Kind,
    /// How much the house suffers while it is down: `critical`, `important` or `ordinary`. Sets how often it is checked: every
    /// 30 s, 60 s or 5 min.
    pub criticality: Tier,
    /// The port it listens on: for the register of ports, and for finding what listens without being declared.
    pub port: Option<u16>,
    /// The job it does, in a word, such as `dns` or `models`: two services with one word do the same job, and a call to the one on
    /// the other side of the bridge is noticed (`sanctum catalogue lint`).
    pub does: Option<String>,
    /// Services without which it cannot work: started before it, stopped after it, and it is started again when they return.
    pub requires: Vec<String>,
    /// Services it likes to have: started before it if they can be; it runs without them.
    pub wants: Vec<String>,
    /// Services that must have been ready once before it is started; their later end does not touch it.
    pub after: Vec<String>,
    /// How the supervisor runs it. Absent: somebody else does, and it is only watched.
    pub run: Option<Run>,
    /// What must be true of it, by a short name: `check.web = { http = { url = "http://127.0.0.1:8123/" } }`.
    pub check: BTreeMap<String, Check>,
    /// What may be tried when it fails, in this order: `restart`, or `recipe:ID`.
    pub heal: Vec<String>,
    /// For a server of models that takes much memory: what it takes, and when it may be unloaded.
    pub seat: Option<Seat>,
}

/// Where a service lives.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Plane {
    /// This machine.
    #[default]
    Host,
    /// The guest machine behind the bridge.
    Guest,
    /// Beyond the house.
    Outside,
}

/// How long a service lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Runs until it is stopped.
    #[default]
    Continuous,
    /// Runs once and ends; that it has ended is no failure, that it ended badly is one.
    OneShot,
    /// Runs at the times of its schedule.
    Scheduled,
}

/// How the supervisor runs a service.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Run {
    /// The program and its arguments, executed as they are: no shell is asked.
    pub command: Vec<String>,
    /// The directory it works in; the house's if absent.
    pub directory: Option<PathBuf>,
    /// Variables of its environment, besides those every service gets. A value `file:NAME` or `env:NAME` is a reference to a secret.
    pub environment: BTreeMap<String, String>,
    /// The user it runs as, by name; the supervisor's if absent. Another one needs root.
    pub user: Option<String>,
    /// The group it runs as, by name; the user's own if absent.
    pub group: Option<String>,
    /// How to see that it is ready; with none, when its process is there.
    pub ready: Option<Check>,
    /// It says itself when it is ready: `READY=1` to the socket that `NOTIFY_SOCKET` names (sd_notify(3)). With a `ready` besides,
    /// whichever comes first.
    pub notify: bool,
    /// How long it may take to become ready; `[supervise] start-timeout` if absent.
    pub start_within: Option<Period>,
    /// How long it may take to end after it was asked; 10 s if absent.
    pub grace: Option<Period>,
    /// What asks it to end: `TERM`, `INT`, `QUIT`, `HUP`, `USR1` or `USR2`; `TERM` if absent.
    pub stop_signal: Option<StopSignal>,
    /// What it may use.
    pub limits: Limits,
    /// Who is ended first when the machine has no memory left: -1000 (never) to 1000 (first). Linux.
    pub oom_score: Option<i16>,
    /// Its share of the processor beside others: -20 (most) to 19 (least).
    pub nice: Option<i8>,
    /// When a scheduled service runs.
    pub schedule: Option<Schedule>,
}

/// A signal that asks a process to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum StopSignal {
    #[default]
    Term,
    Int,
    Quit,
    Hup,
    Usr1,
    Usr2,
}

/// Limits of the kernel for one process and those it starts (setrlimit(2)).
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Limits {
    /// The address space of each process.
    pub memory: Option<Size>,
    /// Open files of each process.
    pub files: Option<u64>,
    /// Processes of its user.
    pub processes: Option<u64>,
    /// Processor time of each process.
    pub cpu: Option<Period>,
    /// The largest file it may write.
    pub file_size: Option<Size>,
    /// Core dumps; none if absent.
    pub core: Option<Size>,
}

/// When a scheduled service runs: wall times of the house.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Schedule {
    /// Five fields as in crontab(5): minute, hour, day of the month, month, day of the week; or `@hourly`, `@daily`, `@weekly`,
    /// `@monthly`, `@yearly`.
    pub cron: Cron,
    /// Begin up to this much later, by chance, so that jobs of one minute do not begin together.
    #[serde(default)]
    pub jitter: Option<Period>,
    /// Runs that were missed because the machine or the house was off are made up for, once for all of them; they are if absent.
    #[serde(default)]
    pub catch_up: Option<bool>,
    /// A run that takes longer is ended and has failed.
    #[serde(default)]
    pub timeout: Option<Period>,
}

/// What a server of models takes of the machine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Seat {
    /// Memory while it waits for work.
    pub idle: Option<Size>,
    /// Memory at its peak: it is only started where this fits.
    pub peak: Option<Size>,
    /// It is stopped when nobody asked for it for this long; never if absent.
    pub unload_after: Option<Period>,
}
