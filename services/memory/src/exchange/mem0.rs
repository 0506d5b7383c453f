//! mem0's memories, as its API and its exports give them: `{"results": [{"memory": …}]}` or the array alone.

use std::io::{self, BufRead, Write as Out};

use sanctum_api::memory::{Note, Write};
use serde_json::{Value, json};

use super::{Draft, Format, Item, Sink, elements, moment};
use crate::consolidate::slug;

pub(super) const FORMAT: Format = Format {
    name: "mem0",
    file: "memories as mem0's API gives them (`get_all`)",
    knows: |text| text.starts_with(['[', '{']) && text.contains("\"memory\""),
    read,
    write: Some(write),
};

fn read(input: &mut dyn BufRead, sink: &mut Sink<'_>) -> io::Result<()> {
    // One memory per line is what we write; mem0 itself gives one document.
    elements::each(input, &["results", "memories"], sink, &mut |element, at, sink| {
        let text = |name: &str| element.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(memory) = text("memory").or_else(|| text("text")).filter(|text| !text.trim().is_empty())
        else {
            return sink(Item::Left(at, "it has no text (`memory`)".to_owned()));
        };
        let list = |value: Option<&Value>| -> Vec<String> {
            let all = value.and_then(Value::as_array).into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let tags = list(element.get("categories"));
        let id = text("id").unwrap_or_default();
        let topic = tags
            .first()
            .map(|tag| slug(tag))
            .filter(|tag| !tag.is_empty())
            .unwrap_or_else(|| "mem0".to_owned());
        let write = Write {
            text: memory,
            folder: Some(format!("knowledge/{topic}")),
            agent: text("agent_id"),
            session: text("run_id").map(|run| format!("mem0:{run}")),
            source: Some(format!("mem0:{id}")),
            tags,
            ..Write::default()
        };
        let (created, updated) =
            (element.get("created_at").and_then(moment), element.get("updated_at").and_then(moment));
        sink(Item::Draft(Box::new(Draft { write, created, updated, at, ..Draft::default() })))
    })
}

/// One object of the array that an export is.
fn write(note: &Note, out: &mut dyn Out) -> io::Result<()> {
    let head = &note.head;
    let memory = json!({
        "id": head.id,
        "memory": note.text,
        "agent_id": head.agent,
        "run_id": head.session,
        "categories": head.tags,
        "metadata": { "title": head.title, "path": head.path, "type": head.kind, "class": head.class, "key": head.key },
        "created_at": head.created,
        "updated_at": head.updated,
    });
    serde_json::to_writer(out, &memory)?;
    Ok(())
}
