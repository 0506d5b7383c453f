//! What a new note looks like, and what may be in it.

use jiff::Timestamp;
use sanctum_api::memory::{Kind, Origin, Write};

use super::{Error, Value, Who};
use crate::index::write::word;
use crate::vault::Rel;
use crate::vault::{edit, rel};

/// A value of the front matter is one line of at most so many characters.
const LINE: usize = 1000;
const WORDS: usize = 100;

/// Refuses what cannot be kept as it was meant.
pub(super) fn check(write: &Write, most: u64) -> Result<(), Error> {
    let bytes = u64::try_from(write.text.len()).unwrap_or(u64::MAX);
    if bytes.saturating_add(16 * 1024) > most {
        return Err(Error::TooLarge { bytes, most: most.saturating_sub(16 * 1024) });
    }
    if write.text.contains('\0') {
        return Err(Error::field("text", "a NUL character", "text"));
    }
    if write.id.is_none() && write.text.trim().is_empty() {
        return Err(Error::field("text", &write.text, "something to remember"));
    }
    for (field, value) in [
        ("title", &write.title),
        ("agent", &write.agent),
        ("source", &write.source),
        ("session", &write.session),
        ("key", &write.key),
    ] {
        let Some(value) = value else { continue };
        if value.chars().any(char::is_control) || value.chars().count() > LINE || value.trim().is_empty() {
            return Err(Error::field(field, value, "one line of 1 to 1,000 characters"));
        }
    }
    for (field, list) in [("tags", &write.tags), ("entities", &write.entities)] {
        let bad = list.iter().find(|word| {
            word.trim().is_empty() || word.chars().any(char::is_control) || word.chars().count() > WORDS
        });
        if let Some(bad) = bad {
            return Err(Error::field(field, bad, "words of 1 to 100 characters"));
        }
        if list.len() > WORDS {
            return Err(Error::field(field, &list.len().to_string(), "at most 100"));
        }
    }
    if let Some(importance) = write.importance
        && !(0.0..=1.0).contains(&importance)
    {
        return Err(Error::field("importance", &importance.to_string(), "0 to 1"));
    }
    if let (Some(from), Some(until)) = (write.valid_from, write.valid_until)
        && until < from
    {
        return Err(Error::field("valid_until", &until.to_string(), format!("not before {from}")));
    }
    write.folder.as_deref().map(folder).transpose().map(drop)
}

/// A folder of the vault.
pub(super) fn folder(text: &str) -> Result<Rel, Error> {
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    Rel::parse(trimmed).ok_or_else(|| Error::field("folder", text, rel::ALLOWED))
}

/// Where a new note goes: its folder, and the names to try there.
pub(super) fn place(write: &Write, who: &Who, id: &str) -> Result<Vec<Rel>, Error> {
    let agent = write.agent.as_deref().or(who.agent.as_deref()).unwrap_or(&who.name);
    let inbox = || format!("inbox/{}", rel::slug(agent));
    let folder = folder(&write.folder.clone().unwrap_or_else(inbox))?;
    Ok(names(&folder, &title(write), id))
}

/// Names to try in a folder, the nicest first.
pub(super) fn names(folder: &Rel, title: &str, id: &str) -> Vec<Rel> {
    let slug = rel::slug(title);
    let short: String = id.chars().rev().take(6).collect::<Vec<_>>().into_iter().rev().collect();
    let names = [format!("{slug}.md"), format!("{slug}-{short}.md"), format!("{id}.md")];
    names.iter().filter_map(|name| folder.join(name)).collect()
}

/// Its title, its first heading, or its first words.
fn title(write: &Write) -> String {
    if let Some(title) = &write.title {
        return title.clone();
    }
    let line = write.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line = line.trim_start_matches(['#', '-', '*', '>', ' ']);
    line.split_whitespace().take(8).collect::<Vec<_>>().join(" ")
}

/// The front matter of a new note, in the order in which people read it.
pub(super) fn matter(
    write: &Write,
    who: &Who,
    id: &str,
    now: Timestamp,
) -> Vec<(&'static str, Option<Value>)> {
    let mut lines = vec![("id", Some(Value::Text(id.to_owned())))];
    let top = write.folder.as_deref().unwrap_or("inbox").split('/').next().unwrap_or_default();
    let by_folder = match top {
        "inbox" => Kind::Observation,
        "events" => Kind::Episodic,
        "procedures" => Kind::Procedural,
        _ => Kind::Semantic,
    };
    let with = Write {
        kind: Some(write.kind.unwrap_or(by_folder)),
        class: Some(write.class.unwrap_or_default()),
        agent: write.agent.clone().or_else(|| who.agent.clone()),
        ..write.clone()
    };
    lines.extend(changes(&with));
    lines.push(("origin", Some(Value::Text(word(&who.origin)))));
    lines.push(("created", Some(Value::Time(now))));
    lines.push(("updated", Some(Value::Time(now))));
    lines
}

/// What a write says of a note beside its text.
pub(super) fn changes(write: &Write) -> Vec<(&'static str, Option<Value>)> {
    let text = |value: &Option<String>| value.as_ref().map(|value| Value::Text(value.trim().to_owned()));
    let list = |list: &Vec<String>| {
        let words = list.iter().map(|word| word.trim().trim_start_matches('#').to_owned());
        let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
        (!words.is_empty()).then_some(Value::List(words))
    };
    let all = [
        ("title", text(&write.title)),
        ("type", write.kind.map(|kind| Value::Text(word(&kind)))),
        ("class", write.class.map(|class| Value::Text(word(&class)))),
        ("agent", text(&write.agent)),
        ("source", text(&write.source)),
        ("session", text(&write.session)),
        ("key", text(&write.key)),
        ("valid_from", write.valid_from.map(Value::Time)),
        ("valid_until", write.valid_until.map(Value::Time)),
        ("importance", write.importance.map(|importance| Value::Number(f64::from(importance)))),
        ("tags", list(&write.tags)),
        ("entities", list(&write.entities)),
        ("ttl", write.ttl_days.map(|days| Value::Text(format!("{days}d")))),
    ];
    all.into_iter().filter(|(_, value)| value.is_some()).collect()
}

/// The bytes of a new note.
pub(super) fn file(text: &str, matter: &[(&'static str, Option<Value>)]) -> String {
    let mut file = String::from("---\n");
    for (key, value) in matter {
        if let Some(value) = value {
            file.push_str(&edit::line(key, value, "\n"));
        }
    }
    file.push_str("---\n\n");
    file.push_str(text.trim_start_matches(['\n', '\r']));
    if !file.ends_with('\n') {
        file.push('\n');
    }
    file
}

/// Whose words a note has when somebody has changed its text.
pub(super) fn origin(who: &Who) -> Option<Value> {
    (who.origin != Origin::System).then(|| Value::Text(word(&who.origin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_note_reads_well() {
        let write = Write {
            text: "The dentist is at 12 rue X.".into(),
            key: Some("dentist.address".into()),
            tags: vec!["#health".into()],
            ..Write::default()
        };
        let who = Who::caller("cli", Some("claude"));
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let places = place(&write, &who, "n-0123456789").unwrap();
        let names: Vec<&str> = places.iter().map(Rel::as_str).collect();
        assert_eq!(
            names,
            [
                "inbox/claude/the-dentist-is-at-12-rue-x.md",
                "inbox/claude/the-dentist-is-at-12-rue-x-456789.md",
                "inbox/claude/n-0123456789.md"
            ]
        );
        assert_eq!(
            file(&write.text, &matter(&write, &who, "n-1", now)),
            "---\nid: n-1\ntype: observation\nclass: general\nagent: claude\nkey: dentist.address\ntags: [health]\norigin: agent\ncreated: 2026-11-22T10:00:00Z\nupdated: 2026-11-22T10:00:00Z\n---\n\nThe dentist is at 12 rue X.\n"
        );
    }

    #[test]
    fn what_cannot_be_kept_is_refused_with_its_field() {
        let refused = |write: Write| match check(&write, 64 * 1024) {
            Err(Error::Field { field, .. }) => field,
            Err(Error::TooLarge { .. }) => "too large",
            other => panic!("{other:?}"),
        };
        let text = || Write { text: "x".into(), ..Write::default() };
        assert_eq!(refused(Write::default()), "text");
        assert_eq!(refused(Write { text: "a\0".into(), ..Write::default() }), "text");
        assert_eq!(refused(Write { text: "x".repeat(60_000), ..Write::default() }), "too large");
        assert_eq!(refused(Write { folder: Some("../../etc".into()), ..text() }), "folder");
        assert_eq!(refused(Write { folder: Some("/etc".into()), ..text() }), "folder");
        assert_eq!(refused(Write { title: Some("a\nid: x".into()), ..text() }), "title");
        assert_eq!(refused(Write { importance: Some(f32::NAN), ..text() }), "importance");
        assert!(check(&text(), 64 * 1024).is_ok());
    }
}
