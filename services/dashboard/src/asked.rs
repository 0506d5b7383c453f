//! An answer, or why there is none: what is unknown is never shown as well.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of asking another service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Asked<T> {
    /// Its answer.
    Known(T),
    /// Why there is none, for people.
    Unknown(String),
}

impl<T> Asked<T> {
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(answer) => Some(answer),
            Self::Unknown(_) => None,
        }
    }

    pub const fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }
}

impl<T> Asked<Vec<T>> {
    /// The answer's items; none if there is no answer, so a caller who shows them must say that too.
    pub fn items(&self) -> &[T] {
        self.known().map_or(&[], Vec::as_slice)
    }
}
