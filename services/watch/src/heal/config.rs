//! The section `[watch.heal]`.

use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;

/// What may be done without asking. `sanctum heal off` stops all of it at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Recipes that are not used, by id; `sanctum heal` lists them.
    pub off: Vec<String>,
    /// How long a service that was started again may take to be ready.
    pub restart_within: Period,
    /// A recipe rehearses when it is first needed by a service, and acts when it is needed again within this time.
    pub promote_within: Period,
    /// How often recipes may act within an hour, by how much they change.
    pub per_hour: PerHour,
    /// How long what was put aside is kept, so that it can be put back.
    pub keep_aside: Period,
    /// The model that may match free text with a recipe where words do not suffice, as the proxy knows it. The request never
    /// leaves the house. None: only words are compared.
    pub model: Option<String>,
    /// How long the model may take.
    pub model_timeout: Period,
}

/// Fires in one hour, of the whole house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PerHour {
    /// Recipes of severity `low`.
    pub low: u32,
    /// Recipes of severity `medium`.
    pub medium: u32,
    /// Recipes of severity `high`. A person is told of each.
    pub high: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            off: Vec::new(),
            restart_within: Period::secs(90),
            promote_within: Period::hours(24),
            per_hour: PerHour::default(),
            keep_aside: Period::hours(30 * 24),
            model: None,
            model_timeout: Period::secs(20),
        }
    }
}

impl Default for PerHour {
    fn default() -> Self {
        Self { low: 60, medium: 20, high: 6 }
    }
}
