//! The section `[screen]` of `sanctum.toml`.

pub(crate) mod check;
mod days;
mod words;

use std::collections::BTreeMap;

use sanctum_api::firewall::Newcomers as Door;
use sanctum_kernel::{Period, Wall, Weekday};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use check::check;
pub(crate) use days::Days;
pub(crate) use words::{HolidayNights, Mode};

/// The family's rules. Everything has a default: an empty section is a house with ordinary bedtimes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// `enforce` blocks at the router; `agreement` only warns and shows, for families who have agreed.
    pub mode: Mode,
    /// Bedtimes and waking for everyone.
    pub schedule: Schedule,
    /// Other hours for one person: `[screen.person.ava]`.
    pub person: BTreeMap<String, Hours>,
    /// Other hours for one device, over its owner's: `[screen.device.xbox]`.
    pub device: BTreeMap<String, Hours>,
    /// What happens before bedtime.
    pub wind_down: WindDown,
    /// Which services are gaming, social and streaming.
    pub services: Services,
    /// Homework mode.
    pub homework: Homework,
    /// Minutes that are earned and spent.
    pub credits: Credits,
    /// Minutes a day.
    pub limits: Limits,
    /// Days off school.
    pub holidays: Holidays,
    /// Devices nobody has seen before.
    pub newcomers: Newcomers,
    /// Devices nobody has named.
    pub guests: Guests,
    /// The weekly summary.
    pub digest: Digest,
    /// Where a message's link leads; the dashboard of this house by default.
    pub url: Option<String>,
}

/// Bedtimes and waking, as the clock on the wall shows them. A night belongs to the day in whose evening it begins;
/// a bedtime before noon, such as `00:30`, is past midnight and belongs to the evening before.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Schedule {
    /// Bedtime of the nights of Sunday to Thursday.
    pub weekday: Wall,
    /// Bedtime of the nights of Friday and Saturday.
    pub weekend: Wall,
    /// Bedtime of a holiday's night, whatever the day.
    pub holiday: Wall,
    /// When gaming and screen devices wake.
    pub wake: Wall,
    /// When guests and newcomers wake.
    pub wake_guests: Wall,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            weekday: Wall::new(21, 30),
            weekend: Wall::new(23, 0),
            holiday: Wall::new(23, 0),
            wake: Wall::new(10, 0),
            wake_guests: Wall::new(7, 0),
        }
    }
}

/// Hours that differ from the house's; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Hours {
    /// Bedtime of the nights of Sunday to Thursday.
    pub weekday: Option<Wall>,
    /// Bedtime of the nights of Friday and Saturday.
    pub weekend: Option<Wall>,
    /// Bedtime of a holiday's night.
    pub holiday: Option<Wall>,
    /// Waking.
    pub wake: Option<Wall>,
}

/// Warnings, then streaming off, then everything.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct WindDown {
    /// How long before bedtime a warning is sent; none if empty.
    pub warn: Vec<Period>,
    /// How long before bedtime streaming ends; `0s` lets it end with everything else.
    pub streaming_off: Period,
    /// Channels of notify that warnings always go to, such as the child's phone or a speaker in the room.
    pub channels: Vec<String>,
}

impl Default for WindDown {
    fn default() -> Self {
        let warn = vec![Period::mins(30), Period::mins(15), Period::mins(5)];
        Self { warn, streaming_off: Period::mins(15), channels: Vec::new() }
    }
}

/// Services by the names that firewall knows. A curfew takes all of them from a device of tier `screen`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Services {
    /// Off during homework and curfew.
    pub gaming: Vec<String>,
    /// Off during homework and curfew.
    pub social: Vec<String>,
    /// Off during homework and curfew, and before bedtime.
    pub streaming: Vec<String>,
}

impl Default for Services {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            gaming: list(&["roblox", "fortnite", "minecraft", "steam", "xbox", "playstation", "nintendo"]),
            social: list(&["tiktok", "instagram", "snapchat", "facebook", "twitter", "discord", "reddit"]),
            streaming: list(&["youtube", "netflix", "disney", "primevideo", "twitch", "hulu"]),
        }
    }
}

/// Gaming, social and streaming are off for a while; a console is off altogether.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Homework {
    /// After so long it ends by itself.
    pub length: Period,
    /// Services that stay open all the same, by name.
    pub allow: Vec<String>,
}

impl Default for Homework {
    fn default() -> Self {
        Self { length: Period::hours(2), allow: Vec::new() }
    }
}

/// Earned during the day, spent on that evening's bedtime, gone the next day.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Credits {
    /// What earns how much, in whole minutes.
    pub presets: BTreeMap<String, Period>,
    /// The most one person can earn in a day.
    pub cap: Period,
}

impl Default for Credits {
    fn default() -> Self {
        let presets = ["chores", "homework", "reading", "exercise"];
        Self {
            presets: presets.iter().map(|name| ((*name).to_owned(), Period::mins(30))).collect(),
            cap: Period::mins(90),
        }
    }
}

/// Minutes a day, counted from the router's bytes and not from anybody's sign-in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Limits {
    /// For a person: one pool over all of their gaming and screen devices.
    pub person: BTreeMap<String, Period>,
    /// For a device.
    pub device: BTreeMap<String, Period>,
    /// A minute counts if at least so many bytes passed in it: a sleeping console chatters too.
    pub active_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { person: BTreeMap::new(), device: BTreeMap::new(), active_bytes: 250_000 }
    }
}

/// Days off, from a list and from calendars.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Holidays {
    /// Days, such as `2026-12-25`, or first and last day, such as `2026-12-19..2027-01-03`.
    pub dates: Vec<Days>,
    /// iCalendar files, relative to the house's home; `sanctum screen holidays import FILE` needs no line here.
    pub calendars: Vec<String>,
    /// Which night a holiday frees: the one that begins on it, or the one before it.
    pub nights: HolidayNights,
}

/// The door for strangers, by the guests' hours.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Newcomers {
    /// Outside the curfew: `allow`, `block` or `quarantine`.
    pub day: Door,
    /// During it: `block` lifts by itself at the guests' wake-up, `quarantine` waits for a person.
    pub night: Door,
}

impl Default for Newcomers {
    fn default() -> Self {
        Self { day: Door::Allow, night: Door::Block }
    }
}

/// A device that comes after the first look and that nobody has named follows the house's rules as a guest.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Guests {
    /// How long an approval lasts.
    pub pass: Period,
}

impl Default for Guests {
    fn default() -> Self {
        Self { pass: Period::hours(24) }
    }
}

/// Bedtimes kept, overrides, credits, guests and violations, once a week.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Digest {
    /// `false` sends none.
    pub enabled: bool,
    pub day: Weekday,
    pub at: Wall,
}

impl Default for Digest {
    fn default() -> Self {
        Self { enabled: true, day: Weekday::Sunday, at: Wall::new(18, 0) }
    }
}
