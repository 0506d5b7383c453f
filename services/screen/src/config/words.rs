//! Settings that are one word.

use schemars::JsonSchema;
use serde::Deserialize;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Blocks at the router.
    #[default]
    Enforce,
    /// Warns and shows; nothing is blocked.
    Agreement,
}

/// Which night a holiday frees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HolidayNights {
    /// The night that begins on the holiday.
    #[default]
    OfTheDay,
    /// The night before it, because of which one may sleep late.
    BeforeTheDay,
}
