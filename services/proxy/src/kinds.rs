//! The words of routing: privacy, intent, class, tier and money.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a request may leave the machine. The strictest reading of agent, header and text wins; `Ord` is strictness.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Privacy {
    /// It may go wherever the rules say.
    #[default]
    Open,
    /// Money of the house: answered on this machine or not at all.
    Finance,
    /// Bodies and minds of the house: answered on this machine or not at all.
    Health,
}

impl Privacy {
    pub const fn is_private(self) -> bool {
        !matches!(self, Self::Open)
    }
}

/// What a request wants done.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// Talk; may be moved to a cheaper model.
    #[default]
    Chat,
    /// A picture is wanted or shown.
    Image,
    /// Long thought: proofs, plans, hard analysis.
    Reasoning,
    /// Programs; stays on the strongest model, whatever the budget says.
    Code,
    /// Defence, incidents, secrets, access; stays on the strongest model, whatever the budget says.
    Security,
}

impl Intent {
    /// Never downgraded.
    pub const fn is_pinned(self) -> bool {
        matches!(self, Self::Code | Self::Security)
    }
}

/// Strength of a model; `Ord` is strength.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    Small,
    #[default]
    Standard,
    Strong,
}

/// Money in thousand-millionths of a US dollar, so that one token at $0.01 a million still counts. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nano(pub u64);

impl Nano {
    /// From dollars as a person writes them; more precise than a nano is rounded up.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by what a house can pay"
    )]
    pub fn dollars(dollars: f64) -> Self {
        Self((dollars.max(0.0) * 1e9).ceil().min(9e18) as u64)
    }

    #[expect(clippy::cast_precision_loss, reason = "for people; sums are exact before")]
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / 1e9
    }

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// What a provider charges for a million tokens, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Price {
    pub input: f64,
    pub output: f64,
    /// Read from the provider's cache; a tenth of `input` when not given.
    pub cached: Option<f64>,
    /// Written to the provider's cache for five minutes; 1.25 × `input` when not given.
    pub cache_write: Option<f64>,
    /// Written to it for an hour; 2 × `input` when not given.
    pub cache_write_hour: Option<f64>,
}
