//! The section `[watch]`: how often, how sure, how hard to try, and what people hear of it.

use std::time::Duration;

use sanctum_kernel::inventory::check::Check;
use sanctum_kernel::service::Complaint;
use sanctum_kernel::{Inventory, Period, Tier};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Member, Rules};

/// The watch over every service of the house, ours and foreign.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// How often a service is asked, by its criticality, where its check says nothing else.
    pub cadence: Cadence,
    /// How often everything is asked, whatever its cadence.
    pub full_sweep: Period,
    /// How many answers it takes to believe something.
    pub confirm: Confirm,
    /// What a start may take, at least, before bad answers count; `start-within` of a check says more.
    pub start_within: Period,
    /// What is tried, how hard, and when it is left to a person.
    pub ladder: Ladder,
    /// Services that come and go.
    pub flapping: Flapping,
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
    /// The sentinels: small looks at what surrounds the services. Only a red one pages.
    pub sentinel: crate::sentinel::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cadence: Cadence::default(),
            full_sweep: Period::mins(10),
            confirm: Confirm::default(),
            start_within: Period::secs(5),
            ladder: Ladder::default(),
            flapping: Flapping::default(),
            blindness: Blindness::default(),
            healed: Healed::default(),
            heal: crate::heal::Config::default(),
            url: None,
            keep: Period::hours(24 * 365),
            sentinel: crate::sentinel::Config::default(),
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
    /// From believing a failure to opening its incident: what the service requires is asked meanwhile, so that the order of
    /// the checks does not decide what is the root.
    pub settle: Period,
    /// How long what depends on something that has come back may take to come back itself.
    pub recovery_grace: Period,
    /// How long a service must be well until its incident is over.
    pub linger: Period,
    /// How long a service may be alive but wrong until that is an incident.
    pub drift_patience: Period,
}

impl Default for Confirm {
    fn default() -> Self {
        Self {
            fails: 3,
            passes: 2,
            settle: Period::secs(2),
            recovery_grace: Period::secs(30),
            linger: Period::secs(10),
            drift_patience: Period::mins(10),
        }
    }
}

/// What is tried: what the service declares, then what it requires, then everything below it, then a person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Ladder {
    /// From the incident to the first step: the supervisor has its own try first.
    pub patience: Period,
    /// How long a step may take.
    pub act_within: Period,
    /// How long a step may take to help.
    pub verify_within: Period,
    /// The wait between a step that did not help and the next; it doubles, a little longer by chance.
    pub backoff: Period,
    /// The longest such wait.
    pub backoff_max: Period,
    /// Steps for one incident.
    pub tries: u32,
    /// Steps for one service within `window`; then it is quarantined and left to a person.
    pub budget: u32,
    /// The time that `budget` is for.
    pub window: Period,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            patience: Period::secs(3),
            act_within: Period::mins(5),
            verify_within: Period::secs(20),
            backoff: Period::secs(10),
            backoff_max: Period::mins(5),
            tries: 3,
            budget: 3,
            window: Period::mins(30),
        }
    }
}

/// A service that comes and goes is told of once, and touched only when it stays down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Flapping {
    /// So many turns within `within` are too many.
    pub turns: u32,
    /// The time they are counted in.
    pub within: Period,
    /// Without a turn for this long it has calmed down.
    pub calm: Period,
    /// It is only touched after it was down for this long.
    pub confirm: Period,
}

impl Default for Flapping {
    fn default() -> Self {
        Self { turns: 5, within: Period::mins(10), calm: Period::mins(5), confirm: Period::mins(1) }
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
    pub(crate) const fn every(&self, tier: Tier, check: &Check) -> Duration {
        match (check.every, tier) {
            (Some(every), _) => every.0,
            (None, Tier::Critical) => self.cadence.critical.0,
            (None, Tier::Important) => self.cadence.important.0,
            (None, Tier::Ordinary) => self.cadence.ordinary.0,
        }
    }

    /// The same, as the engine wants it.
    pub(crate) fn rules(&self) -> Rules {
        let (confirm, ladder, flapping) = (&self.confirm, &self.ladder, &self.flapping);
        Rules {
            start_grace: self.start_within.0,
            settle: confirm.settle.0,
            recovery_grace: confirm.recovery_grace.0,
            linger: confirm.linger.0,
            drift_patience: confirm.drift_patience.0,
            patience: ladder.patience.0,
            act_within: ladder.act_within.0,
            verify_within: ladder.verify_within.0,
            backoff: ladder.backoff.0,
            backoff_max: ladder.backoff_max.0,
            tries: ladder.tries,
            budget: ladder.budget,
            window: ladder.window.0,
            flap_turns: usize::try_from(flapping.turns).unwrap_or(usize::MAX),
            flap_window: flapping.within.0,
            flap_calm: flapping.calm.0,
            flap_confirm: flapping.confirm.0,
            ..Rules::default()
        }
    }

    /// The list as the engine wants it, with what this section says where a check says nothing.
    pub(crate) fn members(&self, inventory: &Inventory) -> Vec<Member> {
        let mut members = Member::list(inventory);
        for (member, item) in members.iter_mut().zip(&inventory.0) {
            for (question, check) in member.checks.iter_mut().zip(item.check.values()) {
                question.every = self.every(item.tier, check);
                question.fails = check.fails.unwrap_or(self.confirm.fails);
                question.passes = check.passes.unwrap_or(self.confirm.passes);
            }
        }
        members
    }

    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = self.sentinel.complaints();
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
