//! The one trait between the service and whatever router the house has, and the table of its kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;

use futures_core::future::BoxFuture;
use sanctum_api::firewall::{Fingerprint, Passage, Simulate};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Mac, Stop};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::services::Services;

macro_rules! backends {
    ($($(#[doc = $doc:literal])+ $kind:ident),+ $(,)?) => {
        $(pub mod $kind;)+

        /// Which router the house has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        #[expect(non_camel_case_types, reason = "a kind is named like its module")]
        pub enum Kind { $($(#[doc = $doc])+ $kind),+ }

        impl Kind {
            /// The word in the configuration.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind)),+ }
            }
        }

        /// The settings of each kind; only those of the chosen one are used.
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
        pub struct Kinds { $($(#[doc = $doc])+ pub $kind: $kind::Config),+ }

        impl Kinds {
            /// Opens the router of this kind.
            pub(crate) fn open(&self, kind: Kind, services: Services) -> Result<Arc<dyn Backend>, Hinted> {
                match kind { $(Kind::$kind => $kind::open(&self.$kind, services)),+ }
            }

            /// What is wrong with the settings of this kind: a key and a message.
            pub(crate) fn check(&self, kind: Kind) -> Vec<(&'static str, String)> {
                match kind { $(Kind::$kind => self.$kind.check()),+ }
            }
        }
    };
}

backends! {
    /// A Linux router: tables of our own, by netlink.
    nftables,
    /// A router in memory, for demos and tests: it touches no network.
    simulated,
    // firewalla: the box's API.
    // unifi: the Network application.
    // openwrt: ubus.
    // adguard: services per client, by DNS.
    // pihole: services per client, by DNS.
}

/// What is done for the service, and how it ends.
pub type Work<'a, T> = BoxFuture<'a, Result<T, BackendError>>;

/// Why a router did not do it, or could not be looked at.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackendError {
    /// It said no.
    #[error("the router refused {what}: {reason}")]
    Refused { what: &'static str, reason: String },
    /// It did not answer; whether it acted is unknown.
    #[error("the router did not answer to {what}: {reason}")]
    Unreachable { what: &'static str, reason: String },
}

/// What a router can do, honestly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// It can cut off single services. `nftables` does by the addresses that the DNS answers: what a device learns
    /// elsewhere (DNS over HTTPS, a VPN) it does not see.
    pub per_service: bool,
    /// It can close itself to strangers before they send.
    pub gate: bool,
    /// It counts what it drops and what passes: verdicts can be proven.
    pub evidence: bool,
    /// It counts the bytes of a device.
    pub bytes: bool,
    /// It tells of arrivals by itself; otherwise it is asked.
    pub push: bool,
    /// What it cannot do although it can do the rest, in words.
    pub limits: &'static [&'static str],
}

impl Capabilities {
    /// What it can do and what it cannot, in words.
    pub(crate) fn words(self) -> (Vec<String>, Vec<String>) {
        let all = [
            (self.per_service, "block single services"),
            (self.gate, "stop strangers before they send"),
            (self.evidence, "prove a block by counters"),
            (self.bytes, "count bytes per device"),
            (self.push, "tell of arrivals at once"),
        ];
        let of = |can: bool| {
            all.iter().filter(|(able, _)| *able == can).map(|(_, word)| (*word).to_owned()).collect()
        };
        let mut cannot: Vec<String> = of(false);
        cannot.extend(self.limits.iter().map(|limit| (*limit).to_owned()));
        (of(true), cannot)
    }
}

/// How much of an address is cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    All,
    Services(BTreeSet<String>),
}

/// What the router should hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intent {
    pub cuts: BTreeMap<Mac, Cut>,
    /// Addresses that may send while the gate is closed to strangers.
    pub known: BTreeSet<Mac>,
    /// Whether the gate is closed to strangers.
    pub closed: bool,
}

/// A change at the gate; applied as one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    pub know: Vec<Mac>,
    pub forget: Vec<Mac>,
    pub closed: bool,
}

/// What the router shows of one blocked address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub cut: Cut,
    /// Whether it is in every place where it has to be.
    pub whole: bool,
    /// Packets dropped since it was blocked.
    pub dropped: u64,
    /// Packets that passed a tripwire although it is blocked.
    pub leaked: u64,
    /// Addresses of blocked services that are cut off because they were learnt; `None` if the router does not learn.
    pub learnt: Option<usize>,
}

/// Whether the router's rules are the ones we made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Rules {
    #[default]
    Whole,
    /// Nothing of ours is there: what is missing.
    Gone(String),
    /// Some of ours are missing: which.
    Broken(String),
    /// Somebody put a rule of theirs among ours: where.
    Foreign(String),
}

/// Everything seen in one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    pub cuts: BTreeMap<Mac, Evidence>,
    pub known: BTreeSet<Mac>,
    pub closed: bool,
    /// The gate is neither open nor closed, because somebody changed a part of it.
    pub half_closed: bool,
    pub rules: Rules,
    /// Addresses that knocked at the closed gate.
    pub strangers: BTreeSet<Mac>,
    /// Bytes to and from beyond the LAN, as the router counts them now.
    pub bytes: BTreeMap<Mac, u64>,
    /// Something about the router that weakens every block.
    pub warning: Option<String>,
}

/// How an arrival was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The bridge learnt the address.
    Fdb,
    /// A DHCP request.
    Dhcp,
    /// It answered a neighbour request.
    Neighbour,
    /// It announced itself by multicast DNS.
    Mdns,
    /// A counter moved.
    Counter,
}

impl By {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fdb => "fdb",
            Self::Dhcp => "dhcp",
            Self::Neighbour => "neighbour",
            Self::Mdns => "mdns",
            Self::Counter => "counter",
        }
    }
}

/// A sign of life of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub mac: Mac,
    pub by: By,
    pub address: Option<IpAddr>,
    pub fingerprint: Option<Fingerprint>,
}

/// What a router tells by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    Seen(Seen),
    /// An address was seen with this IP address; no sign that it is here now.
    Address(Mac, IpAddr),
    /// The router no longer sees it.
    Gone(Mac),
    /// Somebody else changed the rules.
    Changed,
}

/// A router. Nothing it says about a change is believed: every change is followed by `look` or `observe`.
pub trait Backend: Send + Sync + Debug {
    fn capabilities(&self) -> Capabilities;

    /// The services it knows by name; `None` if it takes any name.
    fn services(&self) -> Option<BTreeSet<String>> {
        None
    }

    /// Who is here now.
    fn devices(&self) -> Work<'_, Vec<Seen>>;

    /// Tells of arrivals until stopped. What was missed (an overrun, a reconnection) is found by looking again.
    fn watch(&self, to: mpsc::Sender<Signal>, stop: Stop) -> Work<'_, ()>;

    /// Cuts these off, and ends their established flows. A cut that is there already is fine.
    fn block<'a>(&'a self, cuts: &'a BTreeMap<Mac, Cut>) -> Work<'a, ()>;

    /// Lets these through again. One that is not blocked is fine.
    fn unblock<'a>(&'a self, macs: &'a [Mac]) -> Work<'a, ()>;

    /// Changes who is a stranger and whether strangers may send.
    fn gate<'a>(&'a self, gate: &'a Gate) -> Work<'a, ()>;

    /// One blocked address, read back; `None` if it is not blocked.
    fn look(&self, mac: Mac) -> Work<'_, Option<Evidence>>;

    /// Everything, read back.
    fn observe(&self) -> Work<'_, Observation>;

    /// Makes the router hold exactly this, atomically, whatever it held before: for a first start and for repair.
    fn import<'a>(&'a self, intent: &'a Intent) -> Work<'a, ()>;

    /// What it holds, in its own words.
    fn export(&self) -> Work<'_, String>;

    /// Makes something happen; `None` for a router that is real.
    fn simulate(&self, _what: Simulate) -> Option<Passage> {
        None
    }
}
