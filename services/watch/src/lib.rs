//! The Living Force: looks at every service, finds the root of a trouble, heals what it may, and asks a person for the rest.

pub mod anomaly;
mod api;
mod brain;
mod claims;
mod config;
pub mod drift;
pub mod engine;
mod gauges;
pub mod heal;
mod hub;
mod memory;
mod monitor;
mod notices;
mod post_mortem;
mod pulse;
mod senses;
mod sensors;
pub mod sentinel;
mod service;
mod shell;
pub mod sim;
mod store;
mod supervisor;
pub mod sweep;
mod teller;
mod timeline;
mod trends;
mod view;
mod words;

pub use config::{Blindness, Cadence, Config, Confirm, Flapping, Healed, Ladder};
pub use service::{SPEC, Watch};
