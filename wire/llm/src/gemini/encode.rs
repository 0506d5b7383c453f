//! Streams for a client of this dialect.

use super::answer::{finish_word, write_usage};
use super::fault;
use super::part::{self, alone};
use crate::extra::Losses;
use crate::json::Object;
use crate::sse;
use crate::write::{list, object};
use crate::{Delta, Dialect, Encode, Event, Finish, Loss, Opening, Request, Usage};

#[derive(Debug)]
pub(super) struct Encoder {
    id: String,
    model: String,
    open: Open,
    parts: usize,
    usage: Option<Usage>,
    finish: Finish,
    ended: bool,
    losses: Losses,
}

#[derive(Debug)]
enum Open {
    Nothing,
    Text,
    Thinking {
        said: bool,
        signature: String,
    },
    /// Arguments are an object here and cannot be sent in pieces.
    Call {
        id: String,
        name: String,
        signature: Option<String>,
        arguments: String,
    },
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, into: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            Event::Start { id, model, .. } => {
                id.clone_into(&mut self.id);
                if !model.is_empty() {
                    model.clone_into(&mut self.model);
                }
            }
            Event::Open { part, .. } => self.open(part, into),
            Event::Delta { delta, .. } => self.delta(delta, into),
            Event::Close { .. } => self.close(into),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { finish, stop_sequence } => {
                self.finish = finish.clone();
                if stop_sequence.is_some() {
                    self.losses.dropped("stop_sequence");
                }
            }
            Event::Ping => self.heartbeat(into),
            Event::Fault(told) => {
                sse::event(into, None, |out| out.extend_from_slice(&fault::write(told)));
                self.ended = true;
            }
            Event::End => self.end(into),
        }
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.losses.take()
    }

    /// Google's own clients take every line for JSON: comments would break them, an answer without candidates does not.
    fn heartbeat(&mut self, into: &mut Vec<u8>) {
        sse::event(into, None, |out| out.extend_from_slice(b"{}"));
    }
}

impl Encoder {
    pub(super) fn new(asked: &Request) -> Self {
        Self {
            id: String::new(),
            model: asked.model.clone(),
            open: Open::Nothing,
            parts: 0,
            usage: None,
            finish: Finish::Stop,
            ended: false,
            losses: Losses::default(),
        }
    }

    fn open(&mut self, part: &Opening, into: &mut Vec<u8>) {
        let at = format!("answer.parts[{}]", self.parts);
        self.parts += 1;
        self.open = match part {
            Opening::Text => Open::Text,
            Opening::Refusal => {
                self.losses.became(at, "text");
                Open::Text
            }
            Opening::Thinking => Open::Thinking { said: false, signature: String::new() },
            Opening::ToolCall { id, name, signature } => Open::Call {
                id: id.clone(),
                name: name.clone(),
                signature: signature.clone(),
                arguments: String::new(),
            },
            Opening::Redacted { .. } => {
                self.losses.became(at, "dropped: only its issuer can read it");
                Open::Nothing
            }
            Opening::Opaque { dialect: Dialect::Gemini, json } => {
                self.part(json.get().as_bytes(), into);
                Open::Nothing
            }
            Opening::Opaque { .. } => {
                self.losses.dropped(at);
                Open::Nothing
            }
        };
    }

    fn delta(&mut self, delta: &Delta, into: &mut Vec<u8>) {
        match (&mut self.open, delta) {
            (Open::Text, Delta::Text(text) | Delta::Refusal(text)) if !text.is_empty() => {
                let part = alone(|o| _ = o.string("text", text));
                self.part(&part, into);
            }
            (Open::Thinking { said, .. }, Delta::Thinking(text)) if !text.is_empty() => {
                *said = true;
                let part = alone(|o| part::thought(text, None, o));
                self.part(&part, into);
            }
            (Open::Thinking { signature, .. }, Delta::Signature(piece)) => signature.push_str(piece),
            (Open::Call { arguments, .. }, Delta::Arguments(piece)) => arguments.push_str(piece),
            (_, Delta::Note { .. }) => self.losses.dropped(format!("answer.parts[{}].notes", self.parts - 1)),
            _ => {}
        }
    }

    fn close(&mut self, into: &mut Vec<u8>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Thinking { said, signature } if !signature.is_empty() => {
                let part = alone(|o| {
                    o.put("text", "");
                    if said {
                        o.put("thought", &true);
                    }
                    o.put("thoughtSignature", &signature);
                });
                self.part(&part, into);
            }
            Open::Call { id, name, signature, arguments } => {
                let at = format!("answer.parts[{}]", self.parts - 1);
                let mut parts = Vec::new();
                list(&mut parts, |list| {
                    let call = part::Call { id: &id, name: &name, arguments: &arguments };
                    part::call(call, signature.as_deref(), &at, list, &mut self.losses);
                });
                self.chunk(None, &parts, into);
            }
            _ => {}
        }
    }

    fn part(&mut self, part: &[u8], into: &mut Vec<u8>) {
        let parts = [b"[".as_slice(), part, b"]"].concat();
        self.chunk(None, &parts, into);
    }

    fn chunk(&mut self, finish: Option<&str>, parts: &[u8], into: &mut Vec<u8>) {
        sse::event(into, None, |out| {
            object(out, |o| {
                o.each("candidates", |list| {
                    list.with(|o| {
                        o.with("content", |o| {
                            o.key("parts").extend_from_slice(parts);
                            o.string("role", "model");
                        });
                        o.maybe("finishReason", finish).count("index", 0);
                    });
                });
                self.about(finish.is_some(), o);
            });
        });
    }

    fn about(&self, last: bool, o: &mut Object<'_>) {
        if let Some(usage) = self.usage.filter(|_| last) {
            write_usage(usage, o);
        }
        o.string("modelVersion", &self.model).string("responseId", &self.id);
    }

    fn end(&mut self, into: &mut Vec<u8>) {
        let finish = self.finish.clone();
        let word = finish_word(&finish, &mut self.losses);
        self.chunk(Some(word), b"[{\"text\":\"\"}]", into);
        self.ended = true;
    }
}
