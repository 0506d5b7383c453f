//! Reasoning said as words, said as tokens, and one in terms of the other.

use crate::{Dialect, Effort, Reasoning};

/// Google's own table of what OpenAI's words mean in tokens, from the documentation of Gemini's OpenAI compatibility:
/// minimal and low 1,024, medium 8,192, high 24,576. The most is 32,768, the highest budget of Gemini 2.5 Pro.
pub(crate) fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None => 0,
        Effort::Minimal | Effort::Low => 1_024,
        Effort::Medium => 8_192,
        Effort::High => 24_576,
        Effort::Max => 32_768,
    }
}

/// The word whose budget is nearest.
pub(crate) fn of_budget(budget: u64) -> Effort {
    match budget {
        0 => Effort::None,
        1..=4_608 => Effort::Low,
        4_609..=16_384 => Effort::Medium,
        _ => Effort::High,
    }
}

/// OpenAI's word.
pub(crate) fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::None => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "xhigh",
    }
}

/// OpenAI's and Anthropic's words.
pub(crate) fn from_word(word: &str) -> Option<Effort> {
    Some(match word {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" | "max" => Effort::Max,
        _ => return None,
    })
}

/// Every word [`from_word`] knows.
pub(crate) const WORDS: &str = "none, minimal, low, medium, high, xhigh or max";

impl Reasoning {
    /// As a word: the one that was said, or the one nearest to the budget; `None` leaves it to the provider.
    pub(crate) fn as_effort(&self) -> Option<Effort> {
        match (self.enabled, self.effort, self.budget) {
            (Some(false), ..) => Some(Effort::None),
            (_, Some(effort), _) => Some(effort),
            (_, None, Some(budget)) => Some(of_budget(budget)),
            (_, None, None) => None,
        }
    }

    /// Whether the client wants to read the reasoning. Anthropic's clients do unless they say `omitted`; the others ask.
    pub(crate) fn shown(&self, from: Dialect) -> bool {
        match self.summary.as_deref() {
            Some(word) => !matches!(word, "none" | "omitted" | "false"),
            None => {
                from == Dialect::Messages
                    && self.enabled != Some(false)
                    && (self.enabled == Some(true) || self.adaptive || self.budget.is_some())
            }
        }
    }
}
