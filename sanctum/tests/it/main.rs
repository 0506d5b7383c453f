//! The released program, as a person uses it: words in, text and exit codes out.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod away;
mod chaos;
mod config;
mod deadman;
mod demo;
mod foreign;
mod house;
mod locked;
mod program;
mod remembers;
mod trouble;
mod words;
