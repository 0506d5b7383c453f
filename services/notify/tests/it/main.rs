//! notify through its surface, against peers that enforce their protocols and misbehave on cue.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod basics;
mod house;
mod peers;
