//! What the outside world may know about a service.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The public description of one service: plain data, known at compile time.
#[derive(Debug)]
pub struct Spec {
    /// Plain name: the section of the config, the path of its state, the last part of `sanctum-<name>`.
    pub name: &'static str,
    /// The name the house uses for it, shown to people.
    pub house_name: &'static str,
    /// Other names the command line accepts.
    pub aliases: &'static [&'static str],
    /// One line for people, without a full stop.
    pub summary: &'static str,
    /// Sockets bound by the host before anything is built.
    pub listen: &'static [Listen],
    /// How to see from outside that it does its work.
    pub probe: Probe,
    /// Services that must be ready before this one is started.
    pub needs: &'static [&'static str],
    /// Services it calls, and what it may do there. A need is not a call: `needs` orders, `calls` permits.
    pub calls: &'static [Call],
    /// Services that may call it where they are in the same build, and what they may do: for callers that do without it.
    pub guests: &'static [Guest],
    /// Whether it reads the house's own sections, so that a change of them rebuilds it.
    pub reads_house: bool,
    /// Whether it reads the declarations of foreign services, `[service.NAME]`, so that a change of them rebuilds it.
    pub reads_services: bool,
    /// Whether it has a [heart](crate::heart) that the watch outside of the house must hear of.
    pub beats: bool,
    /// How much the house suffers while it is down.
    pub tier: Tier,
    /// Whether its unit belongs to the machine or to a logged-in user.
    pub domain: Domain,
    /// How long the host waits for work in flight after asking it to stop.
    pub grace: Duration,
    /// How long an instance that a reload has replaced may go on with its work in flight while its successor already
    /// serves. Zero: the successor begins when the old one has stopped, for services that must not work twice.
    pub linger: Duration,
}

impl Spec {
    /// The values of a service that says nothing else.
    pub const DEFAULT: Self = Self {
        name: "",
        house_name: "",
        aliases: &[],
        summary: "",
        listen: &[],
        probe: Probe::Process,
        needs: &[],
        calls: &[],
        guests: &[],
        reads_house: true,
        reads_services: false,
        beats: false,
        tier: Tier::Ordinary,
        domain: Domain::System,
        grace: Duration::from_secs(10),
        linger: Duration::ZERO,
    };

    /// Whether `word` is one of its names.
    pub fn answers_to(&self, word: &str) -> bool {
        self.name == word
            || self.aliases.contains(&word)
            || self.house_name.eq_ignore_ascii_case(&word.replace('-', " "))
            || self.house_name.eq_ignore_ascii_case(word)
    }

    /// The default port of its listener `http`, if it has one.
    pub const fn port(&self) -> Option<u16> {
        let mut i = 0;
        while i < self.listen.len() {
            #[expect(clippy::indexing_slicing, reason = "bounded by the loop; const fns have no iterators")]
            let listen = &self.listen[i];
            if same(listen.name, "http") {
                return Some(listen.port);
            }
            i += 1;
        }
        None
    }
}

/// A TCP socket the host binds, on loopback unless the config says otherwise.
#[derive(Debug)]
pub struct Listen {
    pub name: &'static str,
    pub port: u16,
    /// Why this number: every port earns its joke.
    pub lore: &'static str,
}

/// How to see from outside that a service does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Well if the process is there.
    Process,
    /// `GET path` on the named listener answers 200 and its body contains `expect`.
    Http { listen: &'static str, path: &'static str, expect: &'static str },
}

/// What one service may do at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    pub to: &'static str,
    pub right: Right,
}

/// What another service may do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest {
    pub from: &'static str,
    pub right: Right,
}

/// A right a token carries; `Act` includes `Read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Anyone who reaches the socket: liveness, readiness, health, metrics, the API's description.
    Open,
    /// See state and follow events.
    Read,
    /// Change something.
    Act,
}

/// How much the house suffers while a service is down; sets the cadence of its checks.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    Critical,
    Important,
    #[default]
    Ordinary,
}

/// Whose unit it is, for the platform's supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// A per-login agent.
    User,
    /// A system daemon that outlives logins.
    System,
}

pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        #[expect(clippy::indexing_slicing, reason = "bounded by the loop; const fns have no iterators")]
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
