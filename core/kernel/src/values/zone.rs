//! An IANA time zone.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

/// A name from the IANA database, such as `America/Toronto`.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

#[derive(Debug, thiserror::Error)]
#[error("there is no time zone `{0}`: use a name of the IANA database, such as `Europe/Paris`")]
pub struct NoZone(String);

impl Zone {
    pub const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The machine's own zone, or UTC if it does not say.
    pub fn system() -> Self {
        Self(TimeZone::try_system().ok().filter(|zone| zone.iana_name().is_some()).unwrap_or(TimeZone::UTC))
    }

    pub fn tz(&self) -> TimeZone {
        self.0.clone()
    }
}

impl FromStr for Zone {
    type Err = NoZone;

    fn from_str(text: &str) -> Result<Self, NoZone> {
        if text == "UTC" {
            return Ok(Self::utc());
        }
        at_its_place(text)
            .map_or_else(|| TimeZone::get(text), Ok)
            .map(Self)
            .map_err(|_| NoZone(text.to_owned()))
    }
}

/// The zone's own file of the system, if it has one under just this name: every process reads one zone, and a search through the
/// whole database costs more than all the rest of the configuration.
#[cfg(target_os = "linux")]
fn at_its_place(name: &str) -> Option<TimeZone> {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
    };
    // Whoever names another database means that one.
    if std::env::var_os("TZDIR").is_some() || !name.contains('/') || !name.split('/').all(plain) {
        return None;
    }
    let data = std::fs::read(std::path::Path::new("/usr/share/zoneinfo").join(name)).ok()?;
    TimeZone::tzif(name, &data).ok()
}

/// Names are not told apart by their letters' case in every file system.
#[cfg(not(target_os = "linux"))]
const fn at_its_place(_: &str) -> Option<TimeZone> {
    None
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

super::text!(Zone, "Zone", "an IANA time zone", "Europe/Paris");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_the_same_whichever_way_it_was_found() {
        for name in ["Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "UTC"] {
            let zone: Zone = name.parse().unwrap();
            assert_eq!((zone.to_string().as_str(), zone.tz()), (name, TimeZone::get(name).unwrap()));
        }
        for name in ["europe/paris", "EUROPE/Paris"] {
            assert_eq!(name.parse::<Zone>().unwrap().to_string(), "Europe/Paris");
        }
        for name in [
            "../../../etc/passwd",
            "/etc/localtime",
            "Europe",
            "Europe/",
            "Europe//Paris",
            "Europe/Nowhere",
            "",
        ] {
            assert!(name.parse::<Zone>().is_err(), "{name}");
        }
    }
}
