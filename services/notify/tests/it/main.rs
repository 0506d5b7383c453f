//! notify through its surface, against peers that enforce their protocols and misbehave on cue.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod basics;
mod crash;
mod desktop;
mod disk;
mod email;
mod house;
mod input;
mod ntfy;
mod peers;
mod people;
mod promises;
mod resolve;
mod routing;
mod rush;
mod signal;
mod webpush;
