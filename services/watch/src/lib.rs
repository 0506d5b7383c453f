//! The Living Force: looks at every service, finds the root of a trouble, heals what it may, and asks a person for the rest.

mod config;
pub mod engine;
pub mod heal;
mod sentinel;
mod service;
pub mod sweep;

pub use config::{Blindness, Cadence, Config, Confirm, Healed};
pub use service::{SPEC, Watch};
