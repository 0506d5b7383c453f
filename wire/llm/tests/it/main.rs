//! The dialects from outside: golden conversions, and laws that hold for all of them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests say what they expect by failing"
)]

mod chat;
mod cross;
mod count;
mod embeddings;
mod gemini;
mod help;
mod laws;
mod messages;
mod repairs;
mod models;
mod responses;
