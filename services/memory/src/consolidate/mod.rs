//! Notes are put in order: what says the same is merged, what is over is set aside, what lasts is sorted, what is unused goes.

mod classify;
mod config;
pub(crate) mod enrich;
pub(crate) mod importance;
pub(crate) mod journal;
#[cfg(test)]
mod laws;
mod page;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod timer;

pub(crate) use classify::slug;
pub(crate) use config::Config;
