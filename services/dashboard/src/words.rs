//! Times and names as people say them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::firewall::{Scope, Verdict};
use sanctum_kernel::House;
use sanctum_kernel::house::DeviceTier;

/// `02:47`, with the day of the week where it is not clear which 02:47 is meant.
pub(crate) fn clock(at: Timestamp, now: Timestamp, tz: &TimeZone) -> String {
    let near = at.duration_since(now).abs() < jiff::SignedDuration::from_hours(20);
    let format = if near { "%H:%M" } else { "%a %H:%M" };
    at.to_zoned(tz.clone()).strftime(format).to_string()
}

/// `02:47:13.204`.
pub(crate) fn precise(at: Timestamp, tz: &TimeZone) -> String {
    at.to_zoned(tz.clone()).strftime("%H:%M:%S%.3f").to_string()
}

/// `312 ms`, `13.5 s`: what a person can still compare at a glance.
pub(crate) fn lapse(ms: i64) -> String {
    match ms {
        ..10_000 => format!("{ms} ms"),
        10_000..120_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min", ms / 60_000),
    }
}

/// `1 thing`, `2 things`.
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// With a capital first letter.
pub(crate) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// What people call whoever the config knows under this short name.
pub(crate) fn person<'h>(house: &'h House, short: &'h str) -> &'h str {
    house.person.get(short).and_then(|person| person.name.as_deref()).unwrap_or(short)
}

pub(crate) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proven => "proven",
        Verdict::Applied => "in force, untested",
        Verdict::Leaking => "leaking",
        Verdict::Missing => "missing",
        Verdict::Unknown => "unknown",
    }
}

pub(crate) const fn tier(tier: DeviceTier) -> &'static str {
    match tier {
        DeviceTier::Personal => "personal",
        DeviceTier::Gaming => "gaming",
        DeviceTier::Screen => "screen",
        DeviceTier::Guest => "guest",
        DeviceTier::Exempt => "exempt",
    }
}

/// `blocked`, or what is.
pub(crate) fn scope(scope: &Scope) -> String {
    match scope {
        Scope::All => "blocked".to_owned(),
        Scope::Services(services) if services.len() > 3 => format!("{} services blocked", services.len()),
        Scope::Services(services) => format!("{} blocked", list(services)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_well() {
        let list = |items: &[&str]| list(&items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>());
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(count(1, "device"), "1 device");
        assert_eq!(count(0, "device"), "0 devices");
        assert_eq!(capital("élan"), "Élan");
        let services = |number| scope(&Scope::Services((0..number).map(|n| format!("s{n}")).collect()));
        assert_eq!([services(2), services(20)], ["s0 and s1 blocked", "20 services blocked"]);
        assert_eq!([lapse(312), lapse(13_476), lapse(300_000)], ["312 ms", "13.4 s", "5 min"]);
    }

    #[test]
    fn far_times_say_their_day() {
        let now: Timestamp = "2026-11-21T01:47:00Z".parse().unwrap();
        let tz = TimeZone::get("Europe/Paris").unwrap();
        let in_hours = |hours| clock(now + jiff::SignedDuration::from_hours(hours), now, &tz);
        assert_eq!(in_hours(7), "09:47");
        assert_eq!(in_hours(30), "Sun 08:47");
    }
}
