//! One line of the usage log: what truly happened to one request.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;
use sanctum_kernel::trace::TraceId;
use sanctum_llm::Usage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget::{Reservation, Stranded};
use crate::kinds::{Intent, Nano, Privacy, Tier};

/// A word of a small vocabulary, usually one known when this was compiled.
pub type Word = Cow<'static, str>;

/// One request. Names of fields are stable: others read this file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// Number of its reservation, unique in this house; absent when it was refused before one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<u64>,
    /// When it began.
    #[schemars(schema_with = "sanctum_api::time::instant")]
    pub time: Timestamp,
    /// The local day it counts for.
    #[serde(default)]
    #[schemars(schema_with = "sanctum_api::time::date")]
    pub day: Date,
    /// The story it belongs to.
    pub trace: TraceId,
    /// Who asked; empty when nobody could be recognised.
    pub agent: String,
    /// The id of the virtual key it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The API the client spoke: `chat`, `messages`, `responses`, `embeddings`, `count-tokens`, `speech`.
    pub api: Word,
    /// Whether it may leave the machine.
    pub privacy: Privacy,
    /// Who said so.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub privacy_because: Word,
    pub intent: Intent,
    #[serde(default, skip_serializing_if = "is_empty")]
    pub intent_because: Word,
    /// The model that was asked for.
    pub asked: String,
    /// Who answered; absent when nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model that answered, as its provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// `local` or `cloud`: where it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<Word>,
    /// Whether any byte of it was sent off this machine, by any attempt.
    pub egress: bool,
    /// The rule that resolved the name: `exact`, `alias`, `glob claude-*`, `auto`, …
    #[serde(default, skip_serializing_if = "is_empty")]
    pub rule: Word,
    /// In the order in which they were made.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    pub tokens: Tokens,
    /// Exact to the nano-dollar.
    #[serde(with = "usd")]
    #[schemars(with = "f64")]
    pub cost_usd: Nano,
    pub source: Source,
    /// Until the first token reached the client; absent when none did.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "maybe_ms")]
    pub first_ms: Option<f64>,
    #[serde(serialize_with = "ms")]
    pub total_ms: f64,
    pub finish: Finish,
    /// The HTTP status the client saw; 0 when it saw none.
    pub status: u16,
    pub stream: bool,
    /// What the client said and the provider has no word for: `seed: dropped`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<String>,
    /// What was done to it on the way: `trimmed`, `masked`, `cached`, `recalled`, `hedged`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Word>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One try of one candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    pub provider: String,
    pub model: String,
    /// `ok`, a status such as `429`, or a word: `connect`, `timeout`, `reset`, `broken`, `cancelled`.
    pub outcome: Word,
    #[serde(serialize_with = "ms")]
    pub ms: f64,
}

/// Tokens as they were counted; the parts are within `in` and `out`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tokens {
    /// Everything that was read, cached or not.
    #[serde(rename = "in")]
    pub input: u64,
    /// Everything that was generated, reasoning included.
    #[serde(rename = "out")]
    pub output: u64,
    /// Of `in`: read from the provider's cache.
    pub cached: u64,
    /// Of `in`: written to the provider's cache for five minutes.
    #[serde(skip_serializing_if = "zero")]
    pub written_5m: u64,
    /// Of `in`: written to it for an hour.
    #[serde(skip_serializing_if = "zero")]
    pub written_1h: u64,
    /// Of `out`: reasoning.
    pub reasoning: u64,
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        let Usage { input, cached, written_5m, written_1h, output, reasoning } = usage;
        Self { input, output, cached, written_5m, written_1h, reasoning }
    }
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        let Tokens { input, output, cached, written_5m, written_1h, reasoning } = tokens;
        Self { input, cached, written_5m, written_1h, output, reasoning }
    }
}

/// Who counted the tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The provider said.
    Reported,
    /// Counted here, because the provider did not say.
    #[default]
    Estimated,
}

/// How it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    Stop,
    /// The most tokens it might make, or the room of the context.
    Length,
    ToolCalls,
    /// The model or a filter would not.
    Declined,
    /// A long turn of the provider that may be continued.
    Paused,
    /// A word of the provider that is none of these.
    Other,
    /// The money ran out in the middle of the stream.
    Budget,
    /// The client went away.
    Cancelled,
    /// The provider stopped in the middle.
    Cut,
    /// Refused here: nobody was asked.
    Refused,
    /// Everybody who was asked failed.
    #[default]
    Error,
    /// Under way when the process died; counted at its reservation.
    Lost,
}

impl From<&sanctum_llm::Finish> for Finish {
    fn from(finish: &sanctum_llm::Finish) -> Self {
        use sanctum_llm::Finish as Said;
        match finish {
            Said::Stop | Said::StopSequence => Self::Stop,
            Said::Length => Self::Length,
            Said::ToolCalls => Self::ToolCalls,
            Said::Refused => Self::Declined,
            Said::Paused => Self::Paused,
            Said::Other(_) => Self::Other,
        }
    }
}

impl Finish {
    /// It ended in an error or a refusal of this house.
    pub(crate) const fn is_failure(self) -> bool {
        matches!(self, Self::Budget | Self::Cut | Self::Refused | Self::Error | Self::Lost)
    }
}

impl Line {
    /// A request of `agent` that began at `time`; everything else is as of one that got nowhere.
    pub fn new(time: Timestamp, trace: TraceId, agent: impl Into<String>) -> Self {
        Self {
            reservation: None,
            time,
            day: Date::default(),
            trace,
            agent: agent.into(),
            key: None,
            api: Word::Borrowed(""),
            privacy: Privacy::default(),
            privacy_because: Word::Borrowed(""),
            intent: Intent::default(),
            intent_because: Word::Borrowed(""),
            asked: String::new(),
            provider: None,
            model: None,
            tier: None,
            locality: None,
            egress: false,
            rule: Word::Borrowed(""),
            attempts: Vec::new(),
            tokens: Tokens::default(),
            cost_usd: Nano(0),
            source: Source::default(),
            first_ms: None,
            total_ms: 0.0,
            finish: Finish::default(),
            status: 0,
            stream: false,
            losses: Vec::new(),
            marks: Vec::new(),
            error: None,
        }
    }

    /// Ties the line to its money: this request is known to be written once its line is.
    pub const fn of(&mut self, reservation: &Reservation) {
        self.reservation = Some(reservation.id());
        self.day = reservation.day();
    }

    /// The line of a request whose process died.
    pub(crate) fn lost(stranded: Stranded) -> Self {
        let Stranded { id, trace, agent, day, since, cost } = stranded;
        Self {
            reservation: Some(id),
            day,
            cost_usd: cost,
            finish: Finish::Lost,
            error: Some("the process died while this request was under way".to_owned()),
            ..Self::new(since, trace, agent)
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
const fn zero(number: &u64) -> bool {
    *number == 0
}

fn is_empty(word: &Word) -> bool {
    word.is_empty()
}

/// Milliseconds to the microsecond: more is noise. What is not a number is not written as one.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
fn ms<S: serde::Serializer>(ms: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(if ms.is_finite() { (ms * 1e3).round() / 1e3 } else { 0.0 })
}

#[expect(clippy::ref_option, reason = "serde's shape")]
fn maybe_ms<S: serde::Serializer>(maybe: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    ms(&maybe.unwrap_or_default(), serializer)
}

/// Nanos as a decimal number of dollars.
///
/// Below a million dollars a sum has at most 15 significant digits; then the nearest double, written in its shortest
/// form, is the very decimal (IEEE 754), so nothing is lost on the way.
pub(crate) mod usd {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::kinds::Nano;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
    pub(crate) fn serialize<S: Serializer>(nano: &Nano, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(nano.as_dollars())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Nano, D::Error> {
        let dollars = f64::deserialize(deserializer)?;
        Ok(Nano((dollars * 1e9).round().clamp(0.0, 9e18) as u64))
    }
}
