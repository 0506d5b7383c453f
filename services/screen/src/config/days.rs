//! A day or a range of days, both ends included.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::Deserialize;

/// `2026-12-25`, or `2026-12-19..2027-01-03`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    pub first: Date,
    pub last: Date,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a day or a range of days: write `2026-12-25`, or `2026-12-19..2027-01-03` with the earlier day first"
)]
pub struct NotDays(String);

impl Days {
    /// Every day of the range.
    pub fn iter(self) -> impl Iterator<Item = Date> + use<> {
        let last = self.last;
        self.first.series(jiff::Span::new().days(1)).take_while(move |day| *day <= last)
    }
}

impl FromStr for Days {
    type Err = NotDays;

    fn from_str(text: &str) -> Result<Self, NotDays> {
        let refuse = || NotDays(text.to_owned());
        let date = |text: &str| text.trim().parse::<Date>().map_err(|_| refuse());
        let (first, last) = match text.split_once("..") {
            Some((first, last)) => (date(first)?, date(last)?),
            None => (date(text)?, date(text)?),
        };
        if first > last { Err(refuse()) } else { Ok(Self { first, last }) }
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}..{}", self.first, self.last) }
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Days {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Days".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "a day, or the first and the last", "examples": ["2026-12-19..2027-01-03"] })
    }
}

#[cfg(test)]
mod tests {
    use super::Days;

    #[test]
    fn days_are_read_or_refused() {
        let count = |text: &str| text.parse::<Days>().map(|days| days.iter().count()).ok();
        let cases = [
            ("2026-12-25", Some(1)),
            ("2026-12-31..2027-01-02", Some(3)),
            ("2027-01-02..2026-12-31", None),
            ("2026-02-30", None),
            ("christmas", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(count(text), expected, "{text}");
        }
    }
}
