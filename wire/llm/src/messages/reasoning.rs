//! How much to think, in Anthropic's words.

use super::{model, request_out::Out};
use crate::{
    Choice, Effort, Malformed, Part, Raw, Reasoning, Role, Turn, effort,
    extra::{self, Losses},
    json::Object,
    read::{At, Fields},
};

type Extra = Vec<(String, Raw)>;

/// Anthropic's least budget.
const LEAST: u64 = 1024;

pub(super) fn read(
    fields: &mut Fields<'_>,
    at: &At<'_>,
    extra: &mut Extra,
) -> Result<Option<Reasoning>, Malformed> {
    let mut reasoning = Reasoning::default();
    let mut told = false;
    let place = at.field("thinking");
    if let Some(raw) = fields.take("thinking") {
        let mut thinking = Fields::of(raw, &place)?;
        match &*thinking.need("type", &place)? {
            "enabled" => {
                reasoning.enabled = Some(true);
                let budget = thinking.count("budget_tokens", &place, 1)?;
                let missing =
                    || place.field("budget_tokens").wrong("is missing; a whole number of tokens is needed");
                reasoning.budget = Some(budget.ok_or_else(missing)?);
            }
            "adaptive" => {
                reasoning.enabled = Some(true);
                reasoning.adaptive = true;
            }
            "disabled" => reasoning.enabled = Some(false),
            kind => {
                let allowed = "one of `enabled`, `adaptive`, `disabled`";
                return Err(place.field("type").wrong(format!("`{kind}` is not {allowed}")));
            }
        }
        reasoning.summary = thinking.owned("display", &place)?;
        thinking.rest_inside(&place, 0, extra);
        told = true;
    }
    let config = at.field("output_config");
    if let Some(mut given) = fields.object("output_config", at)? {
        given.take("format");
        if let Some(raw) = given.take("effort") {
            let word = serde_json::from_str::<&str>(raw.get()).ok();
            reasoning.effort = word.and_then(effort::from_word);
            told |= reasoning.effort.is_some();
            // What the neutral form says in other words, or not at all, is kept as it was.
            if reasoning.effort.map(word_of) != word {
                extra.push(("/output_config/effort".to_owned(), raw.to_owned()));
            }
        }
        given.rest_inside(&config, 0, extra);
    }
    Ok(told.then_some(reasoning))
}

/// Anthropic's efforts are low, medium, high and max.
fn word_of(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "max",
    }
}

/// What is to be written: the thinking, the effort, and the most tokens that this leaves room for.
#[derive(Debug, Default)]
pub(super) struct Plan {
    thinking: Option<Thinking>,
    effort: Option<Effort>,
    pub(super) max_tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thinking {
    Enabled(u64),
    Adaptive,
    Disabled,
}

impl Plan {
    /// As the client said where it speaks this dialect; otherwise what the model takes.
    pub(super) fn of(out: &mut Out<'_>) -> Self {
        let request = out.request;
        let said = request.max_tokens;
        let most = said.unwrap_or_else(|| model::max_tokens(&request.model));
        let mut plan = Self { max_tokens: most, ..Self::default() };
        let Some(reasoning) = &request.reasoning else { return plan };
        if out.same {
            plan.effort = reasoning.effort;
            plan.thinking = match (reasoning.enabled, reasoning.adaptive, reasoning.budget) {
                (Some(false), ..) => Some(Thinking::Disabled),
                (_, true, _) => Some(Thinking::Adaptive),
                (Some(true), _, budget) => Some(Thinking::Enabled(budget.unwrap_or(LEAST))),
                (None, ..) => None,
            };
            return plan;
        }
        if matches!(reasoning.enabled, Some(false)) || reasoning.effort == Some(Effort::None) {
            return plan;
        }
        if matches!(request.choice, Some(Choice::Required | Choice::Named(_))) {
            out.losses.dropped("reasoning, because a tool must be called");
            return plan;
        }
        if model::adaptive(&request.model) {
            plan.thinking = Some(Thinking::Adaptive);
            plan.effort = reasoning.effort.or_else(|| reasoning.budget.map(effort::of_budget));
            if let Some(budget) = reasoning.budget {
                out.losses.became("reasoning.budget", format!("{budget} tokens as an effort"));
            }
            return plan;
        }
        plan.budget(reasoning, said, &request.turns, &mut out.losses);
        plan
    }

    fn budget(&mut self, reasoning: &Reasoning, said: Option<u64>, turns: &[Turn], losses: &mut Losses) {
        let wanted = reasoning
            .budget
            .unwrap_or_else(|| effort::budget(reasoning.effort.unwrap_or(Effort::Medium)))
            .max(LEAST);
        if in_the_middle(turns) {
            losses.dropped("reasoning, because the thoughts before the last tool calls are missing");
            return;
        }
        let budget = match said {
            // Where nobody said how long the answer may be there is room for both.
            None => {
                self.max_tokens = self.max_tokens.saturating_add(wanted);
                wanted
            }
            Some(most) if most > LEAST => wanted.min(most - 1),
            Some(_) => {
                losses.dropped("reasoning, because max_tokens leaves no room for it");
                return;
            }
        };
        if budget < wanted {
            losses.became("reasoning.budget", format!("clamped to {budget}"));
        }
        self.thinking = Some(Thinking::Enabled(budget));
    }

    /// With thinking on, Anthropic takes no other temperature than 1.
    pub(super) fn thinks(&self) -> bool {
        matches!(self.thinking, Some(Thinking::Enabled(_) | Thinking::Adaptive))
    }

    pub(super) fn write(&self, out: &mut Out<'_>, object: &mut Object<'_>) {
        let request = out.request;
        let display = request.reasoning.as_ref().and_then(|reasoning| reasoning.summary.as_deref());
        if let Some(thinking) = self.thinking {
            let mut said = object.object("thinking");
            match thinking {
                Thinking::Enabled(budget) => said.string("type", "enabled").count("budget_tokens", budget),
                Thinking::Adaptive => said.string("type", "adaptive"),
                Thinking::Disabled => said.string("type", "disabled"),
            };
            if out.same {
                said.maybe("display", display);
                said.fields(extra::under(&request.extra, "/thinking"));
            }
        }
        let kept = || extra::under(&request.extra, "/output_config").filter(|_| out.same);
        let other = kept().any(|(name, _)| name == "effort");
        if self.effort.is_none() && request.format.is_none() && kept().next().is_none() {
            return;
        }
        let mut config = object.object("output_config");
        if let Some(effort) = self.effort.filter(|_| !other) {
            config.string("effort", word_of(effort));
        }
        if let Some(crate::Format::JsonSchema { schema, .. }) = &request.format {
            let mut format = config.object("format");
            format.string("type", "json_schema").raw("schema", schema.get());
            if out.same {
                format.fields(extra::under(&request.extra, "/output_config/format"));
            }
        }
        config.fields(kept());
    }
}

/// Whether the last assistant's turn called tools without the signed thoughts that Anthropic wants before them ("expected
/// `thinking` or `redacted_thinking`, but found `tool_use`").
fn in_the_middle(turns: &[Turn]) -> bool {
    let Some(last) = turns.iter().rev().find(|turn| turn.role == Role::Assistant) else { return false };
    let calls = last.parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let signed = last
        .parts
        .iter()
        .any(|part| matches!(part, Part::Thinking { signature: Some(_), .. } | Part::Redacted { .. }));
    calls && !signed
}
