//! A time of day as a clock on the wall shows it.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;

/// Hours and minutes, `HH:MM`, from `00:00` to `23:59`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(Time);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a time of day: `HH:MM`, from `00:00` to `23:59`")]
pub struct NotAWall(String);

impl Wall {
    pub const fn new(hour: i8, minute: i8) -> Self {
        Self(Time::constant(hour, minute, 0, 0))
    }

    pub const fn time(self) -> Time {
        self.0
    }
}

impl FromStr for Wall {
    type Err = NotAWall;

    fn from_str(text: &str) -> Result<Self, NotAWall> {
        let refuse = || NotAWall(text.to_owned());
        let (hour, minute) = text.split_once(':').ok_or_else(refuse)?;
        if minute.len() != 2 || hour.is_empty() || hour.len() > 2 {
            return Err(refuse());
        }
        let number =
            |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i8>().ok()).flatten();
        let (hour, minute) = number(hour).zip(number(minute)).ok_or_else(refuse)?;
        Time::new(hour, minute, 0, 0).map(Self).map_err(|_| refuse())
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

super::text!(Wall, "Wall", "a time of day, `HH:MM`", "21:30");
