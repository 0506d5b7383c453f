//! A folder of Markdown files: a line of JSON for every file, `{"path": …, "text": …}`, as the command line reads it from the
//! disk and writes it there.

use std::io::{self, BufRead, Write as Out};

use sanctum_api::memory::{Note, Write};
use serde::{Deserialize, Serialize};

use super::{Draft, Format, Item, Sink};

pub(super) const FORMAT: Format = Format {
    name: "obsidian",
    file: "a folder of Markdown files",
    knows: |text| {
        let line = text.lines().next().unwrap_or_default();
        line.starts_with("{\"path\"") && !line.contains("\"version\"")
    },
    read,
    write: Some(write),
};

#[derive(Debug, Serialize, Deserialize)]
struct File {
    path: String,
    text: String,
}

fn read(input: &mut dyn BufRead, sink: &mut Sink<'_>) -> io::Result<()> {
    super::lines(input, sink, |line, at, sink| match serde_json::from_str::<File>(line) {
        Ok(file) => sink(item(file)),
        Err(error) => sink(Item::Left(at, format!("it is not a file: {error}"))),
    })
}

fn item(file: File) -> Item {
    let path = file.path.trim_start_matches("./").to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    if path.starts_with('/')
        || parts.iter().any(|part| part.is_empty() || part.starts_with('.') || part.contains('\\'))
    {
        return Item::Left(path, "it is hidden, or no path below the folder".to_owned());
    }
    let (matter, text) = split(&file.text);
    if text.trim().is_empty() {
        return Item::Left(path, "nothing is written in it".to_owned());
    }
    let name = parts.last().map_or("", |name| name.strip_suffix(".md").unwrap_or(name));
    let folders = parts.get(..parts.len().saturating_sub(1)).unwrap_or_default();
    let own = ["knowledge", "events", "procedures", "inbox", "archive"];
    // A vault of ours keeps its folders; any other becomes knowledge.
    let folder = match folders.first() {
        Some(first) if own.contains(first) => folders.join("/"),
        _ => std::iter::once("knowledge").chain(folders.iter().copied()).collect::<Vec<_>>().join("/"),
    };
    let write = Write {
        text: text.to_owned(),
        // Wiki links name files: the name of the file is the title.
        title: Some(name.to_owned()),
        folder: Some(folder),
        source: Some(format!("obsidian:{path}")),
        tags: tags(matter),
        ..Write::default()
    };
    Item::Draft(Box::new(Draft { write, at: path, ..Draft::default() }))
}

/// Front matter and the text below it.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches('\u{feff}');
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
        return ("", text);
    };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if matches!(line.trim_end(), "---" | "...") {
            return (rest.get(..at).unwrap_or_default(), rest.get(at + line.len()..).unwrap_or_default());
        }
        at += line.len();
    }
    ("", text)
}

/// `tags: [a, b]`, `tags: a, b`, or a list below it; the rest of the front matter belongs to Obsidian's plugins.
fn tags(matter: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut lines = matter.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(value) = line.strip_prefix("tags:").or_else(|| line.strip_prefix("tag:")) else { continue };
        let inline = value.trim().trim_start_matches('[').trim_end_matches(']').split(',');
        tags.extend(inline.map(clean).filter(|tag| !tag.is_empty()));
        while let Some(item) = lines.peek().and_then(|line| line.trim_start().strip_prefix("- ")) {
            tags.push(clean(item));
            lines.next();
        }
    }
    tags
}

fn clean(tag: &str) -> String {
    tag.trim().trim_matches(['"', '\'']).trim_start_matches('#').to_owned()
}

fn write(note: &Note, out: &mut dyn Out) -> io::Result<()> {
    let mut matter = String::from("---\n");
    if !note.head.tags.is_empty() {
        matter.push_str(&format!("tags: [{}]\n", note.head.tags.join(", ")));
    }
    matter.push_str(&format!("created: {}\nupdated: {}\n---\n", note.head.created, note.head.updated));
    let file = File { path: note.head.path.clone(), text: format!("{matter}{}", note.text) };
    serde_json::to_writer(&mut *out, &file)?;
    out.write_all(b"\n")
}
