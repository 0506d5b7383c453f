//! Sanctum Proxy: one door for every model request, with the budget and the privacy promises kept at it.

mod account;
mod ask;
mod attempt;
mod body;
pub mod budget;
mod candidates;
mod class;
mod compose;
pub mod config;
mod explain;
mod gate;
mod glob;
mod identity;
pub mod intent;
mod intern;
pub mod keys;
pub mod kinds;
mod live;
mod meters;
mod pipeline;
mod pump;
mod reach;
mod refusal;
mod scan;
mod service;
pub mod stages;
mod surface;
mod table;
mod upstream;
pub mod usage;
mod watch;

pub use config::Config;
pub use service::Proxy;
