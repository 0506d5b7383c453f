//! Front matter: read by a YAML parser, changed line by line, so that what people wrote stays as they wrote it.

use yaml_rust2::parser::{Event, Parser};

/// More than this is no front matter.
pub(crate) const LONGEST: usize = 64 * 1024;
const DEEPEST: usize = 32;

/// A file in its two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split<'t> {
    /// The lines between `---`; `None` if there are none.
    pub(crate) matter: Option<&'t str>,
    pub(crate) body: &'t str,
    /// It begins like front matter and has no end.
    pub(crate) unclosed: bool,
}

/// Separates front matter from text.
pub(crate) fn split(text: &str) -> Split<'_> {
    let none = Split { matter: None, body: text, unclosed: false };
    let start = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(rest) = start.strip_prefix("---\n").or_else(|| start.strip_prefix("---\r\n")) else {
        return none;
    };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            let (matter, after) = (rest.get(..at), rest.get(at + line.len()..));
            return Split { matter, body: after.unwrap_or_default(), unclosed: false };
        }
        at += line.len();
        if at > LONGEST {
            break;
        }
    }
    // A rule at the top of a text is no front matter; a key below it means that it was meant.
    let first = rest.lines().next().unwrap_or_default();
    let key = first.split_once(':').is_some_and(|(key, _)| {
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    });
    Split { unclosed: key, ..none }
}

/// What stands behind a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Scalar(String),
    List(Vec<String>),
    /// A map, a list of lists: nothing of ours.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// Its line, from 0.
    pub(crate) line: usize,
    pub(crate) node: Node,
}

/// Reads the lines between `---`. The error says where and what.
pub(crate) fn parse(text: &str) -> Result<Vec<Entry>, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let mut parser = Parser::new_from_str(text);
    let mut reading = Reading::default();
    loop {
        let (event, mark) = parser.next_token().map_err(|error| {
            // The line with `---` is the first of the file.
            format!("line {}: {}", error.marker().line() + 1, error.info())
        })?;
        if event == Event::StreamEnd {
            return Ok(reading.entries);
        }
        reading.take(event, mark.line().saturating_sub(1))?;
    }
}

#[derive(Debug, Default)]
struct Reading {
    depth: usize,
    entries: Vec<Entry>,
    /// A key whose value is awaited.
    key: Option<(String, usize)>,
    list: Option<Vec<String>>,
    other: bool,
}

impl Reading {
    fn take(&mut self, event: Event, line: usize) -> Result<(), String> {
        let shown = line + 2;
        match event {
            Event::Alias(_) => return Err(format!("line {shown}: references (`*`) are not read")),
            Event::Scalar(text, style, ..) => {
                let plain = style == yaml_rust2::scanner::TScalarStyle::Plain;
                let empty = plain && matches!(&*text, "" | "~" | "null");
                self.scalar(if empty { String::new() } else { text }, line)?;
            }
            Event::SequenceStart(..) => {
                self.deeper(shown)?;
                match (self.depth, &self.key) {
                    (2, Some(_)) => self.list = Some(Vec::new()),
                    (1, _) => return Err("it is a list, not keys with values".to_owned()),
                    _ => self.other = true,
                }
            }
            Event::MappingStart(..) => {
                self.deeper(shown)?;
                if self.depth == 2 && self.key.is_none() {
                    return Err(format!("line {shown}: a key cannot be a map"));
                }
                self.other |= self.depth > 1;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 1 {
                    let list = self.list.take();
                    let node = match list {
                        Some(list) if !self.other => Node::List(list),
                        _ => Node::Other,
                    };
                    self.other = false;
                    self.end(node);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn deeper(&mut self, line: usize) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(format!("line {line}: it is nested too deeply")) } else { Ok(()) }
    }

    fn scalar(&mut self, text: String, line: usize) -> Result<(), String> {
        match (self.depth, &mut self.list) {
            (0, _) if text.is_empty() => {}
            (0, _) => return Err("it is a text, not keys with values".to_owned()),
            (1, _) if self.key.is_none() => {
                if self.entries.iter().any(|entry| entry.key == text) {
                    return Err(format!("line {}: `{text}` is there twice", line + 2));
                }
                self.key = Some((text, line));
            }
            (1, _) => self.end(Node::Scalar(text)),
            (2, Some(list)) => list.push(text),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, node: Node) {
        if let Some((key, line)) = self.key.take() {
            self.entries.push(Entry { key, line, node });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_has_front_matter_only_if_it_ends() {
        let split_of = |text| {
            let split = split(text);
            (split.matter, split.body, split.unclosed)
        };
        assert_eq!(split_of("---\na: 1\n---\ntext"), (Some("a: 1\n"), "text", false));
        assert_eq!(split_of("---\r\na: 1\r\n---\r\ntext"), (Some("a: 1\r\n"), "text", false));
        assert_eq!(split_of("---\n---\n"), (Some(""), "", false));
        assert_eq!(split_of("---\n\na rule above\n"), (None, "---\n\na rule above\n", false));
        assert_eq!(split_of("---\ntype: semantic\n\ntext\n"), (None, "---\ntype: semantic\n\ntext\n", true));
        assert_eq!(split_of("text"), (None, "text", false));
    }

    #[test]
    fn keys_are_found_with_their_lines() {
        let text = "# mine\ntitle: \"A: b\"\ntags: [x, 'y z']\nalias:\n  - one\n  - two\nmap: {a: 1}\nnote: |\n  # no comment\n  two\nempty:\n";
        let entries = parse(text).unwrap();
        let lines: Vec<_> = entries.iter().map(|entry| (&*entry.key, entry.line)).collect();
        assert_eq!(lines, [("title", 1), ("tags", 2), ("alias", 3), ("map", 6), ("note", 7), ("empty", 10)]);
        let nodes: Vec<_> = entries.into_iter().map(|entry| entry.node).collect();
        let list = |words: &[&str]| Node::List(words.iter().map(|&word| word.to_owned()).collect());
        assert_eq!(nodes[0], Node::Scalar("A: b".to_owned()));
        assert_eq!(nodes[1], list(&["x", "y z"]));
        assert_eq!(nodes[2], list(&["one", "two"]));
        assert_eq!(nodes[3], Node::Other);
        assert_eq!(nodes[5], Node::Scalar(String::new()));
    }

    #[test]
    fn what_is_broken_says_where() {
        assert!(parse("a: [1,\nb: 2\n").unwrap_err().contains("line "));
        assert!(parse("a: 1\na: 2\n").unwrap_err().contains("twice"));
        assert!(parse("just words").unwrap_err().contains("a text"));
        assert!(parse("- a\n- b\n").unwrap_err().contains("a list"));
        assert!(parse("a: &x [1]\nb: *x\n").unwrap_err().contains("references"));
        assert!(parse(&format!("a: {}{}", "[".repeat(60), "]".repeat(60))).is_err());
        assert!(parse(&format!("a: {}", "[".repeat(60_000))).is_err());
        assert_eq!(parse("").unwrap(), []);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-a-c:\\[\\]{}|>&*!#'\" \n]{0,80}") {
            parse(&text).ok();
            split(&format!("---\n{text}"));
        }
    }
}
