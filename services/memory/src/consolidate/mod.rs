//! Notes are put in order: what says the same is merged, what is over is set aside, what lasts is sorted, what is unused goes.

mod classify;
mod config;
pub(crate) mod importance;
#[cfg(test)]
mod laws;
pub(crate) mod plan;

pub(crate) use classify::slug;
pub(crate) use config::Config;
