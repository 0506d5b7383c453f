//! Names of tool calls: made where providers give none, fitted where a provider is strict.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

/// What an API takes as the id of a tool call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Longest id in characters.
    pub most: usize,
    /// Only letters, digits, `_` and `-`.
    pub plain: bool,
}

/// OpenAI: "string too long. Expected a string with maximum length 40".
pub const CHAT: Rule = Rule { most: 40, plain: false };
/// Anthropic: `^[a-zA-Z0-9_-]+$`, and every id once.
pub const MESSAGES: Rule = Rule { most: 128, plain: true };

/// Gives each call of a conversation an id the target takes, and each result the id of its call. Ids that fit and stand
/// once are kept; one that stands again gets a number, and its results follow in the order of the calls.
#[derive(Debug)]
pub struct Ids<'r> {
    rule: Option<Rule>,
    seen: HashMap<&'r str, Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    count: usize,
    open: VecDeque<usize>,
}

impl<'r> Ids<'r> {
    pub fn new(rule: Rule) -> Self {
        Self { rule: Some(rule), seen: HashMap::new() }
    }

    /// Leaves every id alone: the client speaks the target's own dialect, and knows what it says.
    pub fn verbatim() -> Self {
        Self { rule: None, seen: HashMap::new() }
    }

    pub fn call(&mut self, id: &'r str) -> Cow<'r, str> {
        let Some(rule) = self.rule else { return Cow::Borrowed(id) };
        let calls = self.seen.entry(id).or_default();
        calls.count += 1;
        calls.open.push_back(calls.count);
        name(id, calls.count, rule)
    }

    pub fn result(&mut self, id: &'r str) -> Cow<'r, str> {
        let Some(rule) = self.rule else { return Cow::Borrowed(id) };
        let calls = self.seen.entry(id).or_default();
        let count = calls.open.pop_front().unwrap_or(calls.count);
        name(id, count, rule)
    }
}

fn name(id: &str, count: usize, rule: Rule) -> Cow<'_, str> {
    let id = fit(id, rule);
    if count > 1 { Cow::Owned(format!("{id}_{count}")) } else { id }
}

/// The id itself if it fits; otherwise one that does, the same for the same id.
pub fn fit(id: &str, rule: Rule) -> Cow<'_, str> {
    let fits = |c: char| !rule.plain || c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.chars().all(fits) && id.chars().count() <= rule.most {
        return Cow::Borrowed(id);
    }
    let mut fitted: String =
        id.chars().map(|c| if fits(c) { c } else { '_' }).take(rule.most.saturating_sub(13)).collect();
    if fitted.is_empty() {
        fitted.push_str("call");
    }
    fitted.push_str(&format!("_{:08x}", hash(id) & 0xFFFF_FFFF));
    Cow::Owned(fitted)
}

/// An id for a call that came without one: the same for the same answer and place.
pub fn make(answer: &str, place: usize) -> String {
    format!("call_{:016x}_{place}", hash(answer))
}

/// FNV-1a, 64 bits.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ids_stay_and_others_fit() {
        assert_eq!(fit("toolu_01-A", MESSAGES), "toolu_01-A");
        let odd = fit("functions.exec:0", MESSAGES);
        assert!(odd.starts_with("functions_exec_0_"), "{odd}");
        assert_ne!(odd, fit("functions_exec:0", MESSAGES));
        assert_eq!(fit("functions.exec:0", CHAT), "functions.exec:0");
        assert!(fit(&"x".repeat(90), CHAT).chars().count() <= CHAT.most);
        assert!(fit("", MESSAGES).starts_with("call_"));
    }

    #[test]
    fn ids_that_stand_twice_are_told_apart_in_order() {
        let mut ids = Ids::new(MESSAGES);
        assert_eq!(ids.call("a"), "a");
        assert_eq!(ids.call("a"), "a_2");
        assert_eq!(ids.result("a"), "a");
        assert_eq!(ids.result("a"), "a_2");
        assert_eq!(ids.result("a"), "a_2");
        assert_eq!(ids.call("a"), "a_3");
        assert_eq!(ids.result("a"), "a_3");
        assert_eq!(ids.result("unheard"), "unheard");
    }
}
