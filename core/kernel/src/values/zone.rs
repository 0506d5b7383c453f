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
        TimeZone::get(text).map(Self).map_err(|_| NoZone(text.to_owned()))
    }
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
