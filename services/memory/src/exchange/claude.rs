//! Claude's export: `conversations.json`, an array of conversations with `chat_messages`.

use std::io::{self, BufRead};

use serde_json::Value;

use super::turns::{Talk, Turn};
use super::{Format, Item, Sink, elements, moment};

pub(super) const FORMAT: Format = Format {
    name: "claude",
    file: "`conversations.json` out of Claude's export",
    knows: |text| text.starts_with('[') && text.contains("\"chat_messages\""),
    read,
    write: None,
};

fn read(input: &mut dyn BufRead, sink: &mut Sink<'_>) -> io::Result<()> {
    elements::each(input, &["conversations"], sink, &mut |element, at, sink| {
        let Some(messages) = element.get("chat_messages").and_then(Value::as_array) else {
            return sink(Item::Left(at, "it has no messages (`chat_messages`)".to_owned()));
        };
        let text = |name: &str| element.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let talk = Talk {
            from: "claude",
            id: text("uuid"),
            title: text("name"),
            created: element.get("created_at").and_then(moment),
            updated: element.get("updated_at").and_then(moment),
            turns: messages.iter().filter_map(turn).collect(),
        };
        let at = format!("{at} (`{}`)", talk.title.chars().take(60).collect::<String>());
        talk.hand_on(&at, sink)
    })
}

fn turn(message: &Value) -> Option<Turn> {
    let who = match message.get("sender").and_then(Value::as_str)? {
        "human" => "user",
        "assistant" => "assistant",
        _ => return None,
    };
    let parts = message.get("content").and_then(Value::as_array);
    let spoken: Vec<&str> = parts
        .into_iter()
        .flatten()
        .filter(|part| part.get("type").and_then(Value::as_str) == Some("text"))
        .filter_map(|part| part.get("text").and_then(Value::as_str))
        .collect();
    let mut text = spoken.join("\n");
    if text.trim().is_empty() {
        message.get("text").and_then(Value::as_str).unwrap_or_default().clone_into(&mut text);
    }
    // What was attached was read out of a file, and is part of what was said.
    for file in message.get("attachments").and_then(Value::as_array).into_iter().flatten() {
        let name = file.get("file_name").and_then(Value::as_str).unwrap_or("attachment");
        if let Some(inside) =
            file.get("extracted_content").and_then(Value::as_str).filter(|inside| !inside.is_empty())
        {
            text.push_str(&format!("\n\n> {name}\n{inside}"));
        }
    }
    (!text.trim().is_empty()).then_some(Turn { who, text })
}
