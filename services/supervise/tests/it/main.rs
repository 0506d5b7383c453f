//! The supervisor with real, misbehaving processes.

#![expect(clippy::unwrap_used, reason = "clippy does not see that helpers of tests are tests")]

mod boot;
mod breaker;
mod foreign;
mod house;
mod jobs;
mod limits;
mod logs;
mod order;
mod processes;
mod revise;
mod seats;
mod state;
mod telling;
