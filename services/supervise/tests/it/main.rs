//! The supervisor with real, misbehaving processes.

mod breaker;
mod house;
mod logs;
mod order;
mod processes;
