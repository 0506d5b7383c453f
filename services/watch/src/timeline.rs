//! What is new about an incident, as lines of its timeline.

use jiff::Timestamp;
use sanctum_api::watch::{Entry, Incident, Tried};

use crate::engine::Turn;
use crate::words;

/// The lines that lead from what was written `before` to what is known now.
pub(crate) fn news(before: Option<&Incident>, now: &Incident, what: Turn, wall: Timestamp) -> Vec<Entry> {
    let mut lines = Vec::new();
    let mut say =
        |at: Timestamp, what: &str, detail: String| lines.push(Entry { at, what: what.to_owned(), detail });
    if before.is_none() {
        say(now.began, "seen", format!("the first bad answer of {}", now.root));
        let after = words::span(words::between(now.began, now.detected));
        say(now.detected, "believed", format!("{} (after {after})", now.title));
        if let Some(memory) = &now.memory {
            say(wall, "note", memory.clone());
        }
    }
    let known: &[String] = before.map_or(&[], |before| &before.symptoms);
    for symptom in now.symptoms.iter().filter(|symptom| !known.contains(symptom)) {
        say(wall, "symptom", format!("{symptom} fails because of it"));
    }
    for (number, tried) in now.tried.iter().enumerate() {
        let known = before.and_then(|before| before.tried.get(number));
        step(known, tried, wall, &mut say);
    }
    match what {
        Turn::Escalated => {
            say(wall, "told", now.advice.clone().unwrap_or_else(|| "a person was asked".to_owned()));
        }
        Turn::Resolved => {
            let end = now.resolved.unwrap_or(wall);
            say(end, "recovered", format!("it lasted {}", words::span(words::between(now.began, end))));
        }
        Turn::Opened | Turn::Changed => {}
    }
    lines
}

fn step(
    known: Option<&Tried>,
    tried: &Tried,
    wall: Timestamp,
    say: &mut impl FnMut(Timestamp, &str, String),
) {
    if known.is_none() {
        say(tried.at, "tried", tried.action.clone());
    }
    if !tried.detail.is_empty() && known.is_none_or(|known| known.detail != tried.detail) {
        let word = if tried.rehearsal { "rehearsed" } else { "ended" };
        say(wall, "note", format!("{} {word}: {}", tried.action, tried.detail));
    }
    if tried.helped.is_some() && known.is_none_or(|known| known.helped != tried.helped) {
        let word = if tried.helped == Some(true) { "helped" } else { "did not help" };
        say(wall, "note", format!("{} {word}", tried.action));
    }
}
