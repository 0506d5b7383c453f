//! How much to think, in the words of chat completions, and which models are OpenAI's own.

use crate::{Effort, Reasoning, Request, effort, extra::Losses, json::Object, read::Fields};

/// `reasoning_effort`; where only OpenRouter's `reasoning` object stands it is understood and also kept, because there is
/// more in it than this form holds.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<Reasoning> {
    if let Some(effort) = fields.peek_text("reasoning_effort").and_then(|word| effort::from_word(&word)) {
        fields.take("reasoning_effort");
        return Some(Reasoning {
            enabled: Some(effort != Effort::None),
            effort: Some(effort),
            ..Reasoning::default()
        });
    }
    let mut object = Fields::read(fields.peek("reasoning")?.get(), &crate::read::At::Root).ok()?;
    let at = crate::read::At::Root;
    let effort = object.text("effort", &at).ok()?.and_then(|word| effort::from_word(&word));
    let budget = object.count("max_tokens", &at, 0).ok()?;
    let enabled =
        object.flag("enabled", &at).ok()?.or((effort.is_some() || budget.is_some()).then_some(true));
    let enabled = if effort == Some(Effort::None) { Some(false) } else { enabled };
    Some(Reasoning { enabled, adaptive: false, effort, budget, summary: None })
}

/// Writes `reasoning_effort`. A budget becomes the nearest word.
pub(super) fn write(request: &Request, object: &mut Object<'_>, losses: &mut Losses) {
    let Some(reasoning) = &request.reasoning else { return };
    if reasoning.summary.is_some() {
        losses.dropped("reasoning.summary");
    }
    let Some(effort) = reasoning.as_effort() else { return };
    // "Unrecognized request argument supplied: reasoning_effort".
    if openai_own(&request.model) && !wants_completion_tokens(&request.model) {
        if effort != Effort::None {
            losses.dropped("reasoning, because this model does none");
        }
        return;
    }
    let (effort, word) = spoken(&request.model, effort);
    if let Some(budget) = reasoning.budget.filter(|_| effort != Effort::None) {
        losses.became("reasoning.budget", format!("{budget} tokens as the effort `{word}`"));
    } else if reasoning.enabled == Some(false) && effort != Effort::None {
        losses.became("reasoning.enabled", format!("the least effort of this model, `{word}`"));
    }
    object.string("reasoning_effort", word);
}

/// The first reasoning models know no `none`: o1, o3 and o4 begin at `low`, gpt-5 at `minimal`.
pub(crate) fn spoken(model: &str, effort: Effort) -> (Effort, &'static str) {
    let name = bare(model);
    let least = if is_o_series(name) {
        Effort::Low
    } else if name == "gpt-5"
        || ["gpt-5-mini", "gpt-5-nano", "gpt-5-20"].iter().any(|old| name.starts_with(old))
    {
        Effort::Minimal
    } else {
        Effort::None
    };
    let effort = effort.max(least);
    (effort, effort::word(effort))
}

fn bare(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

fn is_o_series(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next() == Some('o') && chars.next().is_some_and(|digit| digit.is_ascii_digit())
}

/// Whether the name is one of a model that OpenAI itself serves, whose API refuses fields it does not know.
pub fn openai_own(model: &str) -> bool {
    let name = bare(model);
    (name.starts_with("gpt-") && !name.starts_with("gpt-oss"))
        || name.starts_with("chatgpt-")
        || is_o_series(name)
}

/// Whether the model refuses `max_tokens`: OpenAI's reasoning models do ("use 'max_completion_tokens' instead"), while
/// many servers that imitate the API know nothing else.
pub fn wants_completion_tokens(model: &str) -> bool {
    let name = bare(model);
    let version =
        name.strip_prefix("gpt-").and_then(|rest| rest.chars().next()).and_then(|digit| digit.to_digit(10));
    is_o_series(name) || version.is_some_and(|version| version >= 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_known_by_name() {
        for (model, own, completion) in [
            ("gpt-4o-mini", true, false),
            ("openai/gpt-5.2", true, true),
            ("o3-mini", true, true),
            ("gpt-oss:20b", false, false),
            ("olmo-2", false, false),
            ("llama3.3", false, false),
            ("", false, false),
        ] {
            assert_eq!((openai_own(model), wants_completion_tokens(model)), (own, completion), "{model}");
        }
        assert_eq!(spoken("o3", Effort::None).1, "low");
        assert_eq!(spoken("gpt-5-mini", Effort::None).1, "minimal");
        assert_eq!(spoken("gpt-5.2", Effort::None).1, "none");
        assert_eq!(spoken("qwen3", Effort::Max).1, "xhigh");
    }
}
