//! Who asks, and what that makes of the words.

use sanctum_api::memory::{Class, Origin};

/// Who asks. The service makes it from the token and the agent that is named; nothing in a body of a request can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// For people and for the history: `cli`, `claude`, `consolidation`.
    pub(crate) name: String,
    pub(crate) origin: Origin,
    /// The agent it speaks for: its own inbox is its own.
    pub(crate) agent: Option<String>,
    /// Whether it may see notes of health and money.
    pub(crate) private: bool,
}

/// Callers whose token is a person's.
const PEOPLE: &[&str] = &["cli", "dashboard", "browser"];

impl Who {
    /// By the name on a token, and the agent it says it speaks for: a person's token in the hands of an agent makes no
    /// owner of it.
    pub(crate) fn caller(name: &str, agent: Option<&str>) -> Self {
        let agent = agent.map(str::trim).filter(|agent| !agent.is_empty()).map(str::to_owned);
        let origin = if PEOPLE.contains(&name) && agent.is_none() { Origin::Owner } else { Origin::Agent };
        Self { name: agent.clone().unwrap_or_else(|| name.to_owned()), origin, agent, private: true }
    }

    /// The house itself, such as `consolidation`.
    pub(crate) fn house(name: &str) -> Self {
        Self { name: name.to_owned(), origin: Origin::System, agent: None, private: true }
    }

    /// Somebody with a text editor.
    pub(crate) fn hand() -> Self {
        Self { name: "hand".to_owned(), origin: Origin::Owner, agent: None, private: true }
    }

    /// The same, but what is private stays out: the answer leaves the house.
    pub(crate) fn outside(mut self) -> Self {
        self.private = false;
        self
    }

    pub(crate) fn may_see(&self, class: Class) -> bool {
        self.private || class == Class::General
    }
}
