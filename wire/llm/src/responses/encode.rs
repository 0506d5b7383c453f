//! Streams for a client of this dialect.

use super::answer::{self, Call, item_id};
use super::envelope::{self, Head, State};
use super::fault;
use super::sealed::{self, Sealed};
use crate::extra::Losses;
use crate::json::Object;
use crate::sse;
use crate::write::object;
use crate::{Delta, Dialect, Encode, Event, Fault, Finish, Loss, Opening, Request, Usage};

#[derive(Debug)]
pub(super) struct Encoder {
    echo: Vec<u8>,
    id: String,
    model: String,
    created: i64,
    started: bool,
    ended: bool,
    sequence: u64,
    /// The item being written. A message and an item of reasoning stay open after their part has ended: what follows
    /// may belong to them.
    open: Item,
    /// Items that are complete, separated by commas, and how many.
    output: Vec<u8>,
    count: usize,
    usage: Option<Usage>,
    finish: Finish,
    losses: Losses,
}

#[derive(Debug)]
enum Item {
    Nothing,
    /// `contents` are complete and separated by commas.
    Message {
        id: String,
        contents: Vec<u8>,
        count: usize,
        now: Option<Now>,
    },
    Reasoning {
        id: String,
        text: String,
        sealed: Option<String>,
        signature: String,
        over: bool,
    },
    Call {
        id: String,
        call: String,
        name: String,
        arguments: String,
    },
}

/// The part of a message that is being written.
#[derive(Debug)]
struct Now {
    said: Said,
    text: String,
    /// Annotations, separated by commas, and how many.
    notes: Vec<u8>,
    noted: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Text,
    Refusal,
}

impl Said {
    /// The field of the text, and the names of its events.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Text => ("text", "response.output_text.delta", "response.output_text.done"),
            Self::Refusal => ("refusal", "response.refusal.delta", "response.refusal.done"),
        }
    }

    /// Only texts have probabilities, and none are known here.
    fn logprobs(self, o: &mut Object<'_>) {
        if self == Self::Text {
            o.raw("logprobs", "[]");
        }
    }
}

impl Now {
    fn write(&self, o: &mut Object<'_>) {
        let (field, ..) = self.said.words();
        o.put("type", if self.said == Said::Text { "output_text" } else { "refusal" });
        o.put(field, &self.text);
        if self.said == Said::Text {
            o.each("annotations", |list| {
                if !self.notes.is_empty() {
                    list.place().extend_from_slice(&self.notes);
                }
            });
        }
        self.said.logprobs(o);
    }
}

impl Encode for Encoder {
    fn event(&mut self, event: &Event, into: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            Event::Start { id, model, created } => self.start(id, model, *created, into),
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
            Event::Fault(fault) => self.fault(fault, into),
            Event::End => self.end(into),
        }
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.losses.take()
    }

    fn heartbeat(&mut self, into: &mut Vec<u8>) {
        sse::comment(into, "wait");
    }
}

impl Encoder {
    pub(super) fn new(asked: &Request) -> Self {
        Self {
            echo: envelope::echo(asked, &[]),
            id: String::new(),
            model: asked.model.clone(),
            created: 0,
            started: false,
            ended: false,
            sequence: 0,
            open: Item::Nothing,
            output: Vec::new(),
            count: 0,
            usage: None,
            finish: Finish::Stop,
            losses: Losses::default(),
        }
    }

    fn start(&mut self, id: &str, model: &str, created: Option<i64>, into: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.id = envelope::id(id);
        if !model.is_empty() {
            model.clone_into(&mut self.model);
        }
        self.created = created.unwrap_or(0);
        self.response("response.created", State::InProgress, into);
        self.response("response.in_progress", State::InProgress, into);
    }

    fn response(&mut self, kind: &str, state: State<'_>, into: &mut Vec<u8>) {
        let done = !matches!(state, State::InProgress);
        let head = Head {
            id: &self.id,
            model: &self.model,
            created: self.created,
            state,
            usage: self.usage.filter(|_| done),
        };
        frame(&mut self.sequence, kind, into, |o| {
            o.with("response", |o| envelope::write(o, head, &self.echo, &self.output));
        });
    }

    fn fresh(&self, kind: &str) -> String {
        item_id(kind, envelope::stem(&self.id), self.count)
    }

    fn open(&mut self, part: &Opening, into: &mut Vec<u8>) {
        self.start("", "", None, into);
        match part {
            Opening::Text => self.say(Said::Text, into),
            Opening::Refusal => self.say(Said::Refusal, into),
            Opening::Thinking => {
                self.complete("completed", into);
                let id = self.fresh("rs");
                self.added(into, |o| answer::reasoning(o, &id, "", None));
                self.open = Item::Reasoning {
                    id,
                    text: String::new(),
                    sealed: None,
                    signature: String::new(),
                    over: false,
                };
            }
            Opening::Redacted { data, id } => self.redacted(data, id.as_deref(), into),
            Opening::ToolCall { id, name, signature } => self.call(id, name, signature.as_deref(), into),
            Opening::Opaque { dialect: Dialect::Responses, json } => {
                self.complete("completed", into);
                self.added(into, |o| o.inside(inside(json.get())));
                self.finished(into, |o| o.inside(inside(json.get())));
            }
            Opening::Opaque { .. } => self.losses.dropped(format!("output[{}]", self.count)),
        }
    }

    /// Begins a part of a message, in the message that is open if there is one.
    fn say(&mut self, said: Said, into: &mut Vec<u8>) {
        if !matches!(self.open, Item::Message { .. }) {
            self.complete("completed", into);
            let id = self.fresh("msg");
            self.added(into, |o| answer::message(o, &id, "in_progress", b"[]"));
            self.open = Item::Message { id, contents: Vec::new(), count: 0, now: None };
        }
        if let Item::Message { id, count, now, .. } = &mut self.open {
            let fresh = now.insert(Now { said, text: String::new(), notes: Vec::new(), noted: 0 });
            let output = self.count;
            frame(&mut self.sequence, "response.content_part.added", into, |o| {
                place(o, id, output, Some(*count));
                o.with("part", |o| fresh.write(o));
            });
        }
    }

    fn redacted(&mut self, data: &str, id: Option<&str>, into: &mut Vec<u8>) {
        // OpenAI's seal belongs to the summary before it.
        if let Item::Reasoning { id: item, sealed, signature, .. } = &mut self.open
            && sealed::is_own(data, id)
            && sealed.is_none()
            && signature.is_empty()
        {
            *sealed = Some(match id {
                Some(id) if id != item => Sealed::Kept { id: id.into(), data: data.into() }.write(),
                _ => data.to_owned(),
            });
            return;
        }
        self.complete("completed", into);
        let (id, sealed) = answer::redacted(data, id, || self.fresh("rs"));
        self.added(into, |o| answer::reasoning(o, &id, "", None));
        self.finished(into, |o| answer::reasoning(o, &id, "", Some(&sealed)));
    }

    fn call(&mut self, call: &str, name: &str, signature: Option<&str>, into: &mut Vec<u8>) {
        self.complete("completed", into);
        if let Some(signature) = signature {
            let (id, sealed) =
                (self.fresh("rs"), Sealed::Call { id: call.into(), signature: signature.into() }.write());
            self.added(into, |o| answer::reasoning(o, &id, "", None));
            self.finished(into, |o| answer::reasoning(o, &id, "", Some(&sealed)));
        }
        let id = self.fresh("fc");
        self.added(into, |o| answer::call(o, &id, "in_progress", Call { id: call, name, arguments: "" }));
        let (call, name) = (call.to_owned(), name.to_owned());
        self.open = Item::Call { id, call, name, arguments: String::new() };
    }

    fn delta(&mut self, delta: &Delta, into: &mut Vec<u8>) {
        let output = self.count;
        let sequence = &mut self.sequence;
        match (&mut self.open, delta) {
            (Item::Message { id, count, now: Some(now), .. }, Delta::Text(piece) | Delta::Refusal(piece)) => {
                now.text.push_str(piece);
                let (_, event, _) = now.said.words();
                frame(sequence, event, into, |o| {
                    place(o, id, output, Some(*count));
                    o.string("delta", piece);
                    now.said.logprobs(o);
                });
            }
            (
                Item::Message { id, count, now: Some(now), .. },
                Delta::Note { dialect: Dialect::Responses, json },
            ) => {
                frame(sequence, "response.output_text.annotation.added", into, |o| {
                    place(o, id, output, Some(*count));
                    o.put("annotation_index", &now.noted);
                    o.raw("annotation", json);
                });
                if now.noted > 0 {
                    now.notes.push(b',');
                }
                now.notes.extend_from_slice(json.as_bytes());
                now.noted += 1;
            }
            (_, Delta::Note { .. }) => self.losses.dropped(format!("output[{output}].notes")),
            (Item::Reasoning { id, text, over: false, .. }, Delta::Thinking(piece)) => {
                if piece.is_empty() {
                    return;
                }
                if text.is_empty() {
                    summary(sequence, "response.reasoning_summary_part.added", id, output, into, |o| {
                        o.with("part", |o| summary_text(o, ""));
                    });
                }
                text.push_str(piece);
                summary(sequence, "response.reasoning_summary_text.delta", id, output, into, |o| {
                    o.string("delta", piece);
                });
            }
            (Item::Reasoning { signature, .. }, Delta::Signature(piece)) => signature.push_str(piece),
            (Item::Call { id, arguments, .. }, Delta::Arguments(piece)) => {
                arguments.push_str(piece);
                frame(sequence, "response.function_call_arguments.delta", into, |o| {
                    place(o, id, output, None);
                    o.string("delta", piece);
                });
            }
            _ => {}
        }
    }

    /// The part has ended; its item may go on.
    fn close(&mut self, into: &mut Vec<u8>) {
        let output = self.count;
        let sequence = &mut self.sequence;
        match &mut self.open {
            Item::Message { id, contents, count, now } => {
                let Some(now) = now.take() else { return };
                let (field, _, event) = now.said.words();
                frame(sequence, event, into, |o| {
                    place(o, id, output, Some(*count));
                    o.put(field, &now.text);
                    now.said.logprobs(o);
                });
                frame(sequence, "response.content_part.done", into, |o| {
                    place(o, id, output, Some(*count));
                    o.with("part", |o| now.write(o));
                });
                if *count > 0 {
                    contents.push(b',');
                }
                object(contents, |o| now.write(o));
                *count += 1;
            }
            Item::Reasoning { id, text, over, .. } => {
                if std::mem::replace(over, true) || text.is_empty() {
                    return;
                }
                summary(sequence, "response.reasoning_summary_text.done", id, output, into, |o| {
                    o.put("text", text);
                });
                summary(sequence, "response.reasoning_summary_part.done", id, output, into, |o| {
                    o.with("part", |o| summary_text(o, text));
                });
            }
            Item::Call { .. } => self.complete("completed", into),
            Item::Nothing => {}
        }
    }

    /// The open item has ended.
    fn complete(&mut self, status: &str, into: &mut Vec<u8>) {
        self.close_part(into);
        match std::mem::replace(&mut self.open, Item::Nothing) {
            Item::Nothing => {}
            Item::Message { id, contents, .. } => {
                let contents = [b"[".as_slice(), &contents, b"]"].concat();
                self.finished(into, |o| answer::message(o, &id, status, &contents));
            }
            Item::Reasoning { id, text, sealed, signature, .. } => {
                let sealed = sealed
                    .or_else(|| (!signature.is_empty()).then(|| Sealed::Thinking(signature.into()).write()));
                self.finished(into, |o| answer::reasoning(o, &id, &text, sealed.as_deref()));
            }
            Item::Call { id, call, name, arguments } => {
                let output = self.count;
                if arguments.is_empty() {
                    frame(&mut self.sequence, "response.function_call_arguments.delta", into, |o| {
                        place(o, &id, output, None);
                        o.string("delta", "{}");
                    });
                }
                let arguments = answer::arguments(&arguments);
                frame(&mut self.sequence, "response.function_call_arguments.done", into, |o| {
                    place(o, &id, output, None);
                    o.put("name", &name);
                    o.put("arguments", arguments);
                });
                let call = Call { id: &call, name: &name, arguments };
                self.finished(into, |o| answer::call(o, &id, status, call));
            }
        }
    }

    fn close_part(&mut self, into: &mut Vec<u8>) {
        if !matches!(self.open, Item::Call { .. }) {
            self.close(into);
        }
    }

    fn added(&mut self, into: &mut Vec<u8>, item: impl Fn(&mut Object<'_>)) {
        let output = self.count;
        frame(&mut self.sequence, "response.output_item.added", into, |o| {
            o.put("output_index", &output);
            o.with("item", |o| item(o));
        });
    }

    fn finished(&mut self, into: &mut Vec<u8>, item: impl Fn(&mut Object<'_>)) {
        let output = self.count;
        frame(&mut self.sequence, "response.output_item.done", into, |o| {
            o.put("output_index", &output);
            o.with("item", |o| item(o));
        });
        if !self.output.is_empty() {
            self.output.push(b',');
        }
        object(&mut self.output, |o| item(o));
        self.count += 1;
    }

    fn end(&mut self, into: &mut Vec<u8>) {
        self.start("", "", None, into);
        let finish = self.finish.clone();
        let state = State::of(&finish);
        self.complete(state.item(), into);
        let kind =
            if matches!(state, State::Completed) { "response.completed" } else { "response.incomplete" };
        self.response(kind, state, into);
        self.ended = true;
    }

    fn fault(&mut self, told: &Fault, into: &mut Vec<u8>) {
        self.start("", "", None, into);
        self.complete("incomplete", into);
        let code = told.code.as_deref().unwrap_or_else(|| fault::code(told.kind));
        frame(&mut self.sequence, "error", into, |o| {
            // OpenAI's own shape, and that of Open Responses.
            o.put("code", code);
            o.put("message", &told.message);
            o.put("param", &told.param);
            o.with("error", |o| {
                o.put("type", fault::word(told.kind));
                o.put("code", code);
                o.put("message", &told.message);
                o.put("param", &told.param);
            });
        });
        self.response("response.failed", State::Failed(told), into);
        self.ended = true;
    }
}

fn inside(json: &str) -> &[u8] {
    json.trim()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or_default()
        .trim()
        .as_bytes()
}

fn place(o: &mut Object<'_>, item: &str, output: usize, content: Option<usize>) {
    o.string("item_id", item).count("output_index", output as u64);
    if let Some(content) = content {
        o.count("content_index", content as u64);
    }
}

fn summary_text(o: &mut Object<'_>, text: &str) {
    o.put("type", "summary_text");
    o.put("text", text);
}

fn summary(
    sequence: &mut u64,
    kind: &str,
    id: &str,
    output: usize,
    into: &mut Vec<u8>,
    fill: impl FnOnce(&mut Object<'_>),
) {
    frame(sequence, kind, into, |o| {
        place(o, id, output, None);
        o.count("summary_index", 0);
        fill(o);
    });
}

fn frame(sequence: &mut u64, kind: &str, into: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    sse::event(into, Some(kind), |out| {
        object(out, |o| {
            o.string("type", kind).count("sequence_number", *sequence);
            fill(o);
        });
    });
    *sequence += 1;
}
