//! Events as the chunks a client of chat completions reads.

use super::{answer_out, fault, usage};
use crate::{
    Delta, Dialect, Encode, Event, Loss, Opening, Usage,
    extra::Losses,
    json::{self, Object},
    sse,
};

#[derive(Debug)]
pub(super) struct Encoder {
    include_usage: bool,
    /// Everything of a chunk that stands before its delta; the same for every chunk.
    head: Vec<u8>,
    /// Everything that stands before `choices`.
    top: Vec<u8>,
    calls: u64,
    thoughts: u64,
    /// The call that is open has no arguments yet.
    bare: bool,
    /// The text of the thinking part that is open: its signature is told together with it.
    thought: String,
    usage: Option<Usage>,
    finished: bool,
    over: bool,
    losses: Losses,
}

impl Encoder {
    pub(super) fn new(include_usage: bool) -> Self {
        Self {
            include_usage,
            head: Vec::new(),
            top: Vec::new(),
            calls: 0,
            thoughts: 0,
            bare: false,
            thought: String::new(),
            usage: None,
            finished: false,
            over: false,
            losses: Losses::default(),
        }
    }

    fn start(&mut self, id: &str, model: &str, created: Option<i64>, into: &mut Vec<u8>) {
        let mut top = Vec::with_capacity(160);
        top.extend_from_slice(b"data: {\"id\":");
        json::string(&mut top, id);
        top.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        json::digits(&mut top, created.and_then(|created| u64::try_from(created).ok()).unwrap_or(0));
        top.extend_from_slice(b",\"model\":");
        json::string(&mut top, model);
        top.extend_from_slice(b",\"choices\":[");
        self.head = top.clone();
        self.head.extend_from_slice(b"{\"index\":0,\"delta\":");
        self.top = top;
        self.chunk(into, |delta| {
            delta.string("role", "assistant").string("content", "");
        });
    }

    fn chunk(&mut self, into: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        into.extend_from_slice(&self.head);
        fill(&mut Object::new(into));
        into.extend_from_slice(b",\"finish_reason\":null");
        self.tail(into);
    }

    fn tail(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(if self.include_usage { b"}],\"usage\":null}\n\n" } else { b"}]}\n\n" });
    }

    fn open(&mut self, part: &Opening, into: &mut Vec<u8>) {
        match part {
            Opening::Text | Opening::Refusal => {}
            Opening::Thinking => self.thought.clear(),
            Opening::Redacted { data, id } => {
                let index = self.thoughts;
                self.thoughts += 1;
                self.chunk(into, |delta| {
                    let mut list = delta.array("reasoning_details");
                    let mut detail = list.object();
                    detail
                        .string("type", "reasoning.encrypted")
                        .string("data", data)
                        .maybe("id", id.as_deref());
                    detail.count("index", index);
                });
            }
            Opening::ToolCall { id, name, signature } => {
                let index = self.calls;
                self.calls += 1;
                self.bare = true;
                self.chunk(into, |delta| {
                    let mut list = delta.array("tool_calls");
                    let mut call = list.object();
                    call.count("index", index).string("id", id).string("type", "function");
                    call.object("function").string("name", name).string("arguments", "");
                    if let Some(signature) = signature {
                        call.object("extra_content").object("google").string("thought_signature", signature);
                    }
                });
            }
            Opening::Opaque { dialect, json } => {
                let kind = serde_json::from_str::<Kind<'_>>(json.get()).map_or("part", |kind| kind.r#type);
                self.losses.dropped(format!("{} {kind}", dialect.name()));
            }
        }
    }

    fn delta(&mut self, delta: &Delta, into: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) => self.chunk(into, |delta| {
                delta.string("content", text);
            }),
            Delta::Thinking(text) => {
                self.thought.push_str(text);
                self.chunk(into, |delta| {
                    delta.string("reasoning_content", text);
                });
            }
            Delta::Refusal(text) => self.chunk(into, |delta| {
                delta.string("refusal", text);
            }),
            Delta::Arguments(text) => {
                self.bare = false;
                let index = self.calls.saturating_sub(1);
                self.chunk(into, |delta| {
                    let mut list = delta.array("tool_calls");
                    let mut call = list.object();
                    call.count("index", index).object("function").string("arguments", text);
                });
            }
            Delta::Signature(signature) => {
                let index = self.thoughts;
                self.thoughts += 1;
                let text = std::mem::take(&mut self.thought);
                self.chunk(into, |delta| {
                    let mut list = delta.array("reasoning_details");
                    let mut detail = list.object();
                    detail
                        .string("type", "reasoning.text")
                        .string("text", &text)
                        .string("signature", signature);
                    detail.count("index", index);
                });
            }
            Delta::Note { dialect: Dialect::Chat, json } => {
                let json = json.replace(['\n', '\r'], " ");
                self.chunk(into, |delta| delta.array("annotations").raw(&json));
            }
            Delta::Note { .. } => self.losses.dropped("citations"),
        }
    }

    fn finish(&mut self, word: &str, into: &mut Vec<u8>) {
        self.finished = true;
        into.extend_from_slice(&self.head);
        into.extend_from_slice(b"{},\"finish_reason\":");
        json::string(into, word);
        self.tail(into);
    }

    fn end(&mut self, into: &mut Vec<u8>) {
        if let Some(used) = self.usage.filter(|_| self.include_usage) {
            into.extend_from_slice(&self.top);
            into.extend_from_slice(b"],\"usage\":");
            usage::write(&used, into);
            into.extend_from_slice(b"}\n\n");
        }
        into.extend_from_slice(b"data: [DONE]\n\n");
    }
}

#[derive(serde::Deserialize)]
struct Kind<'a> {
    r#type: &'a str,
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, into: &mut Vec<u8>) {
        if self.over {
            return;
        }
        if self.head.is_empty()
            && !matches!(event, Event::Start { .. } | Event::Usage(_) | Event::Ping | Event::Fault(_))
        {
            self.start("", "", None, into);
        }
        match event {
            Event::Start { id, model, created } => self.start(id, model, *created, into),
            Event::Open { part, .. } => self.open(part, into),
            Event::Delta { delta, .. } => self.delta(delta, into),
            // No text is no JSON, and clients parse it.
            Event::Close { .. } if std::mem::take(&mut self.bare) => {
                self.delta(&Delta::Arguments("{}".to_owned()), into);
            }
            Event::Close { .. } => {}
            Event::Usage(used) => self.usage = Some(*used),
            Event::Finish { finish, stop_sequence } => {
                if stop_sequence.is_some() {
                    self.losses.dropped("stop_sequence");
                }
                let word = answer_out::finish(finish, &mut self.losses);
                self.finish(word, into);
            }
            Event::Ping => self.heartbeat(into),
            Event::Fault(told) => {
                self.over = true;
                sse::event(into, None, |out| fault::write(told, out));
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
        sse::comment(into, "keep-alive");
    }
}
