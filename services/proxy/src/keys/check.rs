//! What a new key may look like, and errors that name the field and what is allowed.

use jiff::Timestamp;
use sanctum_api::Problem;
use sanctum_api::proxy::NewKey;

use super::admit::Scope;

/// Bytes of a name or a pattern.
const NAME: usize = 256;
/// Bytes of a note.
const NOTE: usize = 1024;
/// Patterns of one key.
const PATTERNS: usize = 64;

fn wrong(field: impl Into<String>, value: &str, allowed: impl Into<String>) -> Problem {
    Problem::field(field, value.chars().take(100).collect::<String>(), allowed)
}

/// Every rule of a new key.
pub(crate) fn check(new: &NewKey, now: Timestamp) -> Result<(), Problem> {
    if new.agent.trim().is_empty() || new.agent.len() > NAME || new.agent.contains(char::is_control) {
        return Err(wrong(
            "agent",
            &new.agent,
            format!("the name of an agent, at most {NAME} bytes of one line"),
        ));
    }
    if new.note.len() > NOTE || new.note.contains(char::is_control) {
        return Err(wrong("note", &new.note, format!("at most {NOTE} bytes of one line")));
    }
    for (at, word) in new.scopes.iter().enumerate() {
        if word.parse::<Scope>().is_err() {
            let known = Scope::ALL.map(|scope| format!("`{}`", scope.word())).join(", ");
            return Err(wrong(format!("scopes[{at}]"), word, known));
        }
    }
    if new.models.len() > PATTERNS {
        return Err(wrong("models", &new.models.len().to_string(), format!("at most {PATTERNS}")));
    }
    for (at, pattern) in new.models.iter().enumerate() {
        if pattern.is_empty() || pattern.len() > NAME || pattern.contains(char::is_control) {
            return Err(wrong(
                format!("models[{at}]"),
                pattern,
                "the name of a model, or one with `*` in it",
            ));
        }
    }
    match new.expires {
        Some(expires) if expires <= now => Err(wrong("expires", &expires.to_string(), "a time to come")),
        _ => Ok(()),
    }
}
