//! ChatGPT's export: `conversations.json`, an array of conversations, each a tree of messages of which one branch is shown.

use std::io::{self, BufRead};

use serde_json::Value;

use super::turns::{Talk, Turn};
use super::{Format, Item, Sink, elements, moment};

pub(super) const FORMAT: Format = Format {
    name: "chatgpt",
    file: "`conversations.json` out of ChatGPT's export",
    knows: |text| text.starts_with('[') && text.contains("\"mapping\""),
    read,
    write: None,
};

fn read(input: &mut dyn BufRead, sink: &mut Sink<'_>) -> io::Result<()> {
    elements::each(input, &["conversations"], sink, &mut |element, at, sink| match talk(&element) {
        Ok(talk) => {
            let at = format!("{at} (`{}`)", talk.title.chars().take(60).collect::<String>());
            talk.hand_on(&at, sink)
        }
        Err(why) => sink(Item::Left(at, why.to_owned())),
    })
}

fn talk(element: &Value) -> Result<Talk, &'static str> {
    let mapping =
        element.get("mapping").and_then(Value::as_object).ok_or("it has no messages (`mapping`)")?;
    let text = |name: &str| element.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut branch = Vec::new();
    let mut at = text("current_node").or_else(|| last(mapping));
    // A tree that leads back into itself ends after as many steps as it has nodes.
    while let Some(node) =
        at.as_ref().and_then(|id| mapping.get(id)).filter(|_| branch.len() <= mapping.len())
    {
        branch.push(node);
        at = node.get("parent").and_then(Value::as_str).map(str::to_owned);
    }
    let turns = branch.into_iter().rev().filter_map(|node| turn(node.get("message")?)).collect();
    Ok(Talk {
        from: "chatgpt",
        id: text("conversation_id").or_else(|| text("id")).unwrap_or_default(),
        title: text("title").unwrap_or_default(),
        created: element.get("create_time").and_then(moment),
        updated: element.get("update_time").and_then(moment),
        turns,
    })
}

/// The leaf that was made last: old exports name no current node.
fn last(mapping: &serde_json::Map<String, Value>) -> Option<String> {
    let leaf = |node: &&Value| node.get("children").and_then(Value::as_array).is_none_or(Vec::is_empty);
    let time = |node: &Value| node.pointer("/message/create_time").and_then(Value::as_f64).unwrap_or(0.0);
    let leaves = mapping.iter().filter(|(_, node)| leaf(node));
    leaves.max_by(|a, b| time(a.1).total_cmp(&time(b.1))).map(|(id, _)| id.clone())
}

fn turn(message: &Value) -> Option<Turn> {
    let who = match message.pointer("/author/role").and_then(Value::as_str)? {
        "user" => "user",
        "assistant" => "assistant",
        _ => return None,
    };
    let hidden = message.pointer("/metadata/is_visually_hidden_from_conversation").and_then(Value::as_bool);
    if hidden == Some(true) {
        return None;
    }
    let parts = message.pointer("/content/parts").and_then(Value::as_array);
    let text = match parts {
        Some(parts) => parts.iter().filter_map(part).collect::<Vec<_>>().join("\n"),
        None => message.pointer("/content/text").and_then(Value::as_str)?.to_owned(),
    };
    (!text.trim().is_empty()).then_some(Turn { who, text })
}

/// Text as it is; of a picture only what is said of it, if it was spoken.
fn part(part: &Value) -> Option<String> {
    match part {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => object.get("text").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    }
}
