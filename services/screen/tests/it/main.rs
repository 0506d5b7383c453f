//! The running service through its surface, against a firewall and a notify that misbehave on cue.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "stubs and helpers are tests too: a panic is how they fail"
)]

mod agreement;
mod bad_input;
mod disk;
mod enforce;
mod family;
mod french;
mod story;
mod stubs;
mod usage;
mod world;
