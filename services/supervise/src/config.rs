//! The section `[supervise]`.

use sanctum_kernel::service::Complaint;
use sanctum_kernel::{House, Period, Size};
use schemars::JsonSchema;
use serde::Deserialize;

/// How the processes of the house are kept.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Services of this binary that are not started, by name. A change of this starts and stops just those; a change of anything
    /// else in this section restarts nothing.
    pub disabled: Vec<String>,
    /// A service that is not ready this long after its start has failed, and is started again.
    pub start_timeout: Period,
    /// How often every service is asked for its health.
    pub health_every: Period,
    /// Variables of the environment that services see, besides `SANCTUM_HOME` and `SANCTUM_UNIT`; for the next start of
    /// each.
    pub environment: Vec<String>,
    /// How long to wait before a service that failed is started again.
    pub backoff: Backoff,
    /// When to stop trying.
    pub breaker: Breaker,
    /// What services print.
    pub log: Log,
    /// When services that are loaded on demand are admitted.
    pub seats: Seats,
}

/// The waiting time doubles with every failure in a row: 0, 1, 2, 4, … seconds, each up to a quarter longer by
/// chance, so that services that fell together do not rise together.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Backoff {
    /// The wait before the second restart; the first has none.
    pub first: Period,
    /// The longest wait.
    pub max: Period,
    /// A service that was ready for this long begins again without a wait.
    pub reset_after: Period,
}

/// A service that fails this often in this time is locked until someone says `sanctum unlock NAME`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Breaker {
    /// The failure that locks: with 5, the fifth.
    pub failures: u32,
    /// Failures older than this are forgotten. Measured on a clock that nobody can set.
    pub window: Period,
    /// A locked service is tried once more after this long, by itself: one failure locks it again. Never if absent: only a
    /// person unlocks.
    pub cool_down: Option<Period>,
    /// How long the watch may take to tell people of a lock, with all that it knows of the incident, before the supervisor tells
    /// them itself. It does so at once where the watch does not run, or for `0s`.
    pub tell_after: Period,
}

/// Every service has its own file in `logs/`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Log {
    /// A file that would grow beyond this is put aside and a new one begun.
    pub size: Size,
    /// How many files put aside are kept for each service.
    pub keep: u32,
    /// How long a service may have to wait for a slow disk before its lines are dropped, and counted, instead.
    pub patience: Period,
}

/// A seat is loaded where its peak fits into what is available, less what is promised to others that are being loaded.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Seats {
    /// Memory that no seat is given.
    pub keep_free: Size,
    /// While something waits for memory for more than this share of the time, in percent, no seat is loaded (pressure stall
    /// information; Linux).
    pub max_pressure: u8,
}

impl Default for Seats {
    fn default() -> Self {
        Self { keep_free: Size(512 * 1024 * 1024), max_pressure: 40 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            disabled: Vec::new(),
            start_timeout: Period::secs(60),
            health_every: Period::secs(5),
            environment: ENVIRONMENT.iter().map(|&name| name.to_owned()).collect(),
            backoff: Backoff::default(),
            breaker: Breaker::default(),
            log: Log::default(),
            seats: Seats::default(),
        }
    }
}

/// What programs need to find their home, their language, a person's desktop and certificate authorities.
const ENVIRONMENT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUST_BACKTRACE",
    "SANCTUM_LOG",
];

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Period::secs(1), max: Period::mins(1), reset_after: Period::mins(1) }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 5, window: Period::mins(10), cool_down: None, tell_after: Period::secs(15) }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { size: Size::mib(8), keep: 3, patience: Period(std::time::Duration::from_millis(100)) }
    }
}

impl Config {
    /// Every rule that no type can express.
    pub(crate) fn complaints(&self, house: &House) -> Vec<Complaint> {
        let mut complaints = self.disabled(house);
        let mut need = |ok: bool, path: &[&str], message: &str, hint: &str| {
            if !ok {
                complaints.push(Complaint::new(path, message).hint(hint));
            }
        };
        let positive = |period: Period| !period.0.is_zero();
        need(
            positive(self.start_timeout),
            &["start-timeout"],
            "no service is ready in no time",
            "write `60s`",
        );
        need(
            self.health_every.0.as_millis() >= 100,
            &["health-every"],
            "this would ask all the time",
            "write `5s`",
        );
        need(
            self.breaker.failures > 0,
            &["breaker", "failures"],
            "a service would be locked before it failed",
            "write `5`",
        );
        need(
            positive(self.breaker.window),
            &["breaker", "window"],
            "every failure would be forgotten at once",
            "write `10m`",
        );
        need(
            self.breaker.cool_down.is_none_or(positive),
            &["breaker", "cool-down"],
            "a lock of no length locks nothing",
            "write `1h`, or leave it out",
        );
        let ordered = self.backoff.first <= self.backoff.max;
        need(
            ordered,
            &["backoff", "max"],
            "the longest wait is shorter than the first",
            "write at least what `first` says",
        );
        need(
            self.log.size >= Size(4096),
            &["log", "size"],
            "files of this size hold no story",
            "write `8MiB`",
        );
        need(self.log.keep <= 1000, &["log", "keep"], "so many files are never read", "write `3`");
        complaints
    }

    fn disabled(&self, house: &House) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        for (at, name) in self.disabled.iter().enumerate() {
            let place = at.to_string();
            if name == "supervise" {
                let complaint =
                    Complaint::new(&["disabled", &place], "the supervisor cannot leave itself out");
                complaints.push(complaint.hint("remove it from the list"));
            }
            let by =
                house.service.iter().find(|(_, other)| other.run.is_some() && other.requires.contains(name));
            if let Some((by, _)) = by {
                let message = format!("`{by}` requires `{name}`");
                complaints.push(
                    Complaint::new(&["disabled", &place], message)
                        .hint(format!("take it out of `[service.{by}]` first")),
                );
            }
        }
        complaints
    }
}
