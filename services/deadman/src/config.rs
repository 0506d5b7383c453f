//! The section `[deadman]`.

use std::time::Duration;

use sanctum_kernel::service::Complaint;
use sanctum_kernel::{Period, SecretRef};
use schemars::JsonSchema;
use serde::Deserialize;

/// The dead-man's switch. It tells by a path of its own, because the house's hub may be what is down.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// How long the supervisor may give no sign of life before it is brought back.
    pub patience: Period,
    /// How long a supervisor that was started may take until its heart beats.
    pub start_within: Period,
    /// After so many failures in a row it is left alone until somebody says `sanctum up` (safe mode).
    pub give_up_after: u32,
    /// In safe mode a person is told again so often, until the switch is disarmed or the supervisor is back.
    pub remind_every: Period,
    /// A machine that has just started has so long to bring up its supervisor by its own means.
    pub boot_grace: Period,
    /// Where a person is told: the URL of an ntfy topic, or of anything that takes a plain text by POST.
    pub url: Option<String>,
    /// What that asks for as `Authorization: Bearer`.
    pub token: Option<SecretRef>,
    /// A program that tells: it gets the title and the text as its last two arguments, such as `["wall"]`.
    pub command: Vec<String>,
    /// How often these ways are tried, silently; a drill that fails or was missed is told by all others.
    pub drill_every: Period,
    /// The door of another switch, such as `http://10.0.0.2:2190`: of another machine of this house, or of a friend's. Each
    /// watches the other; for this its `[listen] deadman` must reach beyond loopback.
    pub peer: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            patience: Period(Duration::from_mins(1)),
            start_within: Period(Duration::from_secs(20)),
            give_up_after: 3,
            remind_every: Period::mins(30),
            boot_grace: Period::mins(3),
            url: None,
            token: None,
            command: Vec::new(),
            drill_every: Period::hours(7 * 24),
            peer: None,
        }
    }
}

impl Config {
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        // A heartbeat comes every two seconds.
        if self.patience.0 < Duration::from_secs(3) {
            let message = format!("`{}` is shorter than the supervisor's heart may pause", self.patience);
            complaints.push(Complaint::new(&["patience"], message).hint("at least 3s; 60s is usual"));
        }
        if self.give_up_after == 0 {
            complaints.push(Complaint::new(&["give-up-after"], "it would never try").hint("at least 1"));
        }
        for (key, period) in [("remind-every", self.remind_every), ("drill-every", self.drill_every)] {
            if period.0 < Duration::from_secs(1) {
                let message = format!("`{period}` would never leave anybody in peace");
                complaints.push(Complaint::new(&[key], message).hint("30m and 7d are usual"));
            }
        }
        for (key, url) in [("url", &self.url), ("peer", &self.peer)] {
            let url = url.as_deref().unwrap_or("https://");
            if !url.starts_with("https://") && !url.starts_with("http://") {
                let message = format!("`{url}` is no URL");
                complaints.push(Complaint::new(&[key], message).hint("it begins with https:// or http://"));
            }
        }
        complaints
    }

    /// Often enough to be no later than a tenth of the patience.
    pub(crate) fn look_every(&self) -> Duration {
        (self.patience.0 / 10).clamp(Duration::from_millis(100), Duration::from_secs(5))
    }
}
