//! What a model's name tells about what it takes.

use crate::Effort;

/// A generation of Gemini, by name; what has no number counts as the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Generation {
    /// Up to 2.0, and Gemma: no thinking, and only the OpenAPI subset of JSON Schema.
    Old,
    /// 2.5: thinks in budgets.
    Budgets,
    /// 3 and later: thinks in levels, wants its signatures back, takes media in results of functions.
    Levels,
}

pub(super) fn generation(model: &str) -> Generation {
    let name = bare(model);
    if name.starts_with("gemma") || name.starts_with("learnlm") {
        return Generation::Old;
    }
    let version = name.strip_prefix("gemini-").unwrap_or_default();
    let number = version.split('-').next().unwrap_or_default();
    match number.parse::<f64>() {
        Ok(number) if number < 2.5 => Generation::Old,
        Ok(number) if number < 3.0 => Generation::Budgets,
        _ => Generation::Levels,
    }
}

/// Models of the Pro line cannot be kept from thinking.
pub(super) fn is_pro(model: &str) -> bool {
    bare(model).split('-').any(|word| word == "pro")
}

/// The budgets a model of 2.5 takes, after Google's guide to thinking: Pro 128 to 32,768, the others up to 24,576.
pub(super) fn budgets(model: &str) -> (u64, u64) {
    if is_pro(model) { (128, 32_768) } else { (0, 24_576) }
}

/// The level a model of 3 takes that is nearest to an effort: Pro begins at `low`, nothing goes beyond `high`.
pub(super) fn level(model: &str, effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal if is_pro(model) => "low",
        Effort::None | Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::Max => "high",
    }
}

/// The name without `models/` and without the house that offers it.
pub(super) fn bare(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_known_by_name() {
        for (model, expected) in [
            ("gemini-1.5-pro-002", Generation::Old),
            ("models/gemini-2.0-flash", Generation::Old),
            ("gemma-3-27b-it", Generation::Old),
            ("gemini-2.5-flash-lite", Generation::Budgets),
            ("google/gemini-3-pro-preview", Generation::Levels),
            ("gemini-3.1-pro", Generation::Levels),
            ("gemini-flash-latest", Generation::Levels),
            ("something", Generation::Levels),
        ] {
            assert_eq!(generation(model), expected, "{model}");
        }
        assert_eq!(level("gemini-3-pro", Effort::None), "low");
        assert_eq!(level("gemini-3-flash", Effort::Max), "high");
    }
}
