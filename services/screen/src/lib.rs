//! screen: the family's rules, declared to the firewall and proven there (Screen Time).

mod api;
pub mod calendar;
mod config;
mod digest;
mod doubt;
mod enforce;
pub mod engine;
mod follow;
mod hub;
mod keeper;
mod records;
mod rules;
mod service;
mod teller;
mod warn;
mod watch;
mod when;
mod words;

pub use config::Config;
pub use service::Screen;
