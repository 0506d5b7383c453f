//! The section `[proxy]`: who may be asked, by whom, for how much.

mod check;
mod money;
mod provider;
mod ready;

use std::collections::BTreeMap;

use sanctum_kernel::{Period, Size};
use schemars::JsonSchema;
use serde::Deserialize;

pub use money::Dollars;
pub use provider::{Auth, Kind, Locality, Provider, Speaks};
pub use ready::Ready;

use crate::kinds::{Price, Tier};

/// The door every model request passes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Ready-made providers to take as they are; a section `[proxy.provider.NAME]` of the same name changes one.
    #[serde(rename = "use")]
    pub take: Vec<Ready>,
    /// Who answers, by name: `[proxy.provider.anthropic]`.
    pub provider: BTreeMap<String, Provider>,
    /// Models by the name a client writes; `*` stands for anything: `[proxy.model."claude-*"]`.
    pub model: BTreeMap<String, Model>,
    /// Other names for models: `fast = "claude-haiku-4-5"`. An alias may name an alias.
    pub alias: BTreeMap<String, String>,
    /// Who asks, by name: `[proxy.agent.windu]`.
    pub agent: BTreeMap<String, Agent>,
    /// What everything may cost on one day of the house.
    pub budget: Budget,
    /// Models that are tried after the one that was asked for, for every agent that names none of its own.
    pub fallback: Vec<String>,
    /// When models of this house answer for a cloud model that does not: `never`, when the money is `spent`, or `always`.
    pub rescue: Rescue,
    /// Requests that bring the client's own credentials for a provider, by name: `[proxy.own-credentials.claude-max]`.
    pub own_credentials: BTreeMap<String, OwnCredentials>,
    /// The agent of requests without a token; if absent, they are refused.
    pub anonymous: Option<String>,
    /// Most attempts for one request, over all candidates.
    pub attempts: u32,
    /// Most time for one request until its first byte, over all attempts.
    pub deadline: Period,
    /// A provider that has not begun to answer by then has failed; local ones may have to load a model first.
    pub first_byte: Period,
    /// Name look-up, connection and handshake.
    pub connect: Period,
    /// A stream that is silent for this long is cut.
    pub idle: Period,
    /// A client that takes nothing for this long is cut off.
    pub patience: Period,
    /// How often a waiting client is told that its request lives.
    pub heartbeat: Period,
    /// How long the beginning of a stream that says nothing yet is held back, so that a failure right behind it can still be
    /// answered by somebody else; not at all where there is nobody else.
    pub hold: Period,
    /// Ask the next candidate as well when the first has not begun to answer by then; who is first answers. `0s` is never.
    pub hedge: Period,
    /// When a provider is left alone.
    pub breaker: Breaker,
    /// How the usage log is kept.
    pub usage: crate::usage::Config,
    /// Personal data is replaced on the way to the cloud and put back into the answer.
    pub mask: crate::stages::mask::Config,
    /// Marks by which Anthropic keeps a prompt for the next request.
    pub marks: crate::stages::marks::Config,
    /// Conversations that changed their model are made acceptable to the next one.
    pub repair: crate::stages::repair::Config,
    /// Answers that were given before are given again.
    pub cache: crate::stages::cache::Config,
    /// Requests and tokens of each key and agent in a minute.
    pub limits: crate::stages::limits::Config,
    /// Recall of memories before a request, and what was said told to the memory service after it.
    pub recall: crate::stages::recall::Config,
    /// The largest request.
    pub body_limit: Size,
    /// Leave out the oldest messages when no candidate has room for all of them.
    pub trim: bool,
    /// Tokens of output that are reserved for a stream whose client sets no limit; more is reserved as it grows.
    pub assume_output: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            take: Vec::new(),
            provider: BTreeMap::new(),
            model: BTreeMap::new(),
            alias: BTreeMap::new(),
            agent: BTreeMap::new(),
            budget: Budget::default(),
            fallback: Vec::new(),
            rescue: Rescue::Spent,
            own_credentials: BTreeMap::new(),
            anonymous: None,
            attempts: 4,
            deadline: Period::mins(10),
            first_byte: Period::mins(2),
            connect: Period::secs(5),
            idle: Period::mins(5),
            patience: Period::mins(2),
            heartbeat: Period::secs(15),
            hold: Period::secs(10),
            hedge: Period::secs(0),
            breaker: Breaker::default(),
            usage: crate::usage::Config::default(),
            mask: crate::stages::mask::Config::default(),
            marks: crate::stages::marks::Config::default(),
            repair: crate::stages::repair::Config::default(),
            cache: crate::stages::cache::Config::default(),
            limits: crate::stages::limits::Config::default(),
            recall: crate::stages::recall::Config::default(),
            body_limit: Size::mib(64),
            trim: false,
            assume_output: 4096,
        }
    }
}

/// When models of this house answer for a cloud model that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rescue {
    Never,
    /// When the agent's or the house's money for the day is gone.
    #[default]
    Spent,
    /// Also when every candidate before has failed.
    Always,
}

/// A model that can be asked for.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Model {
    /// Which `[proxy.provider.…]` has it.
    pub provider: String,
    /// How the provider calls it; the section's own name if absent.
    pub name: Option<String>,
    /// How strong it is: `small`, `standard` or `strong`.
    pub tier: Option<Tier>,
    /// US dollars for a million tokens. A cloud model without a price is not asked by anybody who has a cap.
    pub price: Option<Price>,
    /// Tokens of prompt and answer together; unlimited if absent.
    pub context: Option<u64>,
    /// Most tokens of one answer: what is reserved where the client sets no limit.
    pub max_output: Option<u64>,
    /// What it can do besides talk; what is not here is not asked of it. Unlimited if absent.
    pub can: Option<Vec<Can>>,
    /// `cloud` for a model that its local provider only passes on.
    pub locality: Option<Locality>,
    /// Models that are tried after this one.
    pub fallback: Vec<String>,
    /// Whether it may be chosen where the client asks for `auto`.
    pub auto: Option<bool>,
}

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Can {
    Tools,
    Vision,
    Thinking,
    Embeddings,
    Speech,
}

impl Can {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Thinking => "thinking",
            Self::Embeddings => "embeddings",
            Self::Speech => "speech",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Agent {
    /// What it may cost on one day of the house, in US dollars, such as `"2.00"`; no limit but the house's if absent.
    pub cap: Option<Dollars>,
    /// What its requests are about whatever they say: `general`, `code`, `security`, `health` or `finance`.
    pub class: Class,
    /// The strength it gets where it asks for `auto` and nothing more is needed.
    pub tier: Option<Tier>,
    /// The model it gets where it asks for none, or for `auto`.
    pub model: Option<String>,
    /// Models that are tried after the one it asked for.
    pub fallback: Option<Vec<String>>,
    /// Names or globs of the models it may ask for; all if empty.
    pub models: Vec<String>,
}

/// What requests are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Whatever their text says.
    #[default]
    General,
    /// Programs: never moved to a weaker model.
    Code,
    /// Defence: never moved to a weaker model.
    Security,
    /// Bodies and minds of the house: never leaves it.
    Health,
    /// Money of the house: never leaves it.
    Finance,
}

/// Caps beside those of the agents.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Budget {
    /// What the whole house may cost on one day, in US dollars, such as `"5.00"`; no limit if absent.
    pub house: Option<Dollars>,
    /// The cap of every agent that has no section of its own; no limit if absent.
    pub other: Option<Dollars>,
}

/// When a provider is left alone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Breaker {
    /// After this many failures in a row.
    pub failures: u32,
    /// For this long; then one request is tried.
    pub open: Period,
    /// Also when the exponential mean of its time to the first byte is over this…
    pub slow: Option<Period>,
    /// …this many times in a row.
    pub slow_in_a_row: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, open: Period::secs(30), slow: None, slow_in_a_row: 3 }
    }
}

/// Requests for some models may bring the client's own credentials; those go to the provider and the house pays nothing.
/// The client says who it is in `x-sanctum-key`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct OwnCredentials {
    /// The models, as a name or a glob, such as `claude-*`.
    pub models: String,
    /// The provider whose credentials they are.
    pub provider: String,
    /// The agent of requests that do not say who they are; if absent, they are refused.
    pub agent: Option<String>,
}
