//! The supervisor with real, misbehaving processes.

#![expect(clippy::unwrap_used, reason = "clippy does not see that helpers of tests are tests")]

mod breaker;
mod house;
mod logs;
mod order;
mod processes;
mod revise;
