//! Google's `models/*:generateContent` and `:streamGenerateContent?alt=sse`, after the types of google-genai 3.4.

mod answer;
mod ask;
mod decode;
mod encode;
mod fault;
mod model;
mod part;
mod read;
mod schema;

use crate::{Answer, Codec, Decode, Dialect, Encode, Fault, Malformed, Request, Written};

pub use fault::retry_delay;

/// The dialect of Google's models. Model and streaming stand in the path, see [`path`]; a request that was read has
/// neither.
#[derive(Debug, Clone, Copy)]
pub struct Gemini;

/// Where a request for a model goes, beneath the version of the API.
pub fn path(model: &str, stream: bool) -> String {
    let model = model.strip_prefix("models/").unwrap_or(model);
    let call = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    format!("models/{model}:{call}")
}

impl Codec for Gemini {
    fn dialect(&self) -> Dialect {
        Dialect::Gemini
    }

    fn read_request(&self, body: &[u8]) -> Result<Request, Malformed> {
        read::request(body)
    }

    fn write_request(&self, request: &Request) -> Written {
        ask::request(request)
    }

    fn read_answer(&self, body: &[u8]) -> Result<Answer, Malformed> {
        answer::read(body)
    }

    fn write_answer(&self, answer: &Answer, asked: &Request) -> Written {
        answer::write(answer, asked)
    }

    fn read_fault(&self, status: u16, body: &[u8]) -> Fault {
        fault::read(status, body)
    }

    fn write_fault(&self, fault: &Fault) -> Vec<u8> {
        fault::write(fault)
    }

    fn decoder(&self) -> Box<dyn Decode> {
        Box::new(decode::Decoder::default())
    }

    fn encoder(&self, asked: &Request) -> Box<dyn Encode> {
        Box::new(encode::Encoder::new(asked))
    }
}
