//! OpenAI's `/v1/chat/completions`, as its [reference](https://platform.openai.com/docs/api-reference/chat) tells it, and
//! as the servers that imitate it stray from it.

mod answer_in;
mod answer_out;
mod assistant;
mod calls;
mod decode;
mod encode;
mod fault;
mod parts;
mod reasoning;
mod request_in;
mod request_out;
mod stream;
mod turns_in;
mod turns_out;
mod usage;

use crate::{Answer, Codec, Decode, Dialect, Encode, Fault, Malformed, Request, Written};

pub(crate) use reasoning::spoken;
pub use reasoning::{openai_own, wants_completion_tokens};

/// The codec of chat completions.
#[derive(Debug, Clone, Copy)]
pub struct Chat;

impl Codec for Chat {
    fn dialect(&self) -> Dialect {
        Dialect::Chat
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
        Box::new(encode::Encoder::new(asked.include_usage))
    }
}
