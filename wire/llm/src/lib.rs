//! The dialects of language models, without input or output: each is read into one neutral form and written from it.
//!
//! What one dialect says and another has no word for is never dropped in silence: whoever writes a dialect returns
//! the [`Loss`]es beside the bytes.

pub mod answer;
pub mod cache;
pub mod chat;
pub mod codec;
pub mod count;
pub mod data_uri;
mod effort;
pub mod embeddings;
pub mod event;
pub mod extra;
pub mod fault;
mod fields;
pub mod gemini;
pub mod ids;
pub mod json;
pub mod messages;
pub mod models;
mod order;
pub mod read;
pub mod request;
pub mod responses;
pub mod sse;
pub mod think;
pub mod view;
mod write;

pub use answer::{Answer, Fault, FaultKind, Finish, Usage};
pub use codec::{Codec, Decode, Dialect, Encode, Loss, Malformed, Written};
pub use event::{Delta, Event, Opening};
pub use request::{Cache, Choice, Effort, Format, Part, Raw, Reasoning, Request, Role, Source, Tool, Turn};
