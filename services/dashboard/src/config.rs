//! The section `[dashboard]`.

use sanctum_kernel::{Complaint, Period};
use schemars::JsonSchema;
use serde::Deserialize;

/// The Command Center.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// How long a browser that came in through the link of `sanctum up` may stay without coming in again.
    pub session: Period,
    /// How long the page waits for one service before it says that it could not be asked.
    pub patience: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self { session: Period::hours(24 * 30), patience: Period(std::time::Duration::from_millis(700)) }
    }
}

impl Config {
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.session < Period::mins(1) || self.session > Period::hours(24 * 366) {
            let said = format!("a session of {} is not possible", self.session);
            complaints.push(Complaint::new(&["session"], said).hint("from `1m` to `366d`, such as `30d`"));
        }
        let millis = self.patience.0.as_millis();
        if !(50..=10_000).contains(&millis) {
            let said = format!("a patience of {} is not possible", self.patience);
            complaints
                .push(Complaint::new(&["patience"], said).hint("from `50ms` to `10s`, such as `700ms`"));
        }
        complaints
    }
}
