//! The gathered state of the house: what `GET /api/overview` answers and every page is drawn from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sanctum_api::notify::Banner;
use sanctum_api::supervise::{Locked, Phase};
use sanctum_api::{firewall, screen};
use sanctum_kernel::Status;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Asked, Sentence};

/// The house at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    #[schemars(schema_with = "sanctum_api::time::instant")]
    pub at: Timestamp,
    /// What people call the house.
    pub house: String,
    /// Its IANA time zone.
    pub zone: String,
    pub sentence: Sentence,
    pub banners: Asked<Vec<Banner>>,
    pub devices: Asked<Vec<firewall::Device>>,
    pub tonight: Tonight,
    pub services: Watched,
    /// Whether the dashboard hears each service's events.
    pub streams: Streams,
}

/// By service: `true` while its events are followed.
pub type Streams = BTreeMap<String, bool>;

/// What the family's rules say of this night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tonight {
    pub status: Asked<screen::Status>,
    pub schedule: Asked<Vec<screen::Stretch>>,
    /// The last joins and traffic against the rules, newest first.
    pub violations: Asked<Vec<screen::Violation>>,
}

/// The services, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watched {
    pub by: Watcher,
    pub tiles: Vec<Tile>,
}

/// Who looked at the services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Watcher {
    Supervise,
    /// The dashboard asked each of them itself, because `supervise` gave no answer.
    Dashboard {
        because: String,
    },
}

/// One service: live, ready and well are three answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tile {
    pub name: String,
    pub house_name: String,
    pub summary: String,
    /// Where its process is in its life; absent where nobody supervises it.
    pub phase: Option<Phase>,
    pub live: bool,
    pub ready: bool,
    /// What its health said; absent if it could not be asked.
    pub well: Option<Status>,
    /// Restarts within the breaker's window.
    pub restarts: u32,
    /// What it says of the parts that are not well, or why it could not be asked.
    pub details: Vec<String>,
    pub locked: Option<Locked>,
}
