//! deadman: the switch that watches the supervisor.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time;
use crate::transport::{self, CallError, Method, Transport};

/// What the switch knows and what it would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct State {
    pub stance: Stance,
    /// For how long the supervisor has given no sign of life, in milliseconds; absent while none is expected.
    #[serde(default)]
    pub silent_ms: Option<u64>,
    /// Attempts in a row that failed.
    pub failures: u32,
    #[serde(default)]
    #[schemars(schema_with = "time::maybe_instant")]
    pub disarmed_until: Option<Timestamp>,
    /// Its own ways to tell a person: `url …`, `command …`.
    pub ways: Vec<String>,
    #[serde(default)]
    pub drill: Option<Drill>,
    #[serde(default)]
    pub peer: Option<Peer>,
}

/// What it does if the supervisor falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stance {
    /// It brings the supervisor back.
    Armed,
    /// Nothing: no supervisor was seen yet, or the house was ended in good order.
    Resting,
    /// Nothing, for a while: somebody said so.
    Disarmed,
    /// Nothing more: it failed too often, and waits for a person.
    SafeMode,
}

impl Stance {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Resting => "resting",
            Self::Disarmed => "disarmed",
            Self::SafeMode => "safe mode",
        }
    }
}

/// The last drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drill {
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    /// Why it failed.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// The other switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Peer {
    pub url: String,
    pub lost: bool,
}

/// `POST /disarm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disarm {
    /// For how long, from 1 to 604800 (a week).
    pub seconds: u64,
}

/// The typed client.
#[derive(Debug, Clone)]
pub struct Client(Arc<dyn Transport>);

impl Client {
    pub fn new(to: Arc<dyn Transport>) -> Self {
        Self(to)
    }

    pub async fn state(&self) -> Result<State, CallError> {
        transport::get(&*self.0, "/state").await
    }

    /// Tries every way to tell a person now, silently; the state afterwards.
    pub async fn drill(&self) -> Result<State, CallError> {
        transport::act(&*self.0, Method::Post, "/drill", &()).await
    }

    /// Ends safe mode and the time of being disarmed.
    pub async fn arm(&self) -> Result<State, CallError> {
        transport::act(&*self.0, Method::Post, "/arm", &()).await
    }

    pub async fn disarm(&self, seconds: u64) -> Result<State, CallError> {
        transport::act(&*self.0, Method::Post, "/disarm", &Disarm { seconds }).await
    }
}
