//! firewall: devices, the intended state of the network, verdicts and events.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use sanctum_kernel::Mac;
use sanctum_kernel::house::DeviceTier;
use sanctum_kernel::trace::TraceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::transport::{self, CallError, Events, Method, Transport, escape};
use crate::{Moment, time};

/// What is cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Scope {
    /// Everything beyond the LAN.
    All,
    /// Named services only, such as `youtube`; everything else stays.
    Services(Vec<String>),
}

/// A block that should be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Block {
    pub scope: Scope,
    /// Why, for people: `curfew`, `homework`, `not approved`.
    pub reason: String,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub until: Option<Timestamp>,
}

/// What happens to a device nobody has seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Newcomers {
    /// It is let in, and remembered.
    #[default]
    Allow,
    /// The internet is closed to it until the policy ends, then it is let in by itself.
    Block,
    /// The internet is closed to it until a person approves it.
    Quarantine,
}

/// `PUT /desired`: the whole intended state. `version` must be the current one plus one (compare-and-set);
/// sending the same state with the current version again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Desired {
    pub version: u64,
    /// Blocks by device id.
    #[serde(default)]
    pub blocks: BTreeMap<String, Block>,
    #[serde(default)]
    pub newcomers: Newcomers,
    /// When the newcomer policy falls back to `allow` and automatic blocks are lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub newcomers_until: Option<Timestamp>,
}

/// What was seen of a block. Only evidence makes it `proven`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The device tried, everything was dropped, no tripwire moved.
    Proven,
    /// In force on the router; the device has not tried.
    Applied,
    /// In force, and yet packets pass.
    Leaking,
    /// It should be there and is not.
    Missing,
    /// It could not be looked at.
    Unknown,
}

/// How a device came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Named in `sanctum.toml` or by a person.
    Known,
    /// Seen while newcomers were allowed.
    Seen,
    /// Blocked by itself as a newcomer; lifted by itself.
    Automatic,
    /// Waits for a person's approval.
    Quarantined,
}

/// A block as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockState {
    pub block: Block,
    pub verdict: Verdict,
    /// The evidence, for people: `12 packets dropped, 0 passed`.
    pub evidence: String,
    #[schemars(schema_with = "time::instant")]
    pub since: Timestamp,
    /// When the verdict was last read back.
    #[schemars(schema_with = "time::instant")]
    pub looked: Timestamp,
}

/// What a device shows of itself on the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fingerprint {
    /// DHCP option 12, the name it gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// DHCP option 60, such as `MSFT 5.0 XBOX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_class: Option<String>,
    /// DHCP option 55, the options it asks for, in its order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// DHCP option 61 (or the DUID of DHCPv6), in hexadecimal; outlives a change of MAC if it is a DUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// A known device that a newcomer with a made-up address resembles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resembles {
    /// The known device's id.
    pub device: String,
    /// 0 to 1; 1 is the same in everything a device shows.
    pub score: f64,
    /// What agrees: `hostname, vendor class, parameters`.
    pub because: String,
}

/// A device with any number of addresses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// The short name from the config, or the MAC of its first appearance with `-` between octets.
    pub id: String,
    pub name: String,
    pub macs: Vec<Mac>,
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<DeviceTier>,
    pub standing: Standing,
    /// The manufacturer of its network chip, if its address was not made up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// `console`, `phone`, `tv`, `computer`, … as far as it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default)]
    pub fingerprint: Fingerprint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resembles: Option<Resembles>,
    pub online: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub first_seen: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub last_seen: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockState>,
    /// Bytes to and from beyond the LAN since the service first counted; for minutes of use and limits.
    #[serde(default)]
    pub bytes: u64,
}

/// `PUT /devices/{id}`: what a person says of a device. Absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Naming {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub tier: Option<DeviceTier>,
    #[serde(default)]
    pub kind: Option<String>,
    /// `true` makes a newcomer known.
    #[serde(default)]
    pub approved: Option<bool>,
    /// The newcomer is this known device: its address joins that one's.
    #[serde(default)]
    pub same_as: Option<String>,
    /// This address is not that device after all: it becomes a device of its own again (undoes `same_as`).
    #[serde(default)]
    pub apart: Option<Mac>,
}

/// What happened on the network. The server-sent event's kind is [`Kind`] in kebab case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Happening {
    pub kind: Kind,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    pub trace_id: TraceId,
    /// The device's id; absent for what concerns the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// For people.
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// How it was noticed: `fdb`, `dhcp`, `neighbour`, `mdns`, `counter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noticed_by: Option<String>,
}

/// The kinds of [`Happening`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A device came onto the network.
    Joined,
    Left,
    /// A device that is blocked joined or sent; carries the verdict of the block.
    Attempt,
    Blocked,
    Unblocked,
    /// What is there is not what should be there; says what was observed and what was done.
    Drift,
    /// The outcome of a canary.
    Canary,
    /// So many new addresses at once that they are not recorded one by one: when it begins, and when it is over.
    Flood,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Left => "left",
            Self::Attempt => "attempt",
            Self::Blocked => "blocked",
            Self::Unblocked => "unblocked",
            Self::Drift => "drift",
            Self::Canary => "canary",
            Self::Flood => "flood",
        }
    }
}

/// `POST /simulate`, which exists with the simulated router only: something happens on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Simulate {
    /// A device comes onto the network and asks for an address.
    Join(Arrival),
    /// It goes.
    Leave(Mac),
    /// It sends and is sent packets, to and from beyond the LAN.
    Send(Packets),
    /// The router begins or stops to misbehave.
    Fault(FaultSwitch),
}

/// A simulated arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    pub mac: Mac,
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// What its DHCP request shows; a device with a hand-typed address sends none.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
}

/// Simulated packets of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Packets {
    pub mac: Mac,
    /// Packets towards the internet.
    #[serde(default)]
    pub up: u64,
    /// Packets from the internet.
    #[serde(default)]
    pub down: u64,
    /// The service they belong to, such as `youtube`.
    #[serde(default)]
    pub service: Option<String>,
}

/// What became of simulated packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Passage {
    pub passed: u64,
    pub dropped: u64,
}

/// How a simulated router can misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It says that it did, and does nothing.
    Lies,
    /// It does it, and drops it later.
    Forgets,
    /// It has the block, and packets pass.
    Leaks,
    /// It takes two seconds for everything.
    Slow,
    /// It refuses every change.
    Refuses,
    /// It does not answer.
    Unreachable,
}

/// One fault, on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultSwitch {
    pub fault: Fault,
    pub on: bool,
}

/// `GET /export`: everything a person or a rule has said, for a new router or a backup. `POST /import` takes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// 1.
    pub format: u32,
    pub devices: Vec<Device>,
    pub desired: Desired,
    /// What the router itself holds, in the router's own words; for people, not imported.
    #[serde(default)]
    pub router: String,
}

/// `GET /router`: the router as it is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Router {
    /// `nftables`, `simulated`.
    pub backend: String,
    /// What this router can do, honestly.
    pub can: Vec<String>,
    /// What this router cannot do.
    pub cannot: Vec<String>,
    /// Whether a person has switched enforcement off.
    pub off: bool,
    /// The newcomer policy in force now.
    pub newcomers: Newcomers,
    /// Addresses blocked now, by intention.
    pub intended: usize,
    /// Addresses found blocked at the last look; absent if it could not be looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<usize>,
    /// What was wrong at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<String>,
}

/// The typed client.
#[derive(Debug, Clone)]
pub struct Client(Arc<dyn Transport>);

impl Client {
    pub fn new(to: Arc<dyn Transport>) -> Self {
        Self(to)
    }

    pub async fn desired(&self) -> Result<Desired, CallError> {
        transport::get(&*self.0, "/desired").await
    }

    /// Replaces the intended state; 409 if somebody else has since.
    pub async fn put_desired(&self, desired: &Desired) -> Result<Desired, CallError> {
        transport::act(&*self.0, Method::Put, "/desired", desired).await
    }

    pub async fn devices(&self) -> Result<Vec<Device>, CallError> {
        transport::get(&*self.0, "/devices").await
    }

    pub async fn device(&self, id: &str) -> Result<Device, CallError> {
        transport::get(&*self.0, format!("/devices/{}", escape(id))).await
    }

    pub async fn name(&self, id: &str, naming: &Naming) -> Result<Device, CallError> {
        transport::act(&*self.0, Method::Put, format!("/devices/{}", escape(id)), naming).await
    }

    pub async fn block(&self, id: &str, block: &Block) -> Result<Device, CallError> {
        transport::act(&*self.0, Method::Put, format!("/devices/{}/block", escape(id)), block).await
    }

    pub async fn unblock(&self, id: &str) -> Result<Device, CallError> {
        transport::act(&*self.0, Method::Delete, format!("/devices/{}/block", escape(id)), &()).await
    }

    pub async fn router(&self) -> Result<Router, CallError> {
        transport::get(&*self.0, "/router").await
    }

    /// Switches enforcement off (`true`) until it is switched on again or the service restarts.
    pub async fn off(&self, off: bool) -> Result<Router, CallError> {
        let path = if off { "/off" } else { "/on" };
        transport::act(&*self.0, Method::Post, path, &()).await
    }

    pub async fn export(&self) -> Result<Export, CallError> {
        transport::get(&*self.0, "/export").await
    }

    pub async fn import(&self, export: &Export) -> Result<Vec<Device>, CallError> {
        transport::act(&*self.0, Method::Post, "/import", export).await
    }

    /// Runs a canary now and waits for its outcome.
    pub async fn canary(&self) -> Result<Happening, CallError> {
        transport::act(&*self.0, Method::Post, "/canary", &()).await
    }

    /// Makes something happen on the simulated router's network.
    pub async fn simulate(&self, what: &Simulate) -> Result<Passage, CallError> {
        transport::act(&*self.0, Method::Post, "/simulate", what).await
    }

    /// [`Happening`]s as JSON in each event's data.
    pub async fn events(&self, last_id: Option<String>) -> Result<Events, CallError> {
        self.0.events("/events".to_owned(), last_id).await
    }

    pub async fn trace(&self, id: TraceId) -> Result<Vec<Moment>, CallError> {
        transport::get(&*self.0, format!("/trace/{id}")).await
    }
}
