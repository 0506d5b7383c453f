//! One sentence on the state of the house: a pure function that never says well of what could not be asked.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::firewall::{Device, Standing, Verdict};
use sanctum_api::notify::{Banner, Severity};
use sanctum_api::screen;
use sanctum_api::supervise::Phase;
use sanctum_kernel::{Applied, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Asked;
use crate::overview::{Tile, Tonight, Watched};
use crate::words::{clock, count, list};

/// How many things are named before the rest is counted.
const NAMED: usize = 3;

/// How the house is, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sentence {
    pub tone: Tone,
    /// `All is well`, `2 things need you`, `Not all is known`.
    pub head: String,
    /// The rest of the sentence, with its full stop.
    pub rest: String,
    /// What needs a person, most urgent first.
    pub needs: Vec<String>,
    /// What could not be asked or looked at.
    pub unknown: Vec<String>,
}

/// The colour of the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    Well,
    /// Nobody needs to act, and yet something does less than it should.
    Quiet,
    Unknown,
    Needs,
}

/// What the sentence is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) now: Timestamp,
    pub(crate) tz: &'a TimeZone,
    pub(crate) banners: &'a Asked<Vec<Banner>>,
    pub(crate) devices: &'a Asked<Vec<Device>>,
    pub(crate) tonight: &'a Tonight,
    pub(crate) services: &'a Watched,
}

impl std::fmt::Display for Sentence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.head, self.rest)
    }
}

/// Says how the house is.
pub(crate) fn say(facts: &Facts<'_>) -> Sentence {
    let needs = needs(facts);
    let unknown = unknown(facts);
    let lesser = lesser(&facts.services.tiles);
    let known = known(facts);
    let (tone, head, rest) = if !needs.is_empty() {
        let verb = if needs.len() == 1 { "needs" } else { "need" };
        (Tone::Needs, format!("{} {verb} you", count(needs.len(), "thing")), shortened(&needs, "; "))
    } else if !unknown.is_empty() {
        (Tone::Unknown, "Not all is known".to_owned(), list(&unknown))
    } else if !lesser.is_empty() {
        (Tone::Quiet, "Nothing needs you".to_owned(), join(list(&lesser), &known))
    } else {
        (Tone::Well, "All is well".to_owned(), known.join(", "))
    };
    let mut rest = format!("{rest}.");
    if tone == Tone::Needs && !unknown.is_empty() {
        rest = format!("{rest} Also not known: {}.", list(&unknown));
    }
    Sentence { tone, head, rest, needs, unknown }
}

fn join(first: String, others: &[String]) -> String {
    std::iter::once(first).chain(others.iter().cloned()).collect::<Vec<_>>().join(", ")
}

fn shortened(items: &[String], separator: &str) -> String {
    let named: Vec<_> = items.iter().take(NAMED).cloned().collect();
    match items.len().saturating_sub(NAMED) {
        0 => named.join(separator),
        more => format!("{}{separator}{more} more", named.join(separator)),
    }
}

fn needs(facts: &Facts<'_>) -> Vec<String> {
    let mut banners: Vec<&Banner> = facts.banners.items().iter().filter(|banner| needs_you(banner)).collect();
    banners.sort_by_key(|banner| std::cmp::Reverse(banner.severity));
    let mut needs: Vec<String> =
        banners.iter().map(|banner| banner.title.trim_end_matches('.').to_owned()).collect();
    for device in facts.devices.items() {
        match device.block.as_ref().map(|block| block.verdict) {
            Some(Verdict::Leaking) => needs.push(format!("{} is blocked and yet packets pass", device.name)),
            Some(Verdict::Missing) => {
                needs.push(format!("the block of {} is missing on the router", device.name));
            }
            _ => {}
        }
    }
    let waiting = facts.devices.items().iter().filter(|device| device.standing == Standing::Quarantined);
    needs.extend(waiting.map(|device| format!("{} waits for your approval", device.name)));
    if let Asked::Known(screen::Status { enforced: Applied::NotApplied, detail, .. }) = &facts.tonight.status
    {
        let detail = detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        needs.push(format!("the rules of tonight are not in force{detail}"));
    }
    for tile in &facts.services.tiles {
        let name = &tile.house_name;
        match (tile.phase, tile.well) {
            (Some(Phase::Locked), _) => needs.push(format!("{name} is locked after too many failures")),
            (Some(Phase::BackingOff), _) => needs.push(format!("{name} keeps ending and is started again")),
            (Some(Phase::Failed), _) => needs.push(format!("{name} has failed")),
            (_, Some(Status::Unwell)) => needs.push(format!("{name} is not well")),
            _ => {}
        }
    }
    needs
}

fn needs_you(banner: &Banner) -> bool {
    banner.acked.is_none() && (banner.severity >= Severity::Warn || banner.undelivered)
}

/// What does less than it should without anybody having to act.
fn lesser(tiles: &[Tile]) -> Vec<String> {
    let said = |tile: &Tile| match (tile.phase, tile.well) {
        (Some(Phase::Stopped | Phase::Stopping), _) => Some("is stopped"),
        (Some(Phase::Waiting | Phase::Starting), _) => Some("is starting"),
        (_, Some(Status::Degraded)) => Some("does with less than it should"),
        (None, Some(_)) if !tile.ready => Some("is starting"),
        _ => None,
    };
    tiles.iter().filter_map(|tile| said(tile).map(|said| format!("{} {said}", tile.house_name))).collect()
}

fn unknown(facts: &Facts<'_>) -> Vec<String> {
    let mut unknown = Vec::new();
    let mut ask = |known: bool, service: &str| {
        if !known {
            unknown.push(format!("{service} could not be asked"));
        }
    };
    ask(facts.banners.is_known(), "notify");
    ask(facts.devices.is_known(), "firewall");
    ask(facts.tonight.status.is_known() && facts.tonight.schedule.is_known(), "screen");
    for tile in &facts.services.tiles {
        let silent = tile.well.is_none() && matches!(tile.phase, None | Some(Phase::Ready));
        // What is said above under its plain name is not said again.
        let said = matches!(tile.name.as_str(), "notify" | "firewall" | "screen")
            && unknown.iter().any(|said| said.starts_with(&tile.name));
        if silent && !said {
            unknown.push(format!("the health of {} could not be asked", tile.house_name));
        }
    }
    if facts.services.tiles.is_empty() {
        unknown.push("no service could be asked".to_owned());
    }
    let unseen =
        |device: &&Device| device.block.as_ref().is_some_and(|block| block.verdict == Verdict::Unknown);
    unknown.extend(
        facts
            .devices
            .items()
            .iter()
            .filter(unseen)
            .map(|device| format!("the block of {} could not be looked at", device.name)),
    );
    if let Asked::Known(screen::Status { enforced: Applied::Unknown, .. }) = &facts.tonight.status {
        unknown.push("whether the rules of tonight are in force cannot be told".to_owned());
    }
    unknown
}

fn known(facts: &Facts<'_>) -> Vec<String> {
    let mut known = vec![count(facts.services.tiles.len(), "service")];
    let online = facts.devices.items().iter().filter(|device| device.online).count();
    known.push(if online == 0 {
        "no device online".to_owned()
    } else {
        format!("{} online", count(online, "device"))
    });
    known.extend(curfew(facts));
    known
}

/// `curfew until 10:00` while something is blocked, `curfew at 21:30` before.
fn curfew(facts: &Facts<'_>) -> Option<String> {
    let stretches = facts.tonight.schedule.items().iter().filter(|stretch| stretch.blocked.is_some());
    let time = |at| clock(at, facts.now, facts.tz);
    let running = stretches.clone().filter(|stretch| stretch.from <= facts.now && facts.now < stretch.to);
    if let Some(end) = running.map(|stretch| stretch.to).max() {
        return Some(format!("curfew until {}", time(end)));
    }
    let next = stretches.filter(|stretch| stretch.from > facts.now).map(|stretch| stretch.from).min();
    next.map(|start| format!("curfew at {}", time(start)))
}
