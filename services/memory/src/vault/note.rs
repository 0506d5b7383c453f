//! What a file says: its front matter, its title, its links, its passages, and what is wrong with it.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use sanctum_api::memory::{Class, Head, Kind, Origin};
use serde::de::DeserializeOwned;

use super::file::Stat;
use super::matter::{self, Entry, Node};
use super::rel::Rel;
use super::{id, link, passage};
use crate::model::Passage;

/// What a file without a word about it is worth.
const IMPORTANCE: f32 = 0.5;

/// A file as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    /// The id its front matter gives it.
    pub(crate) claim: Option<String>,
    /// With the id of its path until the index knows better.
    pub(crate) head: Head,
    pub(crate) passages: Vec<Passage>,
    pub(crate) links: Vec<String>,
    pub(crate) stat: Stat,
    /// SHA-256 of the text below the front matter: what says the same word for word has the same.
    pub(crate) body: [u8; 32],
}

/// What a text is compared by: white space around it and at the ends of its lines says nothing.
pub(crate) fn body_hash(body: &str) -> [u8; 32] {
    let lines: Vec<&str> = body.trim().lines().map(str::trim_end).collect();
    id::sha256(lines.join("\n").as_bytes())
}

/// Bytes of a file, or why there are none to be had.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'b> {
    Whole(&'b [u8]),
    /// Its beginning: the file is longer than a note may be.
    Beginning(&'b [u8]),
    /// It could not be read.
    Nothing(&'b str),
}

/// Reads a file. Whatever is in it, the outcome is a note.
pub(crate) fn understand(rel: &Rel, content: Content<'_>, stat: Stat, zone: &TimeZone) -> Parsed {
    let (bytes, mut troubles) = match content {
        Content::Whole(bytes) => (bytes, Vec::new()),
        Content::Beginning(bytes) => {
            let kept = bytes.len() / 1024;
            let trouble = format!("it has {} bytes: only the first {kept} KiB are read", stat.size);
            (bytes, vec![trouble])
        }
        Content::Nothing(reason) => (&[] as &[u8], vec![format!("it could not be read: {reason}")]),
    };
    let version = match content {
        Content::Whole(bytes) => id::version(bytes),
        _ => id::version(format!("{}-{}-{}", stat.size, stat.modified, stat.inode).as_bytes()),
    };
    let cut_short = matches!(content, Content::Beginning(_));
    let text = readable(bytes, cut_short, &mut troubles);
    let cut = matter::split(&text);
    if cut.unclosed {
        troubles.push("its front matter has no end: a line `---` is missing".to_owned());
    }
    let entries = match cut.matter.map(matter::parse).transpose() {
        Ok(entries) => entries.unwrap_or_default(),
        Err(reason) => {
            troubles.push(format!("its front matter is broken: {reason}"));
            Vec::new()
        }
    };
    let modified = Timestamp::from_nanosecond(stat.modified).unwrap_or(Timestamp::UNIX_EPOCH);
    let modified = Timestamp::from_microsecond(modified.as_microsecond()).unwrap_or(modified);
    let mut fields = Fields { entries: &entries, troubles, zone };
    let claim = fields.text("id").filter(|claim| id::is_id(claim));
    let mut head = head(rel, &mut fields, modified);
    head.version = version;
    head.title = fields.text("title").or_else(|| heading(cut.body)).unwrap_or_else(|| rel.stem().to_owned());
    head.title = head.title.chars().take(300).collect();
    let troubles = fields.troubles;
    head.trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
    let (passages, links) = (passage::passages(cut.body), link::links(cut.body));
    Parsed { claim, head, passages, links, stat, body: body_hash(cut.body) }
}

/// The text of a file that is one.
fn readable(bytes: &[u8], cut_short: bool, troubles: &mut Vec<String>) -> String {
    let text = String::from_utf8_lossy(bytes);
    if bytes.contains(&0) {
        troubles.push("it is not a text".to_owned());
        return String::new();
    }
    if matches!(text, std::borrow::Cow::Owned(_)) {
        let strange = text.chars().filter(|c| *c == '\u{fffd}').count();
        // A file that was cut may end within a character.
        let strange = if cut_short { strange.saturating_sub(3) } else { strange };
        if strange * 20 > text.chars().count() {
            troubles.push("it is not a text".to_owned());
            return String::new();
        }
        if strange > 0 {
            troubles.push("it is not UTF-8: what cannot be read is left out".to_owned());
        }
    }
    text.into_owned()
}

fn heading(body: &str) -> Option<String> {
    let mut fence = false;
    for line in body.lines() {
        fence ^= line.starts_with("```");
        if let Some(title) = line.strip_prefix("# ").filter(|_| !fence) {
            let title = title.trim().trim_end_matches('#').trim_end();
            return (!title.is_empty()).then(|| title.to_owned());
        }
    }
    None
}

fn head(rel: &Rel, fields: &mut Fields<'_>, modified: Timestamp) -> Head {
    let by_folder = match rel.top() {
        "inbox" => Kind::Observation,
        "events" => Kind::Episodic,
        "procedures" => Kind::Procedural,
        _ => Kind::Semantic,
    };
    let created = fields.time("created").unwrap_or(modified);
    Head {
        id: id::of_path(rel.as_str()),
        path: rel.as_str().to_owned(),
        title: String::new(),
        // Other tools have types of their own.
        kind: fields.text("type").and_then(|word| word_of(&word)).unwrap_or(by_folder),
        class: fields.class(),
        origin: fields.origin(),
        agent: fields.text("agent").or_else(|| rel.inbox().map(str::to_owned)),
        source: fields.text("source"),
        session: fields.text("session"),
        key: fields.text("key"),
        created,
        updated: fields.time("updated").unwrap_or(modified).max(created),
        valid_from: fields.time("valid_from"),
        valid_until: fields.time("valid_until"),
        importance: fields.importance(),
        base: fields.number("importance_base"),
        accesses: fields.number("access_count").unwrap_or(0),
        tags: fields.list("tags", true),
        entities: fields.list("entities", false),
        superseded_by: fields.text("superseded_by"),
        ttl_days: fields.days("ttl"),
        version: String::new(),
        trouble: None,
    }
}

fn word_of<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word.to_lowercase())).ok()
}

struct Fields<'e> {
    entries: &'e [Entry],
    troubles: Vec<String>,
    zone: &'e TimeZone,
}

impl Fields<'_> {
    fn text(&self, key: &str) -> Option<String> {
        match self.entries.iter().find(|entry| entry.key == key)?.node {
            Node::Scalar(ref text) if !text.trim().is_empty() => {
                Some(text.trim().chars().take(1000).collect())
            }
            _ => None,
        }
    }

    fn wrong(&mut self, key: &str, value: &str, allowed: &str) {
        let value: String = value.chars().take(60).collect();
        self.troubles.push(format!("`{key}: {value}` is not {allowed}"));
    }

    fn time(&mut self, key: &str) -> Option<Timestamp> {
        let text = self.text(key)?;
        let local = || {
            let spaced = text.replacen(' ', "T", 1);
            let civil: Option<DateTime> = spaced.parse().ok();
            let civil =
                civil.or_else(|| Some(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())));
            civil?.to_zoned(self.zone.clone()).ok().map(|zoned| zoned.timestamp())
        };
        let time = text.parse::<Timestamp>().ok().or_else(local);
        if time.is_none() {
            self.wrong(key, &text, "a time");
        }
        time
    }

    fn number<T: std::str::FromStr>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.wrong(key, &text, "a number");
        }
        number
    }

    fn importance(&mut self) -> f32 {
        match self.number::<f32>("importance") {
            Some(number) if (0.0..=1.0).contains(&number) => number,
            Some(number) => {
                self.wrong("importance", &number.to_string(), "between 0 and 1");
                IMPORTANCE
            }
            None => IMPORTANCE,
        }
    }

    fn days(&mut self, key: &str) -> Option<u32> {
        let text = self.text(key)?;
        let days = text.strip_suffix('d').unwrap_or(&text).trim().parse().ok();
        if days.is_none() {
            self.wrong(key, &text, "a number of days, such as `30d`");
        }
        days
    }

    /// A class that is not known is taken for private.
    fn class(&mut self) -> Class {
        let Some(word) = self.text("class") else { return Class::General };
        word_of(&word).unwrap_or_else(|| {
            self.wrong("class", &word, "`general`, `health` or `finance`: it is kept in the house");
            Class::Health
        })
    }

    /// Who can write into the vault's folder is the owner; what claims to be somebody else's is believed.
    fn origin(&mut self) -> Origin {
        let Some(word) = self.text("origin") else { return Origin::Owner };
        word_of(&word).unwrap_or_else(|| {
            self.wrong(
                "origin",
                &word,
                "`owner`, `agent`, `untrusted` or `system`: it is taken for untrusted",
            );
            Origin::Untrusted
        })
    }

    fn list(&self, key: &str, split: bool) -> Vec<String> {
        let words: Vec<String> =
            match self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node) {
                Some(Node::List(list)) => list.clone(),
                Some(Node::Scalar(text)) => {
                    let at = |c: char| c == ',' || (split && c == ' ');
                    text.split(at).map(str::to_owned).collect()
                }
                _ => Vec::new(),
            };
        let words = words
            .iter()
            .map(|word| word.trim().trim_start_matches('#').chars().take(100).collect::<String>());
        words.filter(|word| !word.is_empty()).take(100).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, text: &[u8]) -> Parsed {
        let stat = Stat { size: text.len() as u64, modified: 1_700_000_000_000_000_000, inode: 1 };
        understand(&Rel::parse(path).unwrap(), Content::Whole(text), stat, &TimeZone::UTC)
    }

    #[test]
    fn front_matter_is_read_and_what_is_not_there_has_a_meaning() {
        let text = b"---\nid: n-1\ntype: procedural\nclass: finance\ncreated: 2026-03-01\nimportance: 0.9\ntags: [a, '#b']\nttl: 30d\nmine: x\n---\n# Title #\n\n[[Link]]\n";
        let parsed = read("knowledge/x.md", text);
        let head = parsed.head;
        assert_eq!((parsed.claim.as_deref(), &*head.title), (Some("n-1"), "Title"));
        assert_eq!((head.kind, head.class, head.origin), (Kind::Procedural, Class::Finance, Origin::Owner));
        assert_eq!(head.created.to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(head.updated.to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(
            (head.importance, head.ttl_days, head.tags),
            (0.9, Some(30), vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!((parsed.links, head.trouble), (vec!["Link".to_owned()], None));
        let bare = read("inbox/claude/Some thing.md", b"words").head;
        assert_eq!(
            (&*bare.title, bare.kind, bare.agent.as_deref()),
            ("Some thing", Kind::Observation, Some("claude"))
        );
    }

    #[test]
    fn what_is_broken_is_kept_and_said() {
        let trouble = |text: &[u8]| read("a.md", text).head.trouble.unwrap();
        assert!(trouble(b"---\na: [1\n---\nwords").contains("broken"));
        assert!(trouble(b"---\ntype: x\n\nwords").contains("no end"));
        assert!(trouble(b"a\0b").contains("not a text"));
        assert!(trouble(&[0xff; 300]).contains("not a text"));
        assert!(
            trouble(b"caf\xe9 is a word in a text that is long enough to be read by people")
                .contains("UTF-8")
        );
        assert!(trouble(b"---\ncreated: soon\nimportance: 7\n---\n").contains("`created: soon`"));
        let parsed = read("a.md", b"---\nclass: secret\na: 1\n---\nfound by its words");
        assert_eq!(parsed.head.class, Class::Health, "what is not known stays in the house");
        let parsed = read("a.md", b"---\na: [1\n---\nfound by its words");
        assert_eq!(parsed.passages[0].text, "found by its words");
    }
}
