//! What the whole house shares: its time zone, its people and their devices.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Mac, Zone};

/// The sections `[house]`, `[person.NAME]` and `[device.NAME]` of `sanctum.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct House {
    /// The house itself.
    pub house: Facts,
    /// Who lives here, by a short name: `[person.ava]`.
    pub person: BTreeMap<String, Person>,
    /// The devices known by name, by a short name: `[device.ava-xbox]`.
    pub device: BTreeMap<String, Device>,
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
