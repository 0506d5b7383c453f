//! Marks for Anthropic's prompt cache: on tools, instructions and the last-but-one words of the user.
//!
//! A mark says "what stands before is worth keeping": writing costs a quarter more, reading a tenth
//! (docs.anthropic.com, "Prompt caching"). Nothing is re-ordered and nothing else changed.

use sanctum_llm::{Cache, Part, Request, Role, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Marks for prompt caches, for requests that have none of their own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Set them on requests to Anthropic.
    pub on: bool,
    /// Prompts shorter than this, in bytes, are not marked: the cache keeps none of less than 1,024 tokens.
    pub least: usize,
    /// Keep for an hour, at twice the price of reading instead of 1.25 times.
    pub hour: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { on: false, least: 4096, hour: false }
    }
}

/// Sets marks on a request that is going to Anthropic; says how many. None where the client has set its own.
pub fn before(config: &Config, request: &mut Request) -> usize {
    if !config.on || is_marked(request) || length(request) < config.least {
        return 0;
    }
    let mark = if config.hour { Cache::OneHour } else { Cache::Ephemeral };
    let mut marks = 0;
    let tool = request.tools.iter_mut().rev().find_map(|tool| match tool {
        Tool::Function { cache, .. } => Some(cache),
        Tool::Opaque { .. } => None,
    });
    if let Some(cache) = tool {
        *cache = Some(mark);
        marks += 1;
    }
    let system = request.turns.iter_mut().rev().find(|turn| turn.role == Role::System);
    if let Some(cache) = system.and_then(|turn| last(&mut turn.parts)) {
        *cache = Some(mark);
        marks += 1;
    }
    // The last-but-one was the last in the request before: that one is read, the last is written for the next.
    let users = request.turns.iter_mut().rev().filter(|turn| turn.role == Role::User).take(2);
    for turn in users {
        if let Some(cache) = last(&mut turn.parts) {
            *cache = Some(mark);
            marks += 1;
        }
    }
    marks
}

/// The place of a mark on the last part that can bear one; empty text cannot.
fn last(parts: &mut [Part]) -> Option<&mut Option<Cache>> {
    parts.iter_mut().rev().find_map(|part| match part {
        Part::Text { text, .. } if text.is_empty() => None,
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::Document { cache, .. }
        | Part::ToolCall { cache, .. }
        | Part::ToolResult { cache, .. } => Some(cache),
        _ => None,
    })
}

fn is_marked(request: &Request) -> bool {
    let tool = |tool: &Tool| match tool {
        Tool::Function { cache, .. } => cache.is_some(),
        Tool::Opaque { json, .. } => json.get().contains("cache_control"),
    };
    let extra = |extra: &[(String, sanctum_llm::Raw)]| extra.iter().any(|(name, _)| name == "cache_control");
    request.tools.iter().any(tool)
        || extra(&request.extra)
        || request.turns.iter().any(|turn| extra(&turn.extra) || turn.parts.iter().any(part_is_marked))
}

fn part_is_marked(part: &Part) -> bool {
    match part {
        Part::ToolResult { cache, parts, .. } => cache.is_some() || parts.iter().any(part_is_marked),
        Part::Text { cache, .. }
        | Part::Image { cache, .. }
        | Part::Document { cache, .. }
        | Part::ToolCall { cache, .. } => cache.is_some(),
        Part::Opaque { json, .. } => json.get().contains("cache_control"),
        _ => false,
    }
}

/// About how long the prompt is, in bytes of text.
fn length(request: &Request) -> usize {
    let tools = request.tools.iter().map(|tool| match tool {
        Tool::Function { description, schema, .. } => {
            description.as_ref().map_or(0, String::len)
                + schema.as_ref().map_or(0, |schema| schema.get().len())
        }
        Tool::Opaque { json, .. } => json.get().len(),
    });
    let parts = request.turns.iter().flat_map(|turn| &turn.parts).map(part_length);
    tools.chain(parts).sum()
}

fn part_length(part: &Part) -> usize {
    match part {
        Part::Text { text, .. } | Part::Refusal { text } | Part::Thinking { text, .. } => text.len(),
        Part::ToolCall { arguments, .. } => arguments.len(),
        Part::ToolResult { parts, .. } => parts.iter().map(part_length).sum(),
        Part::Opaque { json, .. } => json.get().len(),
        _ => 1600,
    }
}

#[cfg(test)]
mod tests {
    use sanctum_llm::Dialect;

    use super::*;

    fn request(body: &str) -> Request {
        Dialect::Chat.codec().read_request(body.as_bytes()).unwrap()
    }

    fn conversation() -> Request {
        let words = "word ".repeat(1000);
        request(&format!(
            r#"{{"model":"m","tools":[{{"type":"function","function":{{"name":"a"}}}},{{"type":"function","function":{{"name":"b"}}}}],
            "messages":[{{"role":"system","content":"{words}"}},{{"role":"user","content":"one"}},
            {{"role":"assistant","content":"x"}},{{"role":"user","content":"two"}},
            {{"role":"assistant","content":"y"}},{{"role":"user","content":"three"}}]}}"#
        ))
    }

    /// Which texts and tools bear a mark.
    fn marked(request: &Request) -> Vec<String> {
        let tools = request.tools.iter().filter_map(|tool| match tool {
            Tool::Function { name, cache: Some(_), .. } => Some(name.clone()),
            _ => None,
        });
        let parts = request.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
            Part::Text { text, cache: Some(_), .. } => Some(text.chars().take(5).collect()),
            _ => None,
        });
        tools.chain(parts).collect()
    }

    #[test]
    fn tools_instructions_and_the_last_two_of_the_user_are_marked() {
        let mut request = conversation();
        assert_eq!(before(&Config { on: true, ..Config::default() }, &mut request), 4);
        assert_eq!(marked(&request), ["b", "word ", "two", "three"]);
        assert_eq!(before(&Config { on: true, ..Config::default() }, &mut request), 0, "it has marks now");
    }

    #[test]
    fn a_short_prompt_one_with_marks_of_its_own_or_switched_off_is_left_alone() {
        let on = Config { on: true, ..Config::default() };
        assert_eq!(
            before(&on, &mut request(r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#)),
            0
        );
        assert_eq!(before(&Config::default(), &mut conversation()), 0);
        let mut own = conversation();
        if let Some(Part::Text { cache, .. }) = own.turns[2].parts.first_mut() {
            *cache = Some(Cache::OneHour);
        }
        assert_eq!((before(&on, &mut own), marked(&own).len()), (0, 1));
    }
}
