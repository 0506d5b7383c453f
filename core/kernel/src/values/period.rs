//! A length of time with its unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A whole number and a unit: `250ms`, `30s`, `5m`, `2h`, `7d`.
///
/// ```
/// use sanctum_kernel::Period;
/// let period: Period = "90s".parse()?;
/// assert_eq!(period, Period::secs(90));
/// assert!("90".parse::<Period>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a length of time: a whole number and a unit, one of `ms`, `s`, `m`, `h`, `d`, such as `30s`"
)]
pub struct NotAPeriod(String);

impl Period {
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub const fn mins(mins: u64) -> Self {
        Self::secs(mins * 60)
    }

    pub const fn hours(hours: u64) -> Self {
        Self::mins(hours * 60)
    }
}

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let refuse = || NotAPeriod(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| refuse())?;
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).ok_or_else(refuse)?;
        number.checked_mul(*scale).map(|ms| Self(Duration::from_millis(ms))).ok_or_else(refuse)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let best = UNITS.iter().rev().find(|(_, scale)| ms != 0 && ms % scale == 0);
        let (unit, scale) = best.copied().unwrap_or(("s", 1000));
        write!(f, "{}{unit}", ms / scale)
    }
}

super::text!(Period, "Period", "a length of time: a whole number and `ms`, `s`, `m`, `h` or `d`", "30s");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_without_a_unit_says_what_is_allowed() {
        let refused = "30".parse::<Period>().unwrap_err().to_string();
        assert!(refused.contains("`30`") && refused.contains("`ms`, `s`, `m`, `h`, `d`"), "{refused}");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_as_the_same(ms in 0_u64..10_000_000_000) {
            let period = Period(Duration::from_millis(ms));
            prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,20}") {
            text.parse::<Period>().ok();
        }
    }
}
