//! proxy: its parts and its surface, against providers that misbehave on cue.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod door;
mod laws;
mod money;
