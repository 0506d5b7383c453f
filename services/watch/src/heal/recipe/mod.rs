//! A recipe: what is wrong, how to see it, and what to do about it. It prescribes; it does nothing itself.

mod load;
mod shipped;

use std::path::PathBuf;

use sanctum_kernel::inventory::check::Check;
use sanctum_kernel::{Period, Size};
use serde::Deserialize;

pub(crate) use load::{Book, is_id, is_plain_name, load};

/// One recipe, as its file says it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recipe {
    /// Lower-case letters, digits and dashes.
    pub(crate) id: String,
    /// One line for people, without a full stop.
    pub(crate) summary: String,
    /// The first line of what is seen when it is needed.
    pub(crate) trigger: String,
    /// Words that speak for it, when free text is to be matched.
    #[serde(default)]
    pub(crate) words: Vec<String>,
    pub(crate) severity: Severity,
    pub(crate) cool_down: Period,
    #[serde(default)]
    pub(crate) dry_run: DryRun,
    /// Whether what it does can be undone.
    pub(crate) reversible: bool,
    #[serde(default)]
    pub(crate) detector: Detector,
    pub(crate) action: Remedy,
}

/// How much it changes, and so how it is escalated: a medium one is mentioned in the incident, of a high one a person is told at
/// once, and a critical one is only done by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// When it only says what it would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DryRun {
    /// At the first sighting; the next one acts.
    #[default]
    First,
    Never,
    Always,
}

/// How to see that it is needed. Every condition that is given must hold; beyond that every action looks for what it mends, and
/// does nothing where it does not find it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Detector {
    /// Kinds of check, one of which fails.
    pub(crate) checks: Vec<CheckKind>,
    /// Patterns, one of which is in what a failing check has seen; letters match in either case.
    pub(crate) says: Vec<String>,
    /// Only for these services.
    pub(crate) services: Vec<String>,
    /// Sentinels, one of which is not green: enough by itself.
    pub(crate) sentinels: Vec<String>,
    /// What must be seen of its process.
    pub(crate) look: Option<Look>,
    /// A script that ends with 0 where it is needed.
    pub(crate) script: Option<Script>,
}

/// What can be seen of the processes of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Look {
    /// It is there, but stopped, or so busy that it does not answer.
    Wedged,
    /// The file of its program has been replaced since it was started.
    ImageReplaced,
    /// It does not wait for its children: dead ones pile up.
    Zombies,
    /// It has nearly as many files open as it may.
    Handles,
}

macro_rules! check_kinds {
    ($($kind:ident = $field:ident),+ $(,)?) => {
        /// A kind of check, by its name in the file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum CheckKind { $($kind),+ }

        impl CheckKind {
            /// By its name in the file.
            pub fn of_word(word: &str) -> Option<Self> {
                match word { $(stringify!($field) => Some(Self::$kind),)+ _ => None }
            }

            /// What kind a check is.
            pub fn of(check: &Check) -> Option<Self> {
                $(if check.$field.is_some() { return Some(Self::$kind); })+
                None
            }
        }
    };
}

check_kinds!(
    Http = http,
    Tcp = tcp,
    Udp = udp,
    Dns = dns,
    Icmp = icmp,
    Process = process,
    Command = command,
    File = file,
    Disk = disk,
    Memory = memory,
    Container = container,
    Sqlite = sqlite,
    Events = events,
    Certificate = certificate,
    Contract = contract,
    Health = health,
);

/// What is done, by name, with its parameters: one built-in, or a script.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Remedy {
    /// The supervisor restarts the service.
    Restart(Bare),
    /// Everything it requires, one level up, is restarted.
    RestartRequirement(Bare),
    /// Everything below it is restarted, lowest first, then itself.
    RestartSubtree(Bare),
    /// A service that its breaker has locked is tried once more, if what it needs is there.
    Unlock(Bare),
    /// A lock or pid file that a dead process has left behind is put aside, and the service is started.
    ClearStaleFile(StaleFile),
    /// The oldest of the logs that were put aside are removed until there is room.
    FreeLogs(FreeLogs),
    /// The indexes of a damaged database are built anew.
    Reindex(Bare),
    /// A certificate that the house has signed itself is issued again, for the same key and names.
    Reissue(Reissue),
    /// Processes of a service that the house no longer has are ended.
    EndOrphans(Bare),
    /// A stray process of the house that holds a declared port is ended.
    FreePort(Bare),
    /// The default route that was there before is set again.
    RestoreRoute(Bare),
    /// Whoever keeps the clock is asked to step it.
    StepClock(StepClock),
    /// The service behind a container engine's socket is restarted.
    RestartEngine(Engine),
    /// Secrets that others can read are closed again.
    Protect(Bare),
    /// The file that names the resolvers is put back as it was.
    RestoreResolver(Resolver),
    /// A script of the owner's.
    Script(Script),
}

/// No parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bare {}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct StaleFile {
    /// Only files below these, besides the house's own home.
    pub(crate) places: Vec<PathBuf>,
}

impl Default for StaleFile {
    fn default() -> Self {
        let places = ["/run", "/var/run", "/var/lock", "/var/lib", "/tmp"];
        Self { places: places.map(PathBuf::from).to_vec() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct FreeLogs {
    /// Room that there should be; a tenth of the file system if absent.
    pub(crate) room: Option<Size>,
    /// As many of the newest files put aside are kept of each service, whatever happens.
    pub(crate) keep: usize,
}

impl Default for FreeLogs {
    fn default() -> Self {
        Self { room: None, keep: 1 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Reissue {
    /// Only if less time than this is left.
    pub(crate) left: Period,
    /// How long the new one is valid.
    pub(crate) valid: Period,
    /// Whether the service is restarted, so that it shows the new one.
    pub(crate) restart: bool,
}

impl Default for Reissue {
    fn default() -> Self {
        Self { left: Period::hours(14 * 24), valid: Period::hours(397 * 24), restart: true }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct StepClock {
    /// Who knows the time, as `host:port`; most of them must agree.
    pub(crate) servers: Vec<String>,
    /// What the clock may be off.
    pub(crate) max: Period,
    /// What steps it: a program and its arguments.
    pub(crate) command: Vec<String>,
}

impl Default for StepClock {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            servers: words(&["0.pool.ntp.org:123", "1.pool.ntp.org:123", "2.pool.ntp.org:123"]),
            max: Period::secs(1),
            command: words(if cfg!(target_os = "macos") {
                &["/usr/bin/sntp", "-sS", "time.apple.com"]
            } else {
                &["chronyc", "makestep"]
            }),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Engine {
    /// The engine's socket; that of the failing check, or `/var/run/docker.sock`, if absent.
    pub(crate) socket: Option<PathBuf>,
    /// The declared service that is the engine; the only supervised one that the failing service requires, if absent.
    pub(crate) service: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Resolver {
    pub(crate) file: PathBuf,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { file: PathBuf::from("/etc/resolv.conf") }
    }
}

/// A script in `$SANCTUM_HOME/recipes/scripts/`, executed as it is: no shell is asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Script {
    /// Its name there: no path.
    pub(crate) file: String,
    /// `{service}`, `{port}` and `{incident}` are replaced.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// A script that undoes what it did; it gets the same arguments.
    #[serde(default)]
    pub(crate) undo: Option<String>,
    #[serde(default = "Script::timeout")]
    pub(crate) timeout: Period,
    /// The address space of each of its processes.
    #[serde(default = "Script::memory")]
    pub(crate) memory: Size,
    /// How many processes it may be at once.
    #[serde(default = "Script::processes")]
    pub(crate) processes: u32,
}

impl Script {
    const fn timeout() -> Period {
        Period::secs(30)
    }

    const fn memory() -> Size {
        Size::mib(256)
    }

    const fn processes() -> u32 {
        16
    }
}

impl Remedy {
    /// Whether it is for one fault; the others are the wide steps of every ladder, or the owner's own to place there.
    pub(crate) fn is_specific(&self) -> bool {
        !matches!(
            self,
            Self::Restart(_) | Self::RestartRequirement(_) | Self::RestartSubtree(_) | Self::Script(_)
        )
    }

    /// Whether it mends what keeps a service from starting.
    pub(crate) fn is_about_starting(&self) -> bool {
        matches!(self, Self::Unlock(_) | Self::ClearStaleFile(_) | Self::FreePort(_))
    }

    /// Whether anything of what it does can be undone.
    pub(crate) fn is_reversible(&self) -> bool {
        match self {
            Self::ClearStaleFile(_)
            | Self::Reindex(_)
            | Self::Reissue(_)
            | Self::RestoreRoute(_)
            | Self::Protect(_)
            | Self::RestoreResolver(_) => true,
            Self::Script(script) => script.undo.is_some(),
            _ => false,
        }
    }
}
