//! An exchange as a note: what was said, without what was recalled into it, what a harness put around it, and secrets.

use jiff::Timestamp;
use sanctum_api::memory::{Class, Exchange, Kind, Outcome, Write};

use crate::gate::gist::Gist;
use crate::gate::{noise, secrets};

/// So much of one side is kept in a note: more is a file that was read or written, not something said.
const SIDE: usize = 16 * 1024;
/// A title has so many words.
const TITLE: usize = 9;

/// What is kept of an exchange: cleaned before it is kept at all. `echoes` says of a sentence that it was recalled a moment
/// ago: it is a memory already.
pub(crate) fn clean(mut exchange: Exchange, echoes: impl Fn(&Gist) -> bool) -> Exchange {
    exchange.user = side(&exchange.user);
    let answer = side(&exchange.assistant);
    exchange.assistant = without_echoes(&answer, echoes);
    exchange
}

fn side(text: &str) -> String {
    let spoken = noise::spoken(text);
    let clean = secrets::without(&spoken).unwrap_or(spoken);
    if clean.len() <= SIDE {
        return clean;
    }
    let end = (0..=SIDE).rev().find(|end| clean.is_char_boundary(*end)).unwrap_or(0);
    format!("{} […]", clean.get(..end).unwrap_or_default())
}

/// The text without the sentences that only repeat; code is left alone.
fn without_echoes(text: &str, echoes: impl Fn(&Gist) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut fence = false;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            fence = !fence;
        }
        if fence {
            kept.push_str(line);
            continue;
        }
        for sentence in sentences(line) {
            if !echoes(&Gist::of(sentence)) {
                kept.push_str(sentence);
            }
        }
    }
    kept.trim().to_owned()
}

/// A line in sentences, with what stands between them.
fn sentences(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .find(|(at, c)| {
                matches!(c, '.' | '!' | '?' | ';')
                    && rest.get(at + 1..).is_some_and(|tail| tail.starts_with(' '))
            })
            .map_or(rest.len(), |(at, _)| at + 2);
        let (sentence, tail) = rest.split_at(end);
        found.push(sentence);
        rest = tail;
    }
    found
}

/// Why an exchange that was cleaned is no memory, if it is none.
pub(crate) fn nothing(exchange: &Exchange, answered: bool) -> Option<(Outcome, String)> {
    if let Some(reason) = noise::boot(&exchange.user).or_else(|| noise::boot(&exchange.assistant)) {
        return Some((Outcome::BootNoise, reason));
    }
    let (asked, told) = (Gist::of(&exchange.user), Gist::of(&exchange.assistant));
    if asked.set.len() < 2 && told.set.len() < 6 {
        return Some((Outcome::BootNoise, "next to nothing is said in it".to_owned()));
    }
    // A question whose answer was recalled: kept, it would be the best match for itself the next time.
    if answered && told.set.len() < 3 && is_question(&exchange.user) {
        return Some((Outcome::RecallLoop, "it is a question that was answered out of memory".to_owned()));
    }
    None
}

fn is_question(text: &str) -> bool {
    let last = text.trim_end();
    last.ends_with('?') && !text.trim_end_matches('?').contains(['.', '!', '\n'])
}

/// The note of an exchange.
pub(crate) fn note(exchange: &Exchange, session: &str) -> Write {
    let said = |who: &str, text: &str| {
        if text.is_empty() { String::new() } else { format!("**{who}**: {text}\n\n") }
    };
    let text = format!("{}{}", said("user", &exchange.user), said("assistant", &exchange.assistant));
    let from = if exchange.user.is_empty() { &exchange.assistant } else { &exchange.user };
    let words: Vec<&str> = from.split_whitespace().take(TITLE).collect();
    let title: String =
        words.join(" ").chars().filter(|c| !matches!(c, '[' | ']' | '#' | '*' | '`')).take(80).collect();
    Write {
        text: text.trim_end().to_owned(),
        title: Some(title).filter(|title| !title.trim().is_empty()),
        kind: Some(Kind::Episodic),
        class: class(&exchange.class),
        agent: Some(exchange.agent.clone()),
        source: Some(if exchange.model.is_empty() {
            "exchange".to_owned()
        } else {
            format!("exchange:{}", exchange.model)
        }),
        session: Some(session.to_owned()),
        ..Write::default()
    }
}

/// A class by its word; `None` for one there is not.
pub(crate) fn class(word: &str) -> Option<Class> {
    match word {
        "" | "general" => Some(Class::General),
        "health" => Some(Class::Health),
        "finance" => Some(Class::Finance),
        _ => None,
    }
}

/// A key for an exchange that has none: the same exchange has the same.
pub(crate) fn key(exchange: &Exchange) -> String {
    let mut all = ring::digest::Context::new(&ring::digest::SHA256);
    for part in
        [&exchange.agent, &exchange.user, &exchange.assistant, &exchange.model, &exchange.at.to_string()]
    {
        all.update(&(part.len() as u64).to_be_bytes());
        all.update(part.as_bytes());
    }
    sanctum_kernel::trace::hex(all.finish().as_ref())
}

/// The id of the note of an exchange: of its time and its key, so that reading it twice makes one note.
pub(crate) fn id(key: &str, at: Timestamp) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let character = |bits: u64| {
        DIGITS.get(usize::try_from(bits & 31).unwrap_or(0)).map_or('0', |digit| char::from(*digit))
    };
    let time = u64::try_from(at.as_millisecond()).unwrap_or(0);
    let hash = ring::digest::digest(&ring::digest::SHA256, key.as_bytes());
    let head = (0..10).rev().map(|digit| character(time >> (5 * digit)));
    let tail = hash.as_ref().iter().take(16).map(|byte| character(u64::from(*byte)));
    std::iter::once('n').chain(['-']).chain(head).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exchange(user: &str, assistant: &str) -> Exchange {
        Exchange {
            key: "k".into(),
            agent: "yoda".into(),
            user: user.into(),
            assistant: assistant.into(),
            ..Exchange::default()
        }
    }

    #[test]
    fn what_was_recalled_marked_or_secret_is_not_kept_and_the_rest_is() {
        let told = Gist::of("Bert's dentist is Doctor Lamy in Namur.");
        let said = exchange(
            &format!("<memories>\n- x\n</memories>\nWho is my dentist? my password is {}", "hunter2!"),
            "As I recall, your dentist is Doctor Lamy in Namur. Shall I book Tuesday at nine? \n```\nlet a = 1;\n```",
        );
        let kept = clean(said, |sentence| sentence.echoes(&told));
        assert_eq!(kept.user, "Who is my dentist? my password is [a password, not kept]");
        assert_eq!(kept.assistant, "Shall I book Tuesday at nine? \n```\nlet a = 1;\n```");
    }

    #[test]
    fn a_question_that_memory_answered_is_no_memory_and_a_statement_is() {
        let nothing = |user: &str, assistant: &str, answered| {
            nothing(&exchange(user, assistant), answered).map(|(outcome, _)| outcome)
        };
        assert_eq!(nothing("Who is my dentist?", "", true), Some(Outcome::RecallLoop));
        assert_eq!(nothing("My dentist moved to Liège.", "", true), None);
        assert_eq!(nothing("Who is my dentist?", "You have never told me about a dentist.", false), None);
        assert_eq!(nothing("HEARTBEAT.md", "HEARTBEAT_OK", false), Some(Outcome::BootNoise));
        assert_eq!(nothing("ok", "Fine.", false), Some(Outcome::BootNoise));
    }

    #[test]
    fn the_note_says_who_said_what() {
        let mut said = exchange("My dentist is Doctor Lamy.", "Noted.");
        said.model = "local/llama".into();
        let note = note(&said, "s1");
        assert_eq!(note.text, "**user**: My dentist is Doctor Lamy.\n\n**assistant**: Noted.");
        assert_eq!(note.title.as_deref(), Some("My dentist is Doctor Lamy."));
        assert_eq!(
            (note.source.as_deref(), note.session.as_deref()),
            (Some("exchange:local/llama"), Some("s1"))
        );
    }

    #[test]
    fn the_id_is_of_the_key_and_in_the_order_of_time() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(id("a", at(1_700_000_000)), id("a", at(1_700_000_000)));
        assert_ne!(id("a", at(1_700_000_000)), id("b", at(1_700_000_000)));
        assert!(id("a", at(1_700_000_000)) < id("b", at(1_700_000_001)));
        assert_eq!(id("a", at(1)).len(), 28);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_that_is_not_an_echo(text in "[a-zA-Z .!?;\n]{0,200}") {
            prop_assert_eq!(without_echoes(&text, |_| false), text.trim());
            prop_assert_eq!(without_echoes(&text, |_| true), "");
        }
    }
}
