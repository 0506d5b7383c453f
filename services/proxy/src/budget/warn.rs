//! When people are told that an agent's money runs out: once at four fifths, once when it is gone, each local day.

use jiff::civil::Date;

use super::book::Sums;
use super::error::Dollars;
use crate::kinds::Nano;

/// How far a cap is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 80 %.
    Near,
    /// 100 %, or so little is left that requests are refused.
    Gone,
}

impl Level {
    pub const fn percent(self) -> u8 {
        match self {
            Self::Near => 80,
            Self::Gone => 100,
        }
    }

    pub(crate) const fn of_percent(percent: u8) -> Option<Self> {
        match percent {
            80 => Some(Self::Near),
            100 => Some(Self::Gone),
            _ => None,
        }
    }
}

/// Something people should be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Empty for the house.
    pub agent: String,
    pub day: Date,
    pub level: Level,
    pub settled: Nano,
    pub cap: Nano,
}

impl Warning {
    pub fn title(&self) -> String {
        let whose =
            if self.agent.is_empty() { "the house".to_owned() } else { format!("agent `{}`", self.agent) };
        match self.level {
            Level::Near => format!("{whose} has spent 80 % of today's money"),
            Level::Gone => format!("{whose} has spent today's money"),
        }
    }

    pub fn message(&self) -> String {
        let (settled, cap) = (Dollars(self.settled), Dollars(self.cap));
        let then = match self.level {
            Level::Near => "Requests go on until the cap is reached.",
            Level::Gone => "Until local midnight only models that cost nothing answer.",
        };
        format!("{settled} of {cap} on {}. {then}", self.day)
    }

    /// The same for the same warning, so that it is shown once even if it is sent twice.
    pub fn dedup_key(&self) -> String {
        format!("proxy-budget:{}:{}:{}", self.agent, self.day, self.level.percent())
    }
}

/// Which levels a cap has reached. `refused`: a request was turned away today for want of this money; that counts as
/// gone once 95 % are spent, because the last cents of a cap fit no request.
pub(crate) fn reached(cap: Nano, sums: Sums, refused: bool) -> Option<Level> {
    let (cap, used) = (u128::from(cap.0), sums.settled);
    let percent = |percent: u128| used.saturating_mul(100) >= cap.saturating_mul(percent);
    // A cap of nothing is a rule and no news.
    if cap == 0 {
        None
    } else if percent(100) || (refused && percent(95)) {
        Some(Level::Gone)
    } else {
        percent(80).then_some(Level::Near)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_reached_by_what_was_really_spent() {
        let cap = Nano(2_000_000_000);
        let spent = |settled| Sums { settled, reserved: 2_000_000_000 };
        for (settled, refused, level) in [
            (0, true, None),
            (1_599_999_999, true, None),
            (1_600_000_000, false, Some(Level::Near)),
            (1_900_000_000, false, Some(Level::Near)),
            (1_900_000_000, true, Some(Level::Gone)),
            (2_000_000_000, false, Some(Level::Gone)),
            (2_500_000_000, false, Some(Level::Gone)),
        ] {
            assert_eq!(reached(cap, spent(settled), refused), level, "{settled} {refused}");
        }
        assert_eq!(reached(Nano(0), spent(0), true), None);
    }
}
