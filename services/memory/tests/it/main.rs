//! memory through its surface: a vault that people, agents and git change at once, and everything that can be wrong with it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod basics;
mod brought;
mod crash;
mod disk;
mod gate;
mod hands;
mod house;
mod many;
mod mcp;
mod order;
mod peers;
mod said;
mod strange;
mod talk;
mod undo;
