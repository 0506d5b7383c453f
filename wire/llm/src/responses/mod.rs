//! OpenAI's Responses (`POST /v1/responses`), after the types of openai-python 3.54 and the Open Responses schema.

mod answer;
mod ask;
mod content;
mod decode;
mod encode;
mod envelope;
mod fault;
mod read;
pub(crate) mod sealed;
mod shelf;

pub use sealed::holds_seals;
pub use shelf::Shelf;

use crate::{Answer, Codec, Decode, Dialect, Encode, Fault, Malformed, Request, Written};

/// The dialect of Codex, and of Vercel's `ai` by default.
#[derive(Debug, Clone, Copy)]
pub struct Responses;

impl Codec for Responses {
    fn dialect(&self) -> Dialect {
        Dialect::Responses
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
        crate::fault::read(status, body)
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
