//! Events as the frames a client of messages reads.

use super::{answer_out, fault, seals, usage};
use crate::{
    Delta, Dialect, Encode, Event, Finish, Loss, Opening, Usage,
    extra::Losses,
    json::{self, Object},
    sse,
};

#[derive(Debug, Default)]
pub(super) struct Encoder {
    started: bool,
    over: bool,
    /// The number of the next block: parts that cannot be said leave no gap.
    next: u64,
    /// A block is open under the number before `next`.
    open: bool,
    /// An estimate of the input until the provider tells its own count, which most do at the end only: Claude Code measures
    /// by what the beginning says how full its context is.
    guess: u64,
    usage: Option<Usage>,
    finish: Option<(Finish, Option<String>)>,
    losses: Losses,
}

impl Encoder {
    pub(super) fn new(guess: u64) -> Self {
        Self { guess, ..Self::default() }
    }

    fn used(&self) -> Usage {
        self.usage.unwrap_or(Usage { input: self.guess, ..Usage::default() })
    }

    fn start(&mut self, id: &str, model: &str, into: &mut Vec<u8>) {
        self.started = true;
        let used = self.used();
        sse::event(into, Some("message_start"), |out| {
            let mut event = Object::new(out);
            event.string("type", "message_start");
            let mut message = event.object("message");
            message
                .string("id", id)
                .string("type", "message")
                .string("role", "assistant")
                .string("model", model);
            message.raw("content", "[]").null("stop_reason").null("stop_sequence");
            usage::write(&used, &mut message.object("usage"));
        });
    }

    fn open(&mut self, part: &Opening, into: &mut Vec<u8>) {
        if let Opening::Opaque { dialect, json } = part
            && *dialect != Dialect::Messages
        {
            let kind = serde_json::from_str::<Kind<'_>>(json.get()).map_or("part", |kind| kind.r#type);
            return self.losses.dropped(format!("{} {kind}", dialect.name()));
        }
        if let Opening::ToolCall { id, signature: Some(signature), .. } = part {
            let data = seals::of_call(id, signature);
            self.open(&Opening::Redacted { data, id: None }, into);
            self.close(into);
        }
        let index = self.next;
        self.next += 1;
        self.open = true;
        let losses = &mut self.losses;
        sse::event(into, Some("content_block_start"), |out| {
            let mut event = Object::new(out);
            event.string("type", "content_block_start").count("index", index);
            match part {
                Opening::Opaque { json, .. } => {
                    event.raw("content_block", json.get());
                }
                part => block(part, &mut event.object("content_block"), losses),
            }
        });
    }

    fn delta(&mut self, delta: &Delta, into: &mut Vec<u8>) {
        let index = self.next.saturating_sub(1);
        let (kind, name, text) = match delta {
            Delta::Text(text) | Delta::Refusal(text) => ("text_delta", "text", text),
            Delta::Thinking(text) => ("thinking_delta", "thinking", text),
            Delta::Signature(text) => ("signature_delta", "signature", text),
            Delta::Arguments(text) => ("input_json_delta", "partial_json", text),
            Delta::Note { dialect: Dialect::Messages, json } => {
                return sse::event(into, Some("content_block_delta"), |out| {
                    let mut event = Object::new(out);
                    event.string("type", "content_block_delta").count("index", index);
                    event.object("delta").string("type", "citations_delta").raw("citation", json);
                });
            }
            Delta::Note { .. } => return self.losses.dropped("annotations"),
        };
        // By hand: this is what a stream is made of.
        into.extend_from_slice(
            b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
        );
        json::digits(into, index);
        into.extend_from_slice(b",\"delta\":{\"type\":\"");
        into.extend_from_slice(kind.as_bytes());
        into.extend_from_slice(b"\",\"");
        into.extend_from_slice(name.as_bytes());
        into.extend_from_slice(b"\":");
        json::string(into, text);
        into.extend_from_slice(b"}}\n\n");
    }

    fn close(&mut self, into: &mut Vec<u8>) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        into.extend_from_slice(
            b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":",
        );
        json::digits(into, self.next.saturating_sub(1));
        into.extend_from_slice(b"}\n\n");
    }

    /// Usage belongs beside the stop reason, and providers tell it after theirs: both wait for the end.
    fn end(&mut self, into: &mut Vec<u8>) {
        self.close(into);
        let (finish, sequence) = self.finish.take().unwrap_or((Finish::Stop, None));
        let word = answer_out::finish(&finish, &mut self.losses);
        let used = self.used();
        answer_out::reasoning(used.reasoning, &mut self.losses);
        sse::event(into, Some("message_delta"), |out| {
            let mut event = Object::new(out);
            event.string("type", "message_delta");
            {
                let mut delta = event.object("delta");
                delta.string("stop_reason", word);
                match &sequence {
                    Some(sequence) => delta.string("stop_sequence", sequence),
                    None => delta.null("stop_sequence"),
                };
            }
            usage::write(&used, &mut event.object("usage"));
        });
        into.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }
}

#[derive(serde::Deserialize)]
struct Kind<'a> {
    r#type: &'a str,
}

fn block(part: &Opening, block: &mut Object<'_>, losses: &mut Losses) {
    match part {
        Opening::Text => {
            block.string("type", "text").string("text", "");
        }
        Opening::Refusal => {
            losses.became("refusal", "as text");
            block.string("type", "text").string("text", "");
        }
        Opening::Thinking => {
            block.string("type", "thinking").string("thinking", "").string("signature", "");
        }
        Opening::Redacted { data, id } => {
            block
                .string("type", "redacted_thinking")
                .string("data", &seals::of_redacted(data, id.as_deref()));
        }
        Opening::ToolCall { id, name, .. } => {
            block.string("type", "tool_use").string("id", id).string("name", name).raw("input", "{}");
        }
        Opening::Opaque { .. } => {}
    }
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, into: &mut Vec<u8>) {
        if self.over {
            return;
        }
        if !self.started
            && !matches!(event, Event::Start { .. } | Event::Usage(_) | Event::Ping | Event::Fault(_))
        {
            self.start("", "", into);
        }
        match event {
            Event::Start { id, model, .. } => self.start(id, model, into),
            Event::Open { part, .. } => self.open(part, into),
            Event::Delta { delta, .. } => {
                if self.open {
                    self.delta(delta, into);
                }
            }
            Event::Close { .. } => self.close(into),
            Event::Usage(used) => self.usage = Some(*used),
            Event::Finish { finish, stop_sequence } => {
                self.finish = Some((finish.clone(), stop_sequence.clone()));
            }
            Event::Ping => self.heartbeat(into),
            Event::Fault(told) => {
                self.over = true;
                sse::event(into, Some("error"), |out| fault::write(told, out));
            }
            Event::End => {
                self.over = true;
                self.end(into);
            }
        }
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.losses.take()
    }

    fn heartbeat(&mut self, into: &mut Vec<u8>) {
        into.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
    }
}
