//! The section `[notify]`: who is told of what, when, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sanctum_api::notify::Severity;
use sanctum_kernel::service::Complaint;
use sanctum_kernel::{Period, SecretRef, Wall, Weekday};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::channels::Channels;
use crate::matching::Matchers;
use crate::target::{DIGEST, Target};

/// The notification hub.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Hours in which only what cannot wait makes a sound, in the house's time zone.
    pub quiet: Quiet,
    /// Who is told, by severity and time of day.
    pub table: Table,
    /// Which configured channels play the roles that the table names.
    pub roles: Roles,
    /// Channels by kind and name: `[notify.channel.ntfy.phone]`.
    pub channel: Channels,
    /// A repeat within this time is counted and goes nowhere.
    pub dedup: Period,
    /// Notifications an hour that are not critical, of one source and of all together; the rest is summarised when
    /// the hour turns. `0` is no limit.
    pub per_hour: u32,
    /// Folding of notifications that belong together.
    pub grouping: Grouping,
    /// What goes without saying while something worse is known.
    pub inhibit: Vec<Inhibit>,
    /// How messages are tried, and for how long.
    pub delivery: Delivery,
    /// Summaries.
    pub digest: Digest,
    /// A watch outside the house that notices when the hub falls silent.
    pub dead_man: DeadMan,
    /// What the hub speaks of by itself.
    pub trouble: Trouble,
    /// How long the history is kept.
    pub keep: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quiet: Quiet::default(),
            table: Table::default(),
            roles: Roles::default(),
            channel: Channels::default(),
            dedup: Period::secs(120),
            per_hour: 10,
            grouping: Grouping::default(),
            inhibit: Vec::new(),
            delivery: Delivery::default(),
            digest: Digest::default(),
            dead_man: DeadMan::default(),
            trouble: Trouble::default(),
            keep: Period::hours(24 * 365),
        }
    }
}

/// Quiet hours.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Quiet {
    /// When they begin.
    pub from: Wall,
    /// When they end, and the morning's digest comes; the same as `from` for no quiet hours at all.
    pub until: Wall,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { from: Wall::new(22, 0), until: Wall::new(8, 0) }
    }
}

/// The routing table: for each severity, targets by day and in quiet hours.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Table {
    /// Worth knowing. By day `["dashboard"]`, quiet `[]`.
    pub info: Row,
    /// Look at it some day. By day `["phone:silent", "dashboard"]`, quiet `["digest"]`.
    pub warn: Row,
    /// Something is broken. By day `["phone:sound", "dashboard"]`, quiet `["phone:silent", "dashboard"]`.
    pub error: Row,
    /// Somebody must act now. By day `["phone:critical", "speakers", "signal", "dashboard"]`, quiet the same with
    /// `speakers:reduced`.
    pub critical: Row,
}

/// One line of the routing table; `[]` is "log only".
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Row {
    /// Outside quiet hours: roles or channels, with an optional manner, such as `phone:silent`.
    pub day: Option<Vec<Target>>,
    /// In quiet hours; `digest` keeps it for the morning.
    pub quiet: Option<Vec<Target>>,
}

/// The roles and who plays them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Roles {
    /// What a person carries; if absent, every channel of the kinds `ntfy` and `webpush`, or without any of those
    /// every `signal`, else every `email`, else every `webhook`: a house that can reach somebody does.
    pub phone: Option<Vec<String>>,
    /// What a browser shows; if absent, `["dashboard"]`.
    pub dashboard: Option<Vec<String>>,
    /// What can be heard in a room; if absent, none.
    pub speakers: Option<Vec<String>>,
    /// If absent, every channel of the kind `signal`.
    pub signal: Option<Vec<String>>,
}

pub(crate) const ROLES: [&str; 4] = ["phone", "dashboard", "speakers", "signal"];

impl Roles {
    /// The channels that play `role`; `None` if there is no such role.
    pub(crate) fn play(&self, role: &str, channels: &Channels) -> Option<Vec<String>> {
        let of = |given: &Option<Vec<String>>, default: Vec<String>| Some(given.clone().unwrap_or(default));
        match role {
            "phone" => {
                let reach: [&[&str]; 4] = [&["ntfy", "webpush"], &["signal"], &["email"], &["webhook"]];
                let best = reach.iter().map(|kinds| channels.of_kinds(kinds)).find(|names| !names.is_empty());
                of(&self.phone, best.unwrap_or_default())
            }
            "dashboard" => of(&self.dashboard, vec!["dashboard".to_owned()]),
            "speakers" => of(&self.speakers, Vec::new()),
            "signal" => of(&self.signal, channels.of_kinds(&["signal"])),
            _ => None,
        }
    }
}

/// Folding of notifications that belong together, as Alertmanager's `group_by` and `group_interval`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Grouping {
    /// Fields that make a group: `source`, `severity` or labels. Empty: no grouping.
    pub by: Vec<String>,
    /// After the first of a group, the others of this time come as one message. Critical ones never wait.
    pub interval: Option<Period>,
}

/// One rule of inhibition: "the host is down" inhibits "its services are down".
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Inhibit {
    /// While an unresolved notification has all of these (`source`, `severity`, labels; `*` at the end for a prefix)…
    pub when: Matchers,
    /// …those that have all of these go nowhere, unless they are critical.
    pub mutes: Matchers,
    /// Both must have the same value here.
    pub equal: Vec<String>,
}

/// How messages are tried, and for how long.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Delivery {
    /// An attempt that takes longer has failed.
    pub deadline: Period,
    /// The wait after a first failure; it doubles from then on.
    pub first_wait: Period,
    /// The longest wait between two attempts.
    pub longest_wait: Period,
    /// What could not be delivered for this long is given up and shown as undelivered.
    pub give_up: Period,
    /// After this many failures in a row a channel is left alone for a while.
    pub breaker_after: u32,
    /// How long it is left alone at first; it doubles up to ten minutes, then one message is tried.
    pub breaker_open: Period,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            deadline: Period::secs(10),
            first_wait: Period::secs(1),
            longest_wait: Period::mins(15),
            give_up: Period::hours(24),
            breaker_after: 5,
            breaker_open: Period::secs(15),
        }
    }
}

/// Summaries.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Digest {
    /// Whether the week is summed up.
    pub weekly: bool,
    /// On which day: `monday` to `sunday`.
    pub weekly_day: Weekday,
    /// At what time of the house.
    pub weekly_at: Wall,
}

impl Default for Digest {
    fn default() -> Self {
        Self { weekly: true, weekly_day: Weekday::Sunday, weekly_at: Wall::new(18, 0) }
    }
}

/// A watch outside the house, as healthchecks.io has it: it is called with `GET` for as long as the hub is well, with
/// `POST` and `/fail` at the end of the path when the hub has trouble (the body says which), and not at all when the hub
/// is down. Without `url` and `secret` there is none.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct DeadMan {
    /// What to call, `http://` or `https://`.
    pub url: Option<String>,
    /// Instead of `url`: the secret is the whole URL, for those that hold a token.
    pub secret: Option<SecretRef>,
    /// How often. Tell the watch to wait for twice that long.
    pub every: Period,
}

impl Default for DeadMan {
    fn default() -> Self {
        Self { url: None, secret: None, every: Period::secs(60) }
    }
}

impl DeadMan {
    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if let Some(url) = &self.url {
            complaints.extend(crate::channels::web_url(url, &["dead-man", "url"]));
        }
        if self.url.is_some() && self.secret.is_some() {
            let complaint = Complaint::new(&["dead-man", "secret"], "there is a `url` as well");
            complaints.push(complaint.hint("leave one of them out"));
        }
        if self.every.0 < Duration::from_secs(1) {
            let complaint = Complaint::new(&["dead-man", "every"], "no watch wants to be called that often");
            complaints.push(complaint.hint("write `1m`"));
        }
        complaints
    }
}

/// What the hub takes for trouble of its own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Trouble {
    /// A disk of which this much is used, in percent, is nearly full; `100` for one that is full on purpose.
    pub disk: u8,
}

impl Default for Trouble {
    fn default() -> Self {
        Self { disk: 90 }
    }
}

impl Table {
    fn row(&self, severity: Severity) -> &Row {
        match severity {
            Severity::Info => &self.info,
            Severity::Warn => &self.warn,
            Severity::Error => &self.error,
            Severity::Critical => &self.critical,
        }
    }

    /// The targets of one cell.
    pub(crate) fn cell(&self, severity: Severity, quiet: bool) -> Vec<Target> {
        let row = self.row(severity);
        let given = if quiet { &row.quiet } else { &row.day };
        let default: &[&str] = match (severity, quiet) {
            (Severity::Info, false) => &["dashboard"],
            (Severity::Info, true) => &[],
            (Severity::Warn, false) | (Severity::Error, true) => &["phone:silent", "dashboard"],
            (Severity::Warn, true) => &[DIGEST],
            (Severity::Error, false) => &["phone:sound", "dashboard"],
            (Severity::Critical, false) => &["phone:critical", "speakers", "signal", "dashboard"],
            (Severity::Critical, true) => &["phone:critical", "speakers:reduced", "signal", "dashboard"],
        };
        given.clone().unwrap_or_else(|| default.iter().filter_map(|text| text.parse().ok()).collect())
    }
}

impl Config {
    /// Every rule that no type can express.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let names = self.names(&mut complaints);
        let known = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        for severity in Severity::ALL {
            let row = self.table.row(severity);
            for (part, cell) in [("day", &row.day), ("quiet", &row.quiet)] {
                for target in cell.iter().flatten() {
                    let role = ROLES.contains(&target.name.as_str()) || target.name == DIGEST;
                    if !role && !names.contains(target.name.as_str()) {
                        let message = format!("there is neither a role nor a channel `{}`", target.name);
                        let hint = format!("roles are {}; channels are {}", ROLES.join(", "), known());
                        complaints
                            .push(Complaint::new(&["table", severity.word(), part], message).hint(hint));
                    }
                }
            }
        }
        let roles = &self.roles;
        for (role, given) in
            ROLES.iter().zip([&roles.phone, &roles.dashboard, &roles.speakers, &roles.signal])
        {
            for name in given.iter().flatten().filter(|name| !names.contains(name.as_str())) {
                let complaint = Complaint::new(&["roles", role], format!("there is no channel `{name}`"));
                complaints.push(complaint.hint(format!("channels are {}", known())));
            }
        }
        if self.delivery.deadline.0 < Duration::from_millis(10) {
            complaints.push(
                Complaint::new(&["delivery", "deadline"], "no channel answers that fast").hint("write `10s`"),
            );
        }
        for (place, rule) in self.inhibit.iter().enumerate() {
            if rule.when.is_empty() || rule.mutes.is_empty() {
                let place = place.to_string();
                let complaint = Complaint::new(&["inhibit", &place], "a rule needs both `when` and `mutes`");
                complaints.push(complaint.hint("without them it would mute everything"));
            }
        }
        complaints.extend(self.dead_man.complaints());
        complaints.extend(self.channel.complaints());
        complaints
    }

    fn names(&self, complaints: &mut Vec<Complaint>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut kinds: BTreeMap<String, &str> = BTreeMap::new();
        for (kind, name) in self.channel.names() {
            if let Some(other) = kinds.insert(name.clone(), kind) {
                let message = format!("there is also a channel `{name}` of the kind `{other}`");
                complaints.push(
                    Complaint::new(&["channel", kind, &name], message)
                        .hint("give each channel a name of its own"),
                );
            }
            names.insert(name);
        }
        names
    }
}
