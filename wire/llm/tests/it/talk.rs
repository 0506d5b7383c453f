//! A conversation both dialects can say, and how each says it.

use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(crate) struct Talk {
    system: Option<String>,
    turns: Vec<Exchange>,
    tools: Vec<(String, Option<String>)>,
    choice: Option<(u8, Option<bool>)>,
    max: u64,
    temperature: Option<u8>,
    stop: Vec<String>,
    user: Option<String>,
    stream: bool,
}

#[derive(Debug, Clone)]
enum Exchange {
    User(Vec<Piece>),
    Assistant { text: Option<String>, calls: Vec<(String, Value, String)> },
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Link(String),
    Picture(String),
    Pdf(String, Option<String>),
}

/// Never blank, which Anthropic refuses, and never the beginning of a tag.
pub(crate) fn text() -> impl Strategy<Value = String> {
    "[a-zé😀][a-z \"\\\\\n\u{1}é😀<>]{0,10}"
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_-]{1,9}"
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        3 => text().prop_map(Piece::Text),
        1 => word().prop_map(|name| Piece::Link(format!("https://example.org/{name}.png"))),
        1 => "[A-Za-z0-9+/]{0,8}".prop_map(Piece::Picture),
        1 => ("[A-Za-z0-9+/]{0,8}", proptest::option::of(word())).prop_map(|(data, name)| Piece::Pdf(data, name)),
    ]
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let arguments = proptest::collection::btree_map(word(), text(), 0..3).prop_map(|map| json!(map));
    let calls = proptest::collection::vec((word(), arguments, text()), 0..4);
    prop_oneof![
        proptest::collection::vec(piece(), 1..4).prop_map(Exchange::User),
        (proptest::option::of(text()), calls).prop_map(|(text, calls)| {
            let text = if calls.is_empty() { Some(text.unwrap_or_else(|| "ok".to_owned())) } else { text };
            Exchange::Assistant { text, calls }
        }),
    ]
}

pub(crate) fn talk() -> impl Strategy<Value = Talk> {
    let first = proptest::collection::vec(piece(), 1..3).prop_map(Exchange::User);
    let turns = (first, proptest::collection::vec(exchange(), 0..6)).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    });
    let tools = proptest::collection::vec((word(), proptest::option::of(text())), 1..3);
    let rest = (
        proptest::option::of((0..4_u8, proptest::option::of(any::<bool>()))),
        1..1_000_000_u64,
        proptest::option::of(0..=10_u8),
        proptest::collection::vec(text(), 0..4),
        proptest::option::of(text()),
        any::<bool>(),
    );
    (proptest::option::of(text()), turns, tools, rest).prop_map(|(system, turns, tools, rest)| {
        let (choice, max, temperature, stop, user, stream) = rest;
        Talk { system, turns, tools, choice, max, temperature, stop, user, stream }
    })
}

fn set(body: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        body[name] = value;
    }
}

impl Talk {
    fn temperature(&self) -> Option<Value> {
        self.temperature.map(|tenths| json!(f64::from(tenths) / 10.0))
    }

    pub(crate) fn chat(&self) -> Value {
        let mut messages = Vec::new();
        messages.extend(self.system.iter().map(|text| json!({"role": "system", "content": text})));
        let mut count = 0;
        for turn in &self.turns {
            match turn {
                Exchange::User(pieces) => {
                    messages.push(json!({"role": "user", "content": content(pieces, chat_piece)}));
                }
                Exchange::Assistant { text, calls } => {
                    let mut message = json!({"role": "assistant", "content": text});
                    let mut results = Vec::new();
                    let mut list = Vec::new();
                    for (name, arguments, result) in calls {
                        count += 1;
                        let id = format!("call_{count}");
                        list.push(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments.to_string()}}));
                        results.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
                    }
                    if !list.is_empty() {
                        message["tool_calls"] = json!(list);
                    }
                    messages.push(message);
                    messages.append(&mut results);
                }
            }
        }
        let tools: Vec<Value> = self
            .tools
            .iter()
            .map(|(name, about)| {
                let mut function = json!({"name": name, "parameters": {"type": "object"}});
                set(&mut function, "description", about.as_ref().map(|about| json!(about)));
                json!({"type": "function", "function": function})
            })
            .collect();
        let mut body = json!({"model": "m", "messages": messages, "tools": tools, "max_tokens": self.max, "stream": self.stream});
        set(&mut body, "temperature", self.temperature());
        set(&mut body, "user", self.user.as_ref().map(|user| json!(user)));
        set(&mut body, "stop", (!self.stop.is_empty()).then(|| json!(self.stop)));
        if let Some((choice, parallel)) = self.choice {
            body["tool_choice"] = match choice {
                0 => json!("auto"),
                1 => json!("required"),
                2 => json!("none"),
                _ => json!({"type": "function", "function": {"name": self.tools[0].0}}),
            };
            set(&mut body, "parallel_tool_calls", parallel.filter(|_| choice != 2).map(|flag| json!(flag)));
        }
        body
    }

    pub(crate) fn messages(&self) -> Value {
        let mut messages = Vec::new();
        let mut count = 0;
        for turn in &self.turns {
            match turn {
                Exchange::User(pieces) => {
                    messages.push(json!({"role": "user", "content": content(pieces, messages_piece)}));
                }
                Exchange::Assistant { text, calls } => {
                    let mut blocks: Vec<Value> =
                        text.iter().map(|text| json!({"type": "text", "text": text})).collect();
                    let mut results = Vec::new();
                    for (name, arguments, result) in calls {
                        count += 1;
                        let id = format!("call_{count}");
                        blocks.push(json!({"type": "tool_use", "id": id, "name": name, "input": arguments}));
                        results.push(json!({"type": "tool_result", "tool_use_id": id, "content": result}));
                    }
                    messages.push(json!({"role": "assistant", "content": blocks}));
                    if !results.is_empty() {
                        messages.push(json!({"role": "user", "content": results}));
                    }
                }
            }
        }
        let tools: Vec<Value> = self
            .tools
            .iter()
            .map(|(name, about)| {
                let mut tool = json!({"name": name, "input_schema": {"type": "object"}});
                set(&mut tool, "description", about.as_ref().map(|about| json!(about)));
                tool
            })
            .collect();
        let mut body = json!({"model": "m", "messages": messages, "tools": tools, "max_tokens": self.max, "stream": self.stream});
        set(&mut body, "system", self.system.as_ref().map(|text| json!(text)));
        set(&mut body, "temperature", self.temperature());
        set(&mut body, "metadata", self.user.as_ref().map(|user| json!({"user_id": user})));
        set(&mut body, "stop_sequences", (!self.stop.is_empty()).then(|| json!(self.stop)));
        if let Some((choice, parallel)) = self.choice {
            let mut said = match choice {
                0 => json!({"type": "auto"}),
                1 => json!({"type": "any"}),
                2 => json!({"type": "none"}),
                _ => json!({"type": "tool", "name": self.tools[0].0}),
            };
            let parallel = parallel.filter(|_| choice != 2);
            set(&mut said, "disable_parallel_tool_use", parallel.map(|flag| json!(!flag)));
            body["tool_choice"] = said;
        }
        body
    }
}

fn content(pieces: &[Piece], each: fn(&Piece) -> Value) -> Value {
    match pieces {
        [Piece::Text(text)] => json!(text),
        pieces => pieces.iter().map(each).collect(),
    }
}

fn chat_piece(piece: &Piece) -> Value {
    match piece {
        Piece::Text(text) => json!({"type": "text", "text": text}),
        Piece::Link(url) => json!({"type": "image_url", "image_url": {"url": url}}),
        Piece::Picture(data) => {
            json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}})
        }
        Piece::Pdf(data, name) => {
            let mut file = json!({"file_data": format!("data:application/pdf;base64,{data}")});
            set(&mut file, "filename", name.as_ref().map(|name| json!(name)));
            json!({"type": "file", "file": file})
        }
    }
}

fn messages_piece(piece: &Piece) -> Value {
    let base64 = |media: &str, data: &str| json!({"type": "base64", "media_type": media, "data": data});
    match piece {
        Piece::Text(text) => json!({"type": "text", "text": text}),
        Piece::Link(url) => json!({"type": "image", "source": {"type": "url", "url": url}}),
        Piece::Picture(data) => json!({"type": "image", "source": base64("image/png", data)}),
        Piece::Pdf(data, name) => {
            let mut block = json!({"type": "document", "source": base64("application/pdf", data)});
            set(&mut block, "title", name.as_ref().map(|name| json!(name)));
            block
        }
    }
}

/// Puts a field nobody knows into one of the objects that are understood; returns its name.
pub(crate) fn mark(body: &mut Value, at: proptest::sample::Index, name: &str) {
    let count = places(body, &mut |_| ());
    let chosen = at.index(count);
    let mut index = 0;
    places(body, &mut |object| {
        if index == chosen {
            object.insert(name.to_owned(), json!({"b": [1, 2.50], "a": "x\n"}));
        }
        index += 1;
    });
}

fn places(value: &mut Value, each: &mut dyn FnMut(&mut serde_json::Map<String, Value>)) -> usize {
    match value {
        Value::Object(object) => {
            each(object);
            let inner = object.iter_mut().filter(|(key, _)| {
                !key.starts_with("zz_") && !matches!(key.as_str(), "parameters" | "input_schema" | "input")
            });
            1 + inner.map(|(_, value)| places(value, each)).sum::<usize>()
        }
        Value::Array(list) => list.iter_mut().map(|value| places(value, each)).sum(),
        _ => 0,
    }
}
