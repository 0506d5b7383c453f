//! What is wrong with a section although every word of it can be read.

use jiff::civil::date;
use jiff::tz::TimeZone;
use sanctum_kernel::{Complaint, House, Period, Wall};

use super::{Config, Hours};
use crate::engine::{Hours as Resolved, Night, NightKind};

/// A longer curfew is a slip of the pen: a morning written for an evening.
const LONGEST_HOURS: i64 = 18;

const KINDS: [(NightKind, &str); 3] =
    [(NightKind::Weekday, "weekday"), (NightKind::Weekend, "weekend"), (NightKind::Holiday, "holiday")];

/// Every complaint, each with its path.
pub(crate) fn check(config: &Config, house: &House) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let base = hours(config, None, None, config.schedule.wake);
    windows(&["schedule"], base, &mut complaints);
    let guests = Resolved { wake: config.schedule.wake_guests, ..base };
    if complaints.is_empty() {
        windows_until(&["schedule", "wake-guests"], guests, &mut complaints);
    }
    names(config, house, &mut complaints);
    for (name, own) in &config.person {
        windows(&["person", name], hours(config, Some(own), None, config.schedule.wake), &mut complaints);
    }
    for (name, own) in &config.device {
        let owner = house
            .device
            .get(name)
            .and_then(|device| device.owner.as_ref())
            .and_then(|owner| config.person.get(owner));
        windows(&["device", name], hours(config, owner, Some(own), config.schedule.wake), &mut complaints);
    }
    lengths(config, &mut complaints);
    complaints
}

/// The hours of a device: its own over its owner's over the house's.
pub(crate) fn hours(config: &Config, person: Option<&Hours>, device: Option<&Hours>, wake: Wall) -> Resolved {
    let pick = |of: fn(&Hours) -> Option<Wall>, house: Wall| {
        device.and_then(of).or_else(|| person.and_then(of)).unwrap_or(house)
    };
    Resolved {
        weekday: pick(|hours| hours.weekday, config.schedule.weekday),
        weekend: pick(|hours| hours.weekend, config.schedule.weekend),
        holiday: pick(|hours| hours.holiday, config.schedule.holiday),
        wake: pick(|hours| hours.wake, wake),
    }
}

fn windows(path: &[&str], hours: Resolved, complaints: &mut Vec<Complaint>) {
    for (kind, key) in KINDS {
        let path: Vec<&str> = path.iter().copied().chain([key]).collect();
        complaints.extend(window(&path, hours, kind));
    }
}

fn windows_until(path: &[&str], hours: Resolved, complaints: &mut Vec<Complaint>) {
    complaints.extend(KINDS.iter().find_map(|(kind, _)| window(path, hours, *kind)));
}

fn window(path: &[&str], hours: Resolved, kind: NightKind) -> Option<Complaint> {
    let (bedtime, wake) = (hours.bedtime(kind), hours.wake);
    if bedtime == wake {
        let message =
            format!("the {} curfew would begin and end at {bedtime}, which is no time at all", kind.word());
        return Some(Complaint::new(path, message).hint("write a bedtime and a wake-up that differ"));
    }
    let night = Night::of(&hours, kind, date(2026, 6, 1), &TimeZone::UTC);
    let length = night.unlock.duration_since(night.lock).as_hours();
    (length >= LONGEST_HOURS).then(|| {
        let message =
            format!("the {} curfew from {bedtime} to {wake} would last {length} hours", kind.word());
        Complaint::new(path, message)
            .hint("bedtimes are evenings, such as `21:30`, or past midnight, such as `00:30`")
    })
}

fn names(config: &Config, house: &House, complaints: &mut Vec<Complaint>) {
    let known = |names: Vec<&String>| {
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        if names.is_empty() {
            "there is none in this file".to_owned()
        } else {
            format!("known: {}", names.join(", "))
        }
    };
    let people = known(house.person.keys().collect());
    let devices = known(house.device.keys().collect());
    let mut unknown = |path: &[&str], what: &str, name: &str, there: bool, hint: &str| {
        if !there {
            complaints.push(Complaint::new(path, format!("there is no {what} `{name}`")).hint(hint));
        }
    };
    for name in config.person.keys() {
        unknown(&["person", name], "person", name, house.person.contains_key(name), &people);
    }
    for name in config.limits.person.keys() {
        unknown(&["limits", "person", name], "person", name, house.person.contains_key(name), &people);
    }
    for name in config.device.keys() {
        unknown(&["device", name], "device", name, house.device.contains_key(name), &devices);
    }
    for name in config.limits.device.keys() {
        unknown(&["limits", "device", name], "device", name, house.device.contains_key(name), &devices);
    }
}

/// Whether a period is whole minutes, and at least one.
fn whole_minutes(period: Period) -> bool {
    period.0 >= Period::mins(1).0 && period.0.as_millis().is_multiple_of(60_000)
}

fn lengths(config: &Config, complaints: &mut Vec<Complaint>) {
    let mut refuse = |path: &[&str], wrong: bool, message: String, hint: &str| {
        if wrong {
            complaints.push(Complaint::new(path, message).hint(hint));
        }
    };
    let (six_hours, a_day) = (Period::hours(6), Period::hours(24));
    for (at, warn) in config.wind_down.warn.iter().enumerate() {
        let wrong = !whole_minutes(*warn) || *warn > six_hours;
        let message = format!("a warning {warn} before bedtime is not possible");
        refuse(&["wind-down", "warn", &at.to_string()], wrong, message, "whole minutes, from `1m` to `6h`");
    }
    let streaming_off = config.wind_down.streaming_off;
    let message = format!("streaming would end {streaming_off} before bedtime");
    refuse(
        &["wind-down", "streaming-off"],
        streaming_off > six_hours,
        message,
        "at most `6h`, such as `15m`",
    );
    let length = config.homework.length;
    let message = format!("homework of {length} is not possible");
    refuse(
        &["homework", "length"],
        !whole_minutes(length) || length > a_day,
        message,
        "whole minutes, from `1m` to `24h`",
    );
    let cap = config.credits.cap;
    refuse(
        &["credits", "cap"],
        !whole_minutes(cap),
        format!("the cap must be whole minutes, not {cap}"),
        "such as `90m`",
    );
    for (name, worth) in &config.credits.presets {
        let message = format!("`{name}` must earn whole minutes, not {worth}");
        refuse(&["credits", "presets", name], !whole_minutes(*worth), message, "such as `30m`");
        let message = format!("the cap of {cap} a day is below the preset `{name}` of {worth}");
        refuse(&["credits", "cap"], *worth > cap, message, "raise the cap or lower the preset");
    }
    for (table, limits) in [("person", &config.limits.person), ("device", &config.limits.device)] {
        for (name, limit) in limits {
            let wrong = *limit > a_day || !(limit.0.is_zero() || whole_minutes(*limit));
            let message = format!("a limit of {limit} a day is not possible");
            refuse(&["limits", table, name], wrong, message, "whole minutes, up to `24h`");
        }
    }
    let pass = config.guests.pass;
    let message = format!("a pass of {pass} is over before it begins");
    refuse(&["guests", "pass"], pass < Period::mins(1), message, "such as `24h`");
}
