//! A size in bytes with its unit.

use std::fmt;
use std::str::FromStr;

/// A whole number and a unit: `512B`, `64KiB`, `8MiB`, `1GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

const UNITS: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a size: a whole number and a unit, one of `B`, `KiB`, `MiB`, `GiB`, such as `8MiB`")]
pub struct NotASize(String);

impl Size {
    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }
}

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let refuse = || NotASize(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| refuse())?;
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).ok_or_else(refuse)?;
        number.checked_mul(*scale).map(Self).ok_or_else(refuse)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let best = UNITS.iter().rev().find(|(_, scale)| self.0 != 0 && self.0.is_multiple_of(*scale));
        let (unit, scale) = best.copied().unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / scale)
    }
}

super::text!(Size, "Size", "a size: a whole number and `B`, `KiB`, `MiB` or `GiB`", "8MiB");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["0B", "512B", "64KiB", "8MiB", "3GiB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for text in ["", "8", "8MB", "-1B", "99999999999GiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
