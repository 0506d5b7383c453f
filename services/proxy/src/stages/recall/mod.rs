//! What the house remembers: recalled before a request, within a ceiling, and told what was said after it, durably.
//!
//! Memory is never in the way: one that is slow or down is skipped. Memories of health and money never enter a request that may
//! leave the house, whatever class the memory service gives them: their text is read here as well.

mod inject;
mod outbox;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use sanctum_http::{Outbound, OutboundError, Outgoing};
use sanctum_kernel::values::SecretRef;
use sanctum_kernel::{Clock, Paths, Peers, Period};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

pub use inject::inject;
pub use outbox::{OUTBOX, Outbox};
use wire::{Answer, Ask};
pub use wire::{Memory, Recalled, Said};

use crate::intent::{Prompt, classify};
use crate::kinds::Privacy;

/// Recall of memories before a request, and what was said told to the memory service after it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Where the memory service listens, such as `http://127.0.0.1:42069`; absent: the memory of this house.
    pub url: Option<String>,
    /// Its token, if it wants one; the memory of this house needs none.
    pub token: Option<SecretRef>,
    /// Recall before a request.
    pub recall: bool,
    /// Tell it afterwards what was said.
    pub ingest: bool,
    /// A recall that takes longer is done without; at most 150 ms.
    pub ceiling: Period,
    /// Most tokens of memories in one request; at most 2,048.
    pub most_tokens: u32,
    /// Memories asked for.
    pub most: u32,
    /// Agents that remember; all if empty.
    pub agents: Vec<String>,
    /// Most exchanges that wait to be told; the oldest is given up for a new one.
    pub waiting: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            token: None,
            recall: false,
            ingest: false,
            ceiling: Period(CEILING),
            most_tokens: MOST_TOKENS,
            most: 8,
            agents: Vec::new(),
            waiting: 10_000,
        }
    }
}

/// Services that ask a model about what is theirs: that is no talk to remember, and memory must not read its own notes back.
const OF_THE_HOUSE: [&str; 2] = ["memory", "watch"];
const CEILING: Duration = Duration::from_millis(150);
const MOST_TOKENS: u32 = 2048;
/// After this many recalls in a row that failed…
const FAILURES: u32 = 3;
/// …it is left alone for this long.
const REST: i64 = 10_000;

/// Recalls. One for the whole service; requests share it.
#[derive(Debug)]
pub struct Recall {
    config: Config,
    token: Option<SecretString>,
    clock: Clock,
    outbound: Outbound,
    failures: AtomicU32,
    /// Milliseconds since 1970 until which memory is left alone.
    rests: AtomicI64,
}

/// Why a request goes without memories; for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Not switched on, not for this agent, or nothing to ask.
    Off,
    /// It has just failed several times.
    Resting,
    Slow,
    Down,
    /// It knew nothing that may be used.
    Nothing,
}

impl Recall {
    /// `token` is the secret `config.token` stands for.
    pub fn new(config: Config, token: Option<SecretString>, clock: Clock) -> Self {
        let (failures, rests) = (AtomicU32::new(0), AtomicI64::new(0));
        Self { config, token, clock, outbound: Outbound::default(), failures, rests }
    }

    /// The same, with its token read from the house's secrets; the memory of the house itself is one of its `peers`.
    pub fn open(
        mut config: Config,
        paths: &Paths,
        peers: &Peers,
        clock: Clock,
    ) -> Result<Self, sanctum_kernel::values::SecretError> {
        let own = if config.url.is_none() { peers.peer("memory").ok() } else { None };
        if let Some(memory) = own {
            config.url = Some(format!("http://{}", memory.addr));
            return Ok(Self::new(config, Some(memory.token), clock));
        }
        let token = config.token.as_ref().map(|token| token.resolve(paths)).transpose()?;
        Ok(Self::new(config, token, clock))
    }

    fn serves(&self, agent: &str, on: bool) -> bool {
        on && self.config.url.is_some()
            && !OF_THE_HOUSE.contains(&agent)
            && (self.config.agents.is_empty() || self.config.agents.iter().any(|name| name == agent))
    }

    /// Whether anything is recalled for this agent.
    pub fn recalls(&self, agent: &str) -> bool {
        self.serves(agent, self.config.recall)
    }

    /// Whether what this agent says is to be told.
    pub fn listens(&self, agent: &str) -> bool {
        self.serves(agent, self.config.ingest)
    }

    /// What is remembered about the last words of the user. `privacy` is the request's class: one that is private stays in the
    /// house and may have every memory; an open one may leave it and has none of health or money. Never longer than
    /// the ceiling.
    pub async fn before(&self, agent: &str, latest: &str, privacy: Privacy) -> Result<Recalled, Without> {
        if !self.serves(agent, self.config.recall) || latest.trim().is_empty() {
            return Err(Without::Off);
        }
        let now = self.clock.now().as_millisecond();
        if self.rests.load(Ordering::Relaxed) > now {
            return Err(Without::Resting);
        }
        let ceiling = self.config.ceiling.0.min(CEILING);
        let outcome = tokio::time::timeout(ceiling, self.ask(agent, latest, privacy, ceiling)).await;
        let outcome = outcome.unwrap_or(Err(Without::Slow));
        match &outcome {
            Err(Without::Slow | Without::Down) => {
                if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES {
                    self.rests.store(now + REST, Ordering::Relaxed);
                    self.failures.store(0, Ordering::Relaxed);
                }
            }
            _ => self.failures.store(0, Ordering::Relaxed),
        }
        let memories = outcome?;
        let most = self.config.most_tokens.min(MOST_TOKENS);
        let recalled = wire::choose(memories, privacy, most, |text| {
            !classify(&Prompt { latest: text, ..Prompt::default() }).privacy.is_private()
        });
        recalled.ok_or(Without::Nothing)
    }

    async fn ask(
        &self,
        agent: &str,
        latest: &str,
        privacy: Privacy,
        timeout: Duration,
    ) -> Result<Vec<Memory>, Without> {
        let ask = Ask::new(agent, latest, privacy, self.config.most);
        let body = serde_json::to_vec(&ask).map_err(|_| Without::Down)?;
        let answer =
            self.outbound.send(self.outgoing("/recall", body, None, timeout)).await.map_err(|error| {
                tracing::debug!(%error, "memory did not answer");
                if matches!(error, OutboundError::Slow(_)) { Without::Slow } else { Without::Down }
            })?;
        if !answer.is_success() {
            return Err(Without::Down);
        }
        serde_json::from_slice::<Answer>(&answer.body).map(|answer| answer.results).map_err(|error| {
            tracing::debug!(%error, "memory answered with something unexpected");
            Without::Down
        })
    }

    fn outgoing(&self, path: &str, body: Vec<u8>, key: Option<&str>, timeout: Duration) -> Outgoing {
        let url = self.config.url.as_deref().unwrap_or_default().trim_end_matches('/');
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        headers.extend(key.map(|key| ("idempotency-key".to_owned(), key.to_owned())));
        let bearer = self.token.as_ref().map(|token| format!("Bearer {}", token.expose_secret()));
        headers.extend(bearer.map(|value| ("authorization".to_owned(), value)));
        Outgoing { method: "POST", url: format!("{url}{path}"), headers, body, timeout }
    }
}
