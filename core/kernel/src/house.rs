//! What the whole house shares: its time zone, its people and their devices.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::Declared;
use crate::{Complaint, Mac, Zone};

/// The sections `[house]`, `[person.NAME]`, `[device.NAME]` and `[service.NAME]` of `sanctum.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct House {
    /// The house itself.
    pub house: Facts,
    /// Who lives here, by a short name: `[person.ava]`.
    pub person: BTreeMap<String, Person>,
    /// The devices known by name, by a short name: `[device.ava-xbox]`.
    pub device: BTreeMap<String, Device>,
    /// Services that are not part of this binary, by a short name: `[service.home-assistant]`.
    pub service: BTreeMap<String, Declared>,
}

impl House {
    /// Whether what a service with `Spec::reads_house` sees is the same in both; foreign services are not part of it.
    pub fn is_same_family(&self, other: &Self) -> bool {
        self.house == other.house && self.person == other.person && self.device == other.device
    }

    /// What no type can express; paths begin at the root of the file.
    pub fn check(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let mut owners: BTreeMap<Mac, &str> = BTreeMap::new();
        for (id, device) in &self.device {
            if let Some(owner) = device.owner.as_ref().filter(|owner| !self.person.contains_key(*owner)) {
                let known: Vec<String> = self.person.keys().map(|name| format!("`{name}`")).collect();
                let hint = if known.is_empty() {
                    "there is no `[person.…]` yet".to_owned()
                } else {
                    format!("the people are {}", known.join(", "))
                };
                complaints.push(
                    Complaint::new(&["device", id, "owner"], format!("nobody is called `{owner}`"))
                        .hint(hint),
                );
            }
            if device.mac.is_empty() {
                complaints
                    .push(Complaint::new(&["device", id, "mac"], "a device needs at least one MAC address"));
            }
            for (at, mac) in device.mac.iter().enumerate() {
                let path = ["device", id, "mac", &at.to_string()];
                if mac.is_group() {
                    complaints
                        .push(Complaint::new(&path, format!("`{mac}` is a group address; no device has it")));
                }
                if let Some(other) = owners.insert(*mac, id) {
                    complaints.push(Complaint::new(&path, format!("`{mac}` is already `{other}`")).hint(
                        format!("an address belongs to one device: remove it from `{other}` or from `{id}`"),
                    ));
                }
            }
        }
        complaints
    }

    /// The name people use for a person.
    pub fn person_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.person.get(id).and_then(|person| person.name.as_deref()).unwrap_or(id)
    }
}

/// What is true of the house.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Facts {
    /// What people call it.
    pub name: String,
    /// IANA time zone, such as `Europe/Paris`: bedtimes and quiet hours are wall time here.
    pub timezone: Zone,
    /// Language of messages for the family: `en` or `fr`.
    pub language: Language,
}

impl Default for Facts {
    fn default() -> Self {
        Self { name: "Home".to_owned(), timezone: Zone::utc(), language: Language::En }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    Fr,
}

/// Somebody who lives here.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Person {
    /// `parent`, `child` or `adult`.
    pub role: Role,
    /// What people call them; the short name if absent.
    pub name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May change the rules and is told what happens.
    Parent,
    /// The rules of the house apply.
    Child,
    /// Lives here; neither.
    Adult,
}

/// A thing with one or more network addresses.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Device {
    /// What people call it; the short name if absent.
    pub name: Option<String>,
    /// Its MAC addresses, such as `60:45:bd:12:34:56`; a thing with Wi-Fi and a cable has two.
    pub mac: Vec<Mac>,
    /// Whose it is: a short name from `[person.…]`. The house's, if absent.
    pub owner: Option<String>,
    /// Which rules apply to it.
    pub tier: DeviceTier,
}

/// Which rules apply to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceTier {
    /// Never blocked here: the device's own controls do it.
    Personal,
    /// Hard curfew, full block.
    Gaming,
    /// Service-level block, so that a TV that is also a home hub keeps its other traffic.
    Screen,
    /// A guest's: the house's rules, until it expires.
    Guest,
    /// Never touched by any rule.
    Exempt,
}
