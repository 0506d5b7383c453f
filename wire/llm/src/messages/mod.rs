//! Anthropic's `/v1/messages`, as its [reference](https://docs.anthropic.com/en/api/messages) tells it, beta blocks included.

mod answer_in;
mod answer_out;
mod blocks_in;
mod blocks_out;
mod decode;
mod encode;
mod fault;
mod model;
mod reasoning;
mod request_in;
mod request_out;
mod seals;
mod turns_out;
mod usage;

use crate::{Answer, Codec, Decode, Dialect, Encode, Fault, Malformed, Request, Written, count};

pub use model::{DEFAULT_MAX_TOKENS, max_tokens};

/// The codec of messages.
#[derive(Debug, Clone, Copy)]
pub struct Messages;

impl Codec for Messages {
    fn dialect(&self) -> Dialect {
        Dialect::Messages
    }

    fn read_request(&self, body: &[u8]) -> Result<Request, Malformed> {
        request_in::read(body)
    }

    fn write_request(&self, request: &Request) -> Written {
        request_out::write(request)
    }

    fn read_answer(&self, body: &[u8]) -> Result<Answer, Malformed> {
        answer_in::read(body)
    }

    fn write_answer(&self, answer: &Answer, _asked: &Request) -> Written {
        answer_out::write(answer)
    }

    fn read_fault(&self, status: u16, body: &[u8]) -> Fault {
        crate::fault::read(status, body)
    }

    fn write_fault(&self, fault: &Fault) -> Vec<u8> {
        let mut body = Vec::new();
        fault::write(fault, &mut body);
        body
    }

    fn decoder(&self) -> Box<dyn Decode> {
        Box::<decode::Decoder>::default()
    }

    fn encoder(&self, asked: &Request) -> Box<dyn Encode> {
        Box::new(encode::Encoder::new(count::request(asked)))
    }
}
