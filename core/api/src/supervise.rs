//! supervise: the processes of the house.

use std::sync::Arc;

use jiff::Timestamp;
use sanctum_kernel::inventory::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time;
use crate::transport::{self, CallError, Events, Method, Transport, escape};

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Waits for what it needs.
    Waiting,
    /// Its process runs; it is not ready yet.
    Starting,
    Ready,
    /// A job's process runs.
    Running,
    /// It ended by itself and will be started again.
    BackingOff,
    Stopping,
    /// Stopped because someone asked.
    Stopped,
    /// The breaker: it failed too often; waits for a person.
    Locked,
    /// A job that runs once has ended well.
    Done,
    /// A job has failed: nobody starts it again but its schedule, or a person.
    Failed,
    /// A job waits for its time.
    Scheduled,
}

impl Phase {
    /// As people and JSON read it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::BackingOff => "backing-off",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Locked => "locked",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Scheduled => "scheduled",
        }
    }
}

/// One service as the supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceState {
    pub name: String,
    pub house_name: String,
    pub summary: String,
    pub phase: Phase,
    #[serde(default)]
    pub pid: Option<u32>,
    #[schemars(schema_with = "time::instant")]
    pub since: Timestamp,
    /// Restarts within the breaker's window.
    pub restarts: u32,
    /// How the last process ended: `exit code 70`, `signal 9 (KILL)`.
    #[serde(default)]
    pub last_exit: Option<String>,
    pub live: bool,
    pub ready: bool,
    /// What its health said: `well`, `degraded`, `unwell`; absent if it could not be asked.
    #[serde(default)]
    pub well: Option<sanctum_kernel::Status>,
    pub needs: Vec<String>,
    #[serde(default)]
    pub address: Option<String>,
    /// Why it is locked, with the last lines it wrote.
    #[serde(default)]
    pub locked: Option<Locked>,
    /// From the start of this process until it was ready, in milliseconds.
    #[serde(default)]
    pub ready_ms: Option<u64>,
    /// What it is about, for people: `waits for notify`, `starts again in 2 s`, what its health complained of.
    #[serde(default)]
    pub detail: Option<String>,
    /// Part of this binary.
    #[serde(default)]
    pub ours: bool,
    #[serde(default)]
    pub kind: Kind,
    /// Those of `needs` whose end ends it, too.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Started before it if they can be.
    #[serde(default)]
    pub wants: Vec<String>,
    /// It runs from an older file than the one that is there now; `sanctum reload` starts it from the new one.
    #[serde(default)]
    pub stale: bool,
    /// When a scheduled job runs next.
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub next_run: Option<Timestamp>,
    /// How a job ended last.
    #[serde(default)]
    pub last_run: Option<LastRun>,
    /// What it takes, if it is loaded on demand.
    #[serde(default)]
    pub seat: Option<Seat>,
}

/// A service that takes much memory, and is loaded when somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seat {
    /// Memory while it waits for work.
    pub idle_bytes: u64,
    /// Memory at its peak.
    pub peak_bytes: u64,
    /// It is stopped when nobody has asked for it for so long.
    #[serde(default)]
    pub unload_after_ms: Option<u64>,
}

/// The answer to `POST /ensure-loaded/{seat}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Loaded {
    pub name: String,
    #[serde(default)]
    pub pid: Option<u32>,
    #[serde(default)]
    pub address: Option<String>,
    /// From the start of its process until it was ready.
    #[serde(default)]
    pub ready_ms: Option<u64>,
    /// It was loaded before anybody asked.
    pub already: bool,
}

/// What a service takes of the machine: its process and all that is in its group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    pub name: String,
    pub pid: u32,
    pub processes: u32,
    pub threads: u32,
    /// Processor time since their start, in milliseconds.
    pub cpu_ms: u64,
    /// Resident memory; pages that are shared count for each.
    pub memory_bytes: u64,
    /// Open files; absent where they cannot be counted.
    #[serde(default)]
    pub files: Option<u32>,
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastRun {
    #[schemars(schema_with = "time::instant")]
    pub began: Timestamp,
    #[schemars(schema_with = "time::instant")]
    pub ended: Timestamp,
    pub well: bool,
    /// `exit code 0`, `it took longer than 1h`.
    pub exit: String,
}

impl ServiceState {
    /// Whether nobody needs to look at it: it does its work, or someone stopped it on purpose.
    pub fn is_fine(&self) -> bool {
        match self.phase {
            Phase::Stopped | Phase::Running | Phase::Done | Phase::Scheduled => true,
            Phase::Ready => {
                self.live && self.ready && self.well.is_none_or(|well| well != sanctum_kernel::Status::Unwell)
            }
            _ => false,
        }
    }
}

/// Why the breaker opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Locked {
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    pub reason: String,
    pub last_lines: Vec<String>,
    /// Who tells people of it; absent while that is open.
    #[serde(default)]
    pub told: Option<Teller>,
}

/// Who tells people of a lock, and of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Teller {
    /// The watch: its notice of the incident says it.
    Watch,
    /// The supervisor, because nobody else has.
    Supervise,
}

/// The typed client.
#[derive(Debug, Clone)]
pub struct Client(Arc<dyn Transport>);

impl Client {
    pub fn new(to: Arc<dyn Transport>) -> Self {
        Self(to)
    }

    pub async fn services(&self) -> Result<Vec<ServiceState>, CallError> {
        transport::get(&*self.0, "/services").await
    }

    pub async fn service(&self, name: &str) -> Result<ServiceState, CallError> {
        transport::get(&*self.0, format!("/services/{}", escape(name))).await
    }

    /// `verb` is `start`, `stop`, `restart`, `reload` or `unlock`.
    pub async fn act(&self, name: &str, verb: &str) -> Result<ServiceState, CallError> {
        transport::act(&*self.0, Method::Post, format!("/services/{}/{verb}", escape(name)), &()).await
    }

    /// Says that a notice about the lock of a service is kept and on its way. The answer's `locked` names who tells people of it: it
    /// is no call any more where somebody else has.
    pub async fn told(&self, name: &str) -> Result<ServiceState, CallError> {
        self.act(name, "told").await
    }

    /// Starts everything again that is stale, in order; returns the names.
    pub async fn reload(&self) -> Result<Vec<String>, CallError> {
        transport::act(&*self.0, Method::Post, "/reload", &()).await
    }

    /// Loads a seat if its peak fits, and waits until it is ready.
    pub async fn ensure_loaded(&self, seat: &str) -> Result<Loaded, CallError> {
        transport::act(&*self.0, Method::Post, format!("/ensure-loaded/{}", escape(seat)), &()).await
    }

    /// What every service takes of the machine now.
    pub async fn usage(&self) -> Result<Vec<Usage>, CallError> {
        transport::get(&*self.0, "/usage").await
    }

    /// Stops the whole house, dependants first.
    pub async fn down(&self) -> Result<(), CallError> {
        transport::act(&*self.0, Method::Post, "/down", &()).await
    }

    /// [`ServiceState`]s as JSON in each event's data, kind `service`.
    pub async fn events(&self, last_id: Option<String>) -> Result<Events, CallError> {
        self.0.events("/events".to_owned(), last_id).await
    }
}
