//! Our own: a line of JSON for every note, with all that is known of it.

use std::io::{self, BufRead, Write as Out};

use sanctum_api::memory::{Note, Write};

use super::{Draft, Format, Item, Sink};

pub(super) const FORMAT: Format = Format {
    name: "jsonl",
    file: "what `sanctum memory export` writes",
    knows: |text| {
        let line = text.lines().next().unwrap_or_default();
        line.starts_with('{') && line.contains("\"version\"") && line.contains("\"path\"")
    },
    read,
    write: Some(write),
};

fn read(input: &mut dyn BufRead, sink: &mut Sink<'_>) -> io::Result<()> {
    super::lines(input, sink, |line, at, sink| match serde_json::from_str::<Note>(line) {
        Ok(note) => sink(Item::Draft(Box::new(draft(note, at)))),
        Err(error) => sink(Item::Left(at, format!("it is not a note: {error}"))),
    })
}

fn draft(note: Note, at: String) -> Draft {
    let Note { head, text, .. } = note;
    let folder = head.path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let ours = head.id.len() == 28 && head.id.starts_with("n-");
    let write = Write {
        text,
        title: Some(head.title),
        folder,
        kind: Some(head.kind),
        class: Some(head.class),
        agent: head.agent,
        source: head.source,
        session: head.session,
        key: head.key,
        valid_from: head.valid_from,
        valid_until: head.valid_until,
        importance: Some(head.base.unwrap_or(head.importance)),
        tags: head.tags,
        entities: head.entities,
        ttl_days: head.ttl_days,
        ..Write::default()
    };
    Draft {
        write,
        id: ours.then_some(head.id),
        created: Some(head.created),
        updated: Some(head.updated),
        superseded_by: head.superseded_by,
        accesses: head.accesses,
        at,
    }
}

fn write(note: &Note, out: &mut dyn Out) -> io::Result<()> {
    serde_json::to_writer(&mut *out, note)?;
    out.write_all(b"\n")
}
