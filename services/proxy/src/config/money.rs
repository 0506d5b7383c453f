//! An amount of US dollars as a person writes it.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::kinds::Nano;

/// Written in quotes, so that `0.10` is ten cents exactly: `"2.00"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dollars(pub Nano);

impl std::str::FromStr for Dollars {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is not an amount of US dollars, such as `\"2.00\"`");
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 9 || whole.len() > 9 {
            return Err(refuse());
        }
        let whole: u64 = whole.parse().map_err(|_| refuse())?;
        let nanos: u64 = format!("{part:0<9}").parse().map_err(|_| refuse())?;
        Ok(Self(Nano(whole * 1_000_000_000 + nanos)))
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Dollars;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount of US dollars in quotes, such as `\"2.00\"`")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Dollars, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl schemars::JsonSchema for Dollars {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dollars".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "title": "an amount of US dollars", "examples": ["2.00"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_are_exact_and_nonsense_is_refused() {
        for (text, nanos) in
            [("2.00", 2_000_000_000), ("0.1", 100_000_000), ("5", 5_000_000_000), ("0.000000001", 1)]
        {
            assert_eq!(text.parse::<Dollars>().unwrap().0, Nano(nanos), "{text}");
        }
        for text in ["", "-1", "1e9", "2,00", "1.", ".5", "0.0000000001", "$2"] {
            assert!(text.parse::<Dollars>().is_err(), "{text}");
        }
    }
}
