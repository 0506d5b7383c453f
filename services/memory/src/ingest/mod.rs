//! What was said to models: kept at once, read into notes afterwards, once.

mod config;
pub(crate) mod queue;
pub(crate) mod read;
pub(crate) mod schema;
pub(crate) mod spoken;

pub(crate) use config::Config;
