//! The section `[watch]`: how often, how sure, how hard to try, and what people hear of it.

use std::time::Duration;

use sanctum_kernel::inventory::check::Check;
use sanctum_kernel::service::Complaint;
use sanctum_kernel::{Period, Tier};
use schemars::JsonSchema;
use serde::Deserialize;

/// The watch over every service of the house, ours and foreign.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// How often a service is asked, by its criticality, where its check says nothing else.
    pub cadence: Cadence,
    /// How often everything is asked, whatever its cadence.
    pub full_sweep: Period,
    /// How many answers it takes to believe something.
    pub confirm: Confirm,
    /// What a start may take before what is seen of the service counts, where its check says nothing else.
    pub start_within: Period,
    /// When nothing that is seen can be believed.
    pub blindness: Blindness,
    /// What people hear of a trouble that was healed before anybody was asked.
    pub healed: Healed,
    /// What may be done about a trouble without asking.
    pub heal: crate::heal::Config,
    /// Where a notification leads; the dashboard if absent.
    pub url: Option<String>,
    /// How long incidents and the log of transitions are kept.
    pub keep: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cadence: Cadence::default(),
            full_sweep: Period::mins(10),
            confirm: Confirm::default(),
            start_within: Period::mins(1),
            blindness: Blindness::default(),
            healed: Healed::default(),
            heal: crate::heal::Config::default(),
            url: None,
            keep: Period::hours(24 * 365),
        }
    }
}

/// How often a service is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Cadence {
    /// Services whose criticality is `critical`.
    pub critical: Period,
    /// Services whose criticality is `important`.
    pub important: Period,
    /// All others.
    pub ordinary: Period,
}

impl Default for Cadence {
    fn default() -> Self {
        Self { critical: Period::secs(30), important: Period::mins(1), ordinary: Period::mins(5) }
    }
}

/// One bad answer is an accident; several in a row are a failure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Confirm {
    /// How many answers in a row must be bad, where the check says nothing else.
    pub fails: u32,
    /// How many answers in a row must be good again, where the check says nothing else.
    pub passes: u32,
}

impl Default for Confirm {
    fn default() -> Self {
        Self { fails: 3, passes: 2 }
    }
}

/// The watch knows when it cannot know: the machine slept, it was stopped, its clock was set, its own network is gone.
/// Nobody is told that a service fails because of that.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Blindness {
    /// A gap in its own work that is longer than this makes it blind for that time.
    pub gap: Period,
    /// How long after a gap nothing that is seen is believed yet: networks come back later than processes.
    pub settle: Period,
    /// A wall clock that moves by more than this against the others was set by somebody.
    pub step: Period,
    /// The router, as `host` (ping) or `host:port` (TCP). With this or `outside`, a failure that is seen over the network
    /// counts only if the watch's own network is there.
    pub gateway: Option<String>,
    /// Two addresses outside the house, as `host` or `host:port`, such as `["1.1.1.1:443", "9.9.9.9:443"]`.
    pub outside: Vec<String>,
}

impl Default for Blindness {
    fn default() -> Self {
        Self {
            gap: Period::secs(10),
            settle: Period::secs(5),
            step: Period::mins(2),
            gateway: None,
            outside: Vec::new(),
        }
    }
}

/// What people hear of a trouble that was healed before anybody was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Healed {
    /// A line on the dashboard: `healed in 41 s`.
    #[default]
    Banner,
    /// Nothing; the incident is kept.
    Silent,
}

impl Config {
    #[expect(dead_code, reason = "the shell comes next")]
    pub(crate) const fn every(&self, tier: Tier, check: &Check) -> Duration {
        match (check.every, tier) {
            (Some(every), _) => every.0,
            (None, Tier::Critical) => self.cadence.critical.0,
            (None, Tier::Important) => self.cadence.important.0,
            (None, Tier::Ordinary) => self.cadence.ordinary.0,
        }
    }

    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let mut least = |path: &[&str], period: Period, least: Period| {
            if period < least {
                complaints.push(Complaint::new(path, format!("`{period}` is too short: at least `{least}`")));
            }
        };
        let tenth = Period(Duration::from_millis(100));
        least(&["cadence", "critical"], self.cadence.critical, tenth);
        least(&["cadence", "important"], self.cadence.important, tenth);
        least(&["cadence", "ordinary"], self.cadence.ordinary, tenth);
        least(&["full-sweep"], self.full_sweep, Period::secs(1));
        least(&["blindness", "gap"], self.blindness.gap, Period::secs(2));
        least(&["keep"], self.keep, Period::hours(24));
        for (path, count) in [("fails", self.confirm.fails), ("passes", self.confirm.passes)] {
            if !(1..=20).contains(&count) {
                complaints.push(Complaint::new(&["confirm", path], format!("`{count}` is not from 1 to 20")));
            }
        }
        for (at, address) in self.blindness.outside.iter().enumerate() {
            if address.trim().is_empty() {
                let path = ["blindness", "outside", &at.to_string()];
                complaints.push(Complaint::new(&path, "an address is empty").hint("`host` or `host:port`"));
            }
        }
        if self.blindness.outside.len() > 2 {
            let path = ["blindness", "outside"];
            complaints.push(Complaint::new(
                &path,
                "two addresses are enough to tell one that is down from a network that is gone",
            ));
        }
        complaints
    }
}
