//! What the provider says, in no dialect.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Ask;

/// How every good answer begins; has letters of one to four bytes.
pub const HELLO: &str = "Bonjour, maison \u{2014} \u{4f60}\u{597d} \u{1f30d}!";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    pub arguments: Value,
}

/// Tokens it reports. `input` counts everything it read, `output` everything it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    pub input: u64,
    /// Of `input`.
    pub cached: u64,
    /// Of `input`, where the dialect can say it.
    pub written_5m: u64,
    /// Of `input`, where the dialect can say it.
    pub written_1h: u64,
    pub output: u64,
    /// Of `output`, when it thought.
    pub reasoning: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { input: 40, cached: 8, written_5m: 0, written_1h: 0, output: 12, reasoning: 4 }
    }
}

#[derive(Debug, Clone)]
pub struct Say {
    pub thinking: Option<String>,
    pub text: String,
    pub calls: Vec<Call>,
    pub tokens: Tokens,
    /// Whether usage is reported at all.
    pub counts: bool,
    /// Ended by the limit of tokens.
    pub cut_short: bool,
    /// Between the pieces of a streamed answer.
    pub gap: Duration,
}

impl Default for Say {
    fn default() -> Self {
        Self {
            thinking: None,
            text: HELLO.to_owned(),
            calls: Vec::new(),
            tokens: Tokens::default(),
            counts: true,
            cut_short: false,
            gap: Duration::ZERO,
        }
    }
}

impl Say {
    /// What follows from the request.
    pub(super) fn from_ask(ask: &Ask) -> Self {
        let calls = if ask.results.is_empty() { calls(ask) } else { Vec::new() };
        let thinks = ask.thinks || ask.model.contains("think");
        let text = match &ask.schema {
            _ if !calls.is_empty() => String::new(),
            Some(schema) => instance(schema).to_string(),
            None => words(ask),
        };
        Self {
            thinking: thinks.then(|| "The house asks; I weigh it.".to_owned()),
            text,
            calls,
            ..Self::default()
        }
    }

    /// Reasoning tokens, if there was any.
    pub(super) fn reasoning(&self) -> u64 {
        if self.thinking.is_some() { self.tokens.reasoning } else { 0 }
    }
}

/// The pieces a stream sends a text in: word by word, or by the page when it is long.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    if text.len() < 65_536 {
        return text.split_inclusive(' ').collect();
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(4000));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn words(ask: &Ask) -> String {
    let mut text = format!("{HELLO} I read {} characters.", ask.text.chars().count());
    if !ask.pictures.is_empty() {
        text.push_str(&format!(" I saw {} picture(s): {}.", ask.pictures.len(), ask.pictures.join(", ")));
    }
    if !ask.results.is_empty() {
        text.push_str(&format!(" The tools said: {}.", ask.results.join(" | ")));
    }
    text
}

fn calls(ask: &Ask) -> Vec<Call> {
    let told: Vec<Call> = ask.text.lines().filter_map(told).collect();
    if !told.is_empty() {
        return told;
    }
    let some = match &ask.model {
        model if model.contains("parallel") => 2,
        model if model.contains("tool") => 1,
        _ if ask.must_call => 1,
        _ => 0,
    };
    let tools = ask.tools.iter().cycle().take(if ask.tools.is_empty() { 0 } else { some });
    tools.map(|(name, schema)| Call { name: name.clone(), arguments: instance(schema) }).collect()
}

/// `call NAME {json}`.
fn told(line: &str) -> Option<Call> {
    let (name, arguments) = line.trim().strip_prefix("call ")?.split_once(' ')?;
    Some(Call { name: name.to_owned(), arguments: serde_json::from_str(arguments).ok()? })
}

/// The plainest value of a JSON schema.
pub(super) fn instance(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    if let Some(first) = schema["anyOf"].get(0) {
        return instance(first);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"].get(0)?.as_str());
    match kind.map(str::to_ascii_lowercase).as_deref() {
        Some("string") => json!("Paris"),
        Some("integer" | "number") => json!(7),
        Some("boolean") => json!(true),
        Some("array") => json!([instance(&schema["items"])]),
        Some("null") => Value::Null,
        _ => {
            let fields = schema["properties"].as_object().cloned().unwrap_or_default();
            let each = fields.iter().map(|(name, schema)| (name.clone(), instance(schema)));
            Value::Object(each.collect::<Map<_, _>>())
        }
    }
}
