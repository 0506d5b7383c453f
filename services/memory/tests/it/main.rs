//! memory through its surface: a vault that people, agents and git change at once, and everything that can be wrong with it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod basics;
mod crash;
mod disk;
mod hands;
mod house;
mod many;
mod mcp;
mod peers;
mod strange;
mod undo;
