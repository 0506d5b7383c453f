//! A provider's chunks as events, with what servers get wrong set right.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{answer_in, stream::State, usage};
use crate::{
    Decode, Event, Fault, FaultKind, fault,
    read::Text,
    sse::{Frame, Parser, TooLong},
};

#[derive(Debug, Default)]
pub(super) struct Decoder {
    parser: Parser,
    state: State,
}

#[derive(Debug, Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    created: Option<f64>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    delta: Option<Said<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reasoning_details: Option<Vec<Detail<'a>>>,
    #[serde(borrow)]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<Called<'a>>>,
    #[serde(borrow)]
    pub(super) annotations: Option<Vec<&'a RawValue>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Detail<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) summary: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Called<'a> {
    pub(super) index: Option<u64>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) function: Option<Function<'a>>,
    #[serde(borrow)]
    pub(super) extra_content: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

impl Decode for Decoder {
    fn push(&mut self, bytes: &[u8], into: &mut Vec<Event>) {
        let state = &mut self.state;
        let told = self.parser.push(bytes, |frame| frame_in(state, &frame, false, into));
        if let Err(TooLong(limit)) = told {
            self.state.fail(
                Fault {
                    status: 200,
                    ..Fault::new(
                        FaultKind::Internal,
                        format!("an event of the provider's stream is longer than {limit} bytes"),
                    )
                },
                into,
            );
        }
    }

    fn finish(&mut self, into: &mut Vec<Event>) {
        let state = &mut self.state;
        let told = self.parser.finish(|frame| frame_in(state, &frame, true, into));
        // Where the model's own word for its end has come, only the courtesy after it is missing.
        if told.is_ok() && self.state.has_finished() {
            self.state.end(into);
        }
    }
}

/// `last` forgives what is no JSON: the body was cut inside of it.
fn frame_in(state: &mut State, frame: &Frame<'_>, last: bool, into: &mut Vec<Event>) {
    if state.is_over() {
        return;
    }
    let (name, data) = match frame {
        Frame::Comment => return into.push(Event::Ping),
        Frame::Event { name, data } => (*name, data.trim()),
    };
    if data.is_empty() {
        return;
    }
    if data == "[DONE]" {
        return state.end(into);
    }
    if name == "error" {
        return state.fail(fault::read(200, data.as_bytes()), into);
    }
    match serde_json::from_str::<Chunk<'_>>(data) {
        Ok(chunk) => chunk_in(state, &chunk, data, into),
        Err(_) if last => {}
        Err(error) => {
            let fault = Fault::new(
                FaultKind::Internal,
                format!("the provider's stream holds no chunk of chat completions: {error}"),
            );
            state.fail(Fault { status: 200, ..fault }, into);
        }
    }
}

fn chunk_in(state: &mut State, chunk: &Chunk<'_>, data: &str, into: &mut Vec<Event>) {
    let choice =
        chunk.choices.as_ref().and_then(|all| all.iter().find(|choice| choice.index.unwrap_or(0) == 0));
    let failed = choice.is_some_and(|choice| choice.finish_reason.as_deref() == Some("error"));
    if chunk.error.is_some() || failed {
        let mut fault = fault::read(200, data.as_bytes());
        if chunk.error.is_none() {
            "the provider ended the answer with an error".clone_into(&mut fault.message);
        }
        return state.fail(fault, into);
    }
    if let Some(choice) = choice {
        state.start(
            || Event::Start {
                id: text(chunk.id.as_ref()),
                model: text(chunk.model.as_ref()),
                created: chunk.created.map(answer_in::seconds),
            },
            into,
        );
        if let Some(said) = &choice.delta {
            state.said(said, into);
        }
        if let Some(word) = choice.finish_reason.as_deref().filter(|word| !word.is_empty()) {
            state.finish(word);
        }
    }
    if let Some(used) =
        chunk.usage.and_then(|raw| serde_json::from_str::<Option<usage::Wire>>(raw.get()).ok()).flatten()
    {
        state.usage(used.into(), into);
    }
}

fn text(text: Option<&Text<'_>>) -> String {
    text.map(|text| text.0.clone().into_owned()).unwrap_or_default()
}
