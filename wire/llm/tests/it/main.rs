//! The dialects from outside: golden conversions, and laws that hold for all of them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests say what they expect by failing"
)]

mod agents;
mod chat;
mod count;
mod cross;
mod docs;
mod embeddings;
mod gemini;
mod help;
mod laws;
mod losses;
mod messages;
mod models;
mod pairs;
mod props;
mod repairs;
mod responses;
mod shelf;
mod talk;
