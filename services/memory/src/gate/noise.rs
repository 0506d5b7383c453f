//! What an agent reads and says at every start, and what its harness puts around the words of a person: no memory.

use crate::recall::when::MONTHS;

/// Files that harnesses of agents read at every start. A text that shows two of them, or one at its head, restates them.
const BOOT_FILES: &[&str] = &[
    "AGENTS.md",
    "CLAUDE.md",
    "GEMINI.md",
    "SOUL.md",
    "IDENTITY.md",
    "TOOLS.md",
    "USER.md",
    "BOOTSTRAP.md",
    "BOOT.md",
    "HEARTBEAT.md",
    "MEMORY.md",
    ".cursorrules",
    "copilot-instructions.md",
];

/// How a beat of the heart of an agent reads, and its answer.
const BEATS: &[&str] =
    &["heartbeat_ok", "no_reply", "read heartbeat.md if it exists", "[heartbeat]", "ping", "pong"];

/// Parts that a harness marks as its own, and the memories that the proxy has put in: their words are nobody's.
const MARKED: &[&str] = &[
    "memories",
    "system-reminder",
    "system_reminder",
    "environment_context",
    "environment_details",
    "user_instructions",
    "relevant-memories",
    "command-message",
    "local-command-stdout",
    "private",
];

/// Why a text is what an agent reads or says at every start, if it is.
pub(crate) fn boot(text: &str) -> Option<String> {
    let text = text.trim();
    let lower: String = text.chars().take(200).flat_map(char::to_lowercase).collect();
    if let Some(beat) =
        BEATS.iter().find(|beat| lower == **beat || (beat.len() > 6 && lower.starts_with(**beat)))
    {
        return Some(format!("it is an agent's heartbeat (`{beat}`)"));
    }
    let head = text.lines().next().unwrap_or_default();
    let shown = |file: &&&str| text.lines().any(|line| is_title(line, file));
    let files: Vec<&str> = BOOT_FILES.iter().filter(shown).copied().collect();
    let first = files.iter().find(|file| is_title(head, file));
    match (first, &*files) {
        (Some(file), _) => Some(format!("it is `{file}`, which an agent reads at every start")),
        (None, [one, two, ..]) => {
            Some(format!("it is `{one}` and `{two}`, which an agent reads at every start"))
        }
        _ => None,
    }
}

/// `# AGENTS.md`, `## /home/x/CLAUDE.md`, `Contents of /home/x/CLAUDE.md:`, `<file name="SOUL.md">`.
fn is_title(line: &str, file: &str) -> bool {
    let line = line.trim();
    let marked = line.starts_with('#')
        || line.starts_with('<')
        || line.starts_with("Contents of ")
        || line.starts_with("---");
    marked && line.contains(file) && line.len() < file.len() + 80
}

/// The words without what a harness has marked as its own.
pub(crate) fn spoken(text: &str) -> String {
    let mut rest = text.to_owned();
    for tag in MARKED {
        rest = cut(&rest, &format!("<{tag}"), &format!("</{tag}>"));
    }
    rest.trim().to_owned()
}

fn cut(text: &str, open: &str, close: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(open) {
        let (before, from) = rest.split_at(at);
        // `<private>` and `<private x="y">`, not `<privately>`.
        let whole = from.get(open.len()..).is_some_and(|tail| tail.starts_with(['>', ' ', '\n', '/']));
        let Some(end) = from.find(close).filter(|_| whole) else {
            kept.push_str(before);
            let (one, tail) = from.split_at(open.len());
            kept.push_str(one);
            rest = tail;
            continue;
        };
        kept.push_str(before);
        rest = from.get(end + close.len()..).unwrap_or_default();
    }
    kept.push_str(rest);
    kept
}

/// The text with dates and times blotted out: what is the same at every start but for those. Other numbers say something.
pub(crate) fn head(text: &str) -> u128 {
    let mut blotted = String::with_capacity(text.len().min(20_000));
    for word in text.split_whitespace().take(2000) {
        blotted.push_str(if is_date(word) { "0" } else { word });
        blotted.push(' ');
    }
    super::gist::Gist::of(&blotted).print
}

/// `2026-11-22`, `07:00`, `2026-11-22T07:00:00Z`, `22/11/2026`, and the names of days and months.
fn is_date(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let digits = word.starts_with(|c: char| c.is_ascii_digit());
    let marks = word.bytes().filter(|byte| matches!(byte, b'-' | b':' | b'/')).count();
    let days = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "lundi",
        "mardi",
        "mercredi",
        "jeudi",
        "vendredi",
        "samedi",
        "dimanche",
    ];
    let year = word.len() == 4
        && (word.starts_with("19") || word.starts_with("20"))
        && word.bytes().all(|b| b.is_ascii_digit());
    let word = &*word.to_lowercase();
    (digits && (marks >= 2 || word.contains(':'))) || year || days.contains(&word) || MONTHS.contains(&word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn boot_files_and_heartbeats_are_noise_and_talk_about_them_is_none() {
        for noise in [
            "HEARTBEAT_OK",
            "Read HEARTBEAT.md if it exists (workspace context). Follow it strictly.",
            "# AGENTS.md\n\nBe brief.",
            "## Project\n<file name=\"SOUL.md\">\nYou are kind.\n</file>\n<file name=\"USER.md\">\nBert\n</file>",
            "Contents of /home/bert/CLAUDE.md:\n\nUse tabs.",
        ] {
            assert!(boot(noise).is_some(), "{noise}");
        }
        for talk in [
            "Please change AGENTS.md so that tests run first.",
            "Pinging the router took 3 ms",
            "# Garden\nLeeks.",
            "",
        ] {
            assert_eq!(boot(talk), None, "{talk}");
        }
    }

    #[test]
    fn what_a_harness_marks_is_cut_out_and_the_rest_stays_as_it_is() {
        let text = "<memories>\n- Bert likes leeks\n</memories>\nWhat shall I cook?<system-reminder>x</system-reminder> <privately>";
        assert_eq!(spoken(text), "What shall I cook? <privately>");
        assert_eq!(spoken("a <memories> without an end"), "a <memories> without an end");
    }

    #[test]
    fn the_head_of_what_is_said_daily_is_the_same_every_day() {
        assert_eq!(
            head("Today is 2026-11-21, 07:00. Plan my day."),
            head("Today is 2026-11-22, 08:30. Plan my day.")
        );
        assert_ne!(head("Plan my day."), head("Plan my week."));
        assert_ne!(head("I weigh 81.2 kg today"), head("I weigh 81.4 kg today"), "what is measured is news");
    }

    proptest! {
        #[test]
        fn what_is_not_marked_is_kept(text in "[a-z<>/ ]{0,80}") {
            let spoken = spoken(&text);
            prop_assert!(MARKED.iter().any(|tag| text.contains(tag)) || spoken == text.trim());
        }
    }
}
