//! Where a cell of the routing table points: a role or a channel, and how loudly.

use std::fmt;
use std::str::FromStr;

/// How a message comes across on a channel that can tell the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manner {
    /// Shown without a sound.
    Silent,
    /// Shown with a sound.
    Sound,
    /// Through mute and focus, where the channel can.
    Critical,
    /// Spoken or sounded at reduced volume.
    Reduced,
}

impl Manner {
    pub const ALL: [Self; 4] = [Self::Silent, Self::Sound, Self::Critical, Self::Reduced];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Sound => "sound",
            Self::Critical => "critical",
            Self::Reduced => "reduced",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|manner| manner.word() == word)
    }
}

/// `phone:silent`, `dashboard`, `digest`: a role or the name of a channel, and after a colon the manner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub name: String,
    pub manner: Option<Manner>,
}

/// Instead of a role: kept for the morning's digest.
pub(crate) const DIGEST: &str = "digest";

#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a target: a role or a channel, optionally with `:silent`, `:sound`, `:critical` or `:reduced`, such as `phone:silent`; or `digest`"
)]
pub struct NotATarget(String);

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let (name, manner) = text.split_once(':').map_or((text, None), |(name, manner)| (name, Some(manner)));
        let manner =
            manner.map(|word| Manner::of(word).ok_or_else(|| NotATarget(text.to_owned()))).transpose()?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(NotATarget(text.to_owned()));
        }
        Ok(Self { name: name.to_owned(), manner })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.manner.map_or(Ok(()), |manner| write!(f, ":{}", manner.word()))
    }
}

impl<'de> serde::Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Target {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a role or a channel, optionally with `:silent`, `:sound`, `:critical` or `:reduced`; or `digest`",
            "examples": ["phone:silent"]
        })
    }
}
