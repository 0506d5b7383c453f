//! What was masked, put back into an answer that may come in pieces cut anywhere.

use std::borrow::Cow;
use std::sync::Arc;

use sanctum_llm::{Answer, Delta, Event, Part};

/// Placeholders of one request and what they stand for. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Masked(pub(super) Arc<Vec<(String, String)>>);

impl Masked {
    /// Nothing was masked: the answer need not be looked at.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many different things were masked.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Puts everything back into a text; `json`: the text is JSON, and what is put in is written so.
    pub fn restore(&self, text: &str, json: bool) -> String {
        let mut out = String::with_capacity(text.len());
        let rest = self.advance(text, json, &mut out);
        out.push_str(rest);
        out
    }

    /// The answer as the client may see it. Signed reasoning is left as its issuer signed it.
    pub fn after(&self, answer: &mut Answer) {
        if !self.is_empty() {
            answer.parts.iter_mut().for_each(|part| self.part(part));
        }
    }

    fn part(&self, part: &mut Part) {
        match part {
            Part::Text { text, .. } | Part::Refusal { text } | Part::Thinking { text, signature: None } => {
                *text = self.restore(text, false);
            }
            Part::ToolCall { arguments, .. } => *arguments = self.restore(arguments, true),
            Part::ToolResult { parts, .. } => parts.iter_mut().for_each(|part| self.part(part)),
            _ => {}
        }
    }

    /// For a streamed answer.
    pub fn stream(&self) -> Restore {
        Restore { masked: self.clone(), held: String::new(), kind: Held::Nothing }
    }

    /// Writes out what is certain and returns what may be the beginning of a placeholder.
    fn advance<'t>(&self, text: &'t str, json: bool, out: &mut String) -> &'t str {
        let mut rest = text;
        while let Some(at) = rest.find('[') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            if let Some((placeholder, value)) = self.0.iter().find(|(word, _)| from.starts_with(&**word)) {
                out.push_str(&written(value, json));
                rest = from.get(placeholder.len()..).unwrap_or_default();
            } else if self.0.iter().any(|(word, _)| word.starts_with(from)) {
                return from;
            } else {
                out.push('[');
                rest = from.get(1..).unwrap_or_default();
            }
        }
        out.push_str(rest);
        ""
    }
}

/// A value inside a JSON string.
fn written(value: &str, json: bool) -> Cow<'_, str> {
    if !json {
        return Cow::Borrowed(value);
    }
    let quoted = serde_json::to_string(value).unwrap_or_default();
    let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    Cow::Owned(inner.to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    Text,
    Refusal,
    Arguments,
}

/// Puts things back while a stream passes. What may be the beginning of a placeholder waits for its next piece, at the
/// latest until its part is closed.
#[derive(Debug)]
pub struct Restore {
    masked: Masked,
    held: String,
    kind: Held,
}

impl Restore {
    /// One event in, what the client gets out.
    pub fn event(&mut self, event: Event, into: &mut Vec<Event>) {
        match event {
            Event::Delta { index, delta } => match delta {
                Delta::Text(text) => self.delta(index, &text, Held::Text, into),
                Delta::Refusal(text) => self.delta(index, &text, Held::Refusal, into),
                Delta::Arguments(text) => self.delta(index, &text, Held::Arguments, into),
                // Reasoning may be signed later: it stays as its issuer wrote it.
                other => into.push(Event::Delta { index, delta: other }),
            },
            Event::Close { index } => {
                self.flush(index, into);
                into.push(Event::Close { index });
            }
            other => into.push(other),
        }
    }

    fn delta(&mut self, index: usize, text: &str, kind: Held, into: &mut Vec<Event>) {
        self.kind = kind;
        let joined = if self.held.is_empty() {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(format!("{}{text}", self.held))
        };
        let mut out = String::with_capacity(joined.len());
        let held = self.masked.advance(&joined, kind == Held::Arguments, &mut out).to_owned();
        self.held = held;
        if !out.is_empty() || text.is_empty() {
            into.push(Event::Delta { index, delta: delta(kind, out) });
        }
    }

    /// It was no placeholder after all.
    fn flush(&mut self, index: usize, into: &mut Vec<Event>) {
        if !self.held.is_empty() {
            let text = std::mem::take(&mut self.held);
            into.push(Event::Delta { index, delta: delta(self.kind, text) });
        }
        self.kind = Held::Nothing;
    }
}

fn delta(kind: Held, text: String) -> Delta {
    match kind {
        Held::Nothing | Held::Text => Delta::Text(text),
        Held::Refusal => Delta::Refusal(text),
        Held::Arguments => Delta::Arguments(text),
    }
}
