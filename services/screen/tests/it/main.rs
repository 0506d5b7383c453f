//! The running service through its surface, against a firewall and a notify that misbehave on cue.

mod bad_input;
mod enforce;
mod family;
mod story;
mod stubs;
mod world;
