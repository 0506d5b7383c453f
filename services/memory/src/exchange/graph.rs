//! The file of the reference memory server of MCP: a line of JSON for every entity and every relation.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write as Out};
use std::ops::ControlFlow;

use sanctum_api::memory::{Note, Write};
use serde_json::{Value, json};

use super::{Draft, Format, Item, Sink};
use crate::consolidate::slug;

pub(super) const FORMAT: Format = Format {
    name: "mcp-memory",
    file: "`memory.jsonl` of the MCP memory server",
    knows: |text| {
        let line = text.lines().next().unwrap_or_default();
        line.contains("\"entityType\"") || line.contains("\"relationType\"")
    },
    read,
    write: Some(write),
};

#[derive(Default)]
struct Entity {
    kind: String,
    observations: Vec<String>,
    relations: Vec<(String, String)>,
    at: String,
}

/// Relations may stand before their entities, so the whole graph is read before a note is made; it was made to fit a
/// model's context.
fn read(input: &mut dyn BufRead, sink: &mut Sink<'_>) -> io::Result<()> {
    let mut entities: BTreeMap<String, Entity> = BTreeMap::new();
    let mut stopped = false;
    super::lines(input, sink, |line, at, sink| {
        let flow = match serde_json::from_str::<Value>(line) {
            Ok(value) => take(&value, &at, &mut entities)
                .map_or_else(|why| sink(Item::Left(at, why.to_owned())), ControlFlow::Continue),
            Err(error) => sink(Item::Left(at, format!("it is not JSON: {error}"))),
        };
        stopped |= flow.is_break();
        flow
    })?;
    for (name, entity) in entities {
        if stopped || sink(made(&name, entity)).is_break() {
            break;
        }
    }
    Ok(())
}

fn take(value: &Value, at: &str, entities: &mut BTreeMap<String, Entity>) -> Result<(), &'static str> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    if let (Some(from), Some(to)) = (text("from"), text("to")) {
        let how = text("relationType").unwrap_or("relates to").replace('_', " ");
        entities.entry(from.to_owned()).or_default().relations.push((how, to.to_owned()));
        return Ok(());
    }
    let name = text("name").ok_or("it is neither an entity nor a relation")?;
    let entity = entities.entry(name.to_owned()).or_default();
    text("entityType").unwrap_or_default().clone_into(&mut entity.kind);
    at.clone_into(&mut entity.at);
    let said = value.get("observations").and_then(Value::as_array).into_iter().flatten();
    entity.observations.extend(said.filter_map(Value::as_str).map(str::to_owned));
    Ok(())
}

fn made(name: &str, entity: Entity) -> Item {
    let lines = entity.observations.iter().map(|said| format!("- {}", said.trim().replace('\n', "\n  ")));
    let links = entity.relations.iter().map(|(how, to)| format!("- {how} [[{to}]]"));
    let text = lines.chain(links).collect::<Vec<_>>().join("\n");
    let at = if entity.at.is_empty() { format!("`{name}`") } else { entity.at };
    if text.is_empty() {
        return Item::Left(at, format!("nothing is said of `{name}`"));
    }
    let kind = slug(&entity.kind);
    let write = Write {
        text,
        title: Some(name.to_owned()),
        folder: Some(format!("knowledge/{}", if kind.is_empty() { "general" } else { &kind })),
        source: Some(format!("mcp-memory:{name}")),
        tags: (!kind.is_empty()).then_some(kind).into_iter().collect(),
        entities: vec![name.to_owned()],
        ..Write::default()
    };
    Item::Draft(Box::new(Draft { write, at, ..Draft::default() }))
}

/// Every note an entity, every line of a list and every paragraph an observation, every wiki link a relation.
fn write(note: &Note, out: &mut dyn Out) -> io::Result<()> {
    let mut observations = Vec::new();
    let mut relations = Vec::new();
    for line in note
        .text
        .lines()
        .map(|line| line.trim_start_matches(['-', '*', ' ']).trim())
        .filter(|line| !line.is_empty())
    {
        if let Some((how, rest)) = line.split_once("[[")
            && let Some((to, "")) = rest.split_once("]]")
        {
            let how = if how.trim().is_empty() { "links to" } else { how.trim() };
            relations
                .push(json!({ "type": "relation", "from": note.head.title, "to": to, "relationType": how }));
        } else {
            observations.push(line);
        }
    }
    let kind = note.head.tags.first().map_or("note", String::as_str);
    let entity = json!({ "type": "entity", "name": note.head.title, "entityType": kind, "observations": observations });
    for value in std::iter::once(&entity).chain(&relations) {
        serde_json::to_writer(&mut *out, value)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
