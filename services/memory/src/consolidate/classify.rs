//! What sort of note it is and where it belongs, told from how it is written.

use sanctum_api::memory::{Head, Kind};

/// The sort of a note that did not say, or said only that somebody noticed something.
pub(crate) fn kind(head: &Head, text: &str) -> Kind {
    if !matches!(head.kind, Kind::Semantic | Kind::Observation) {
        return head.kind;
    }
    if is_procedure(&head.title, text) {
        Kind::Procedural
    } else if head.kind == Kind::Observation {
        // A remark stays one until it is used: most are of the day.
        if head.accesses > 0 || head.key.is_some() { Kind::Semantic } else { Kind::Observation }
    } else if is_event(head, text) {
        Kind::Episodic
    } else {
        Kind::Semantic
    }
}

/// Three numbered steps or more, or a title that asks how.
fn is_procedure(title: &str, text: &str) -> bool {
    let title = title.to_lowercase();
    let asks = ["how to ", "how we ", "comment ", "steps ", "runbook", "procedure", "recipe"];
    let steps = text.lines().filter(|line| is_step(line)).count();
    steps >= 3 || (steps >= 2 || text.contains("```")) && asks.iter().any(|ask| title.contains(ask))
}

fn is_step(line: &str) -> bool {
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    (1..=2).contains(&digits)
        && line.get(digits..).is_some_and(|rest| rest.starts_with(". ") || rest.starts_with(") "))
}

/// It belongs to a conversation and states nothing under a key.
fn is_event(head: &Head, text: &str) -> bool {
    let spoken = text.lines().filter(|line| is_said(line)).count();
    head.key.is_none() && head.session.is_some() && spoken >= 2
}

/// `user: …`, `**Bert:** …`
fn is_said(line: &str) -> bool {
    let line = line.trim_start_matches(['-', '*', ' ', '#']);
    line.split_once(':').is_some_and(|(who, rest)| {
        !rest.is_empty()
            && who.len() <= 24
            && who.chars().next().is_some_and(char::is_alphabetic)
            && !who.contains(['.', '/', '"'])
    })
}

/// The folder of a note of this sort.
pub(crate) fn folder(head: &Head, kind: Kind) -> Option<String> {
    match kind {
        Kind::Semantic => Some(format!("knowledge/{}", topic(head))),
        Kind::Procedural => Some("procedures".to_owned()),
        Kind::Episodic | Kind::SessionSummary => {
            Some(head.created.to_zoned(jiff::tz::TimeZone::UTC).strftime("events/%Y/%m").to_string())
        }
        Kind::Observation => None,
    }
}

/// By its first tag, else by what it is a statement about, else by the first it names.
fn topic(head: &Head) -> String {
    let key = head.key.as_deref().and_then(|key| key.split(['.', '/', ':']).next());
    let named = head.tags.first().map(String::as_str).or(key).or(head.entities.first().map(String::as_str));
    named.map(slug).filter(|slug| !slug.is_empty()).unwrap_or_else(|| "general".to_owned())
}

/// Small letters, digits and single hyphens.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.trim().chars().flat_map(char::to_lowercase).take(60) {
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gate::tests::head;

    #[test]
    fn notes_are_sorted_by_how_they_are_written() {
        let steps = "1. Turn the key\n2. Push\n3. Wait";
        let talk = "user: where is the key?\nassistant: under the pot";
        let (plain, seen) = (head("a"), Head { kind: Kind::Observation, ..head("b") });
        let said = Head { session: Some("s".into()), ..head("c") };
        assert_eq!(kind(&plain, steps), Kind::Procedural);
        assert_eq!(kind(&plain, "Bert likes leeks."), Kind::Semantic);
        assert_eq!((kind(&said, talk), kind(&plain, talk)), (Kind::Episodic, Kind::Semantic));
        assert_eq!(
            (kind(&seen, "the lamp flickers"), kind(&Head { accesses: 1, ..seen }, "the lamp flickers")),
            (Kind::Observation, Kind::Semantic)
        );
        let asked = Head { title: "How to reset the router".into(), ..head("d") };
        assert_eq!(kind(&asked, "1. Unplug\n2. Plug"), Kind::Procedural);
    }

    #[test]
    fn each_sort_has_its_place() {
        let tagged = Head { tags: vec!["Garden & Co".into()], key: Some("leek.rows".into()), ..head("a") };
        assert_eq!(folder(&tagged, Kind::Semantic).unwrap(), "knowledge/garden-co");
        let keyed = Head { tags: vec![], ..tagged };
        assert_eq!(folder(&keyed, Kind::Semantic).unwrap(), "knowledge/leek");
        assert_eq!(folder(&head("a"), Kind::Semantic).unwrap(), "knowledge/general");
        assert_eq!(folder(&head("a"), Kind::Episodic).unwrap(), "events/2023/11");
        assert_eq!(folder(&head("a"), Kind::Observation), None);
    }

    proptest! {
        #[test]
        fn a_slug_is_a_name_for_a_folder(name in "\\PC{0,80}") {
            let slug = slug(&name);
            prop_assert!(!slug.contains(['/', '.', ' ', '\\']) && !slug.starts_with('-') && !slug.ends_with('-'), "{}", slug);
        }
    }
}
