//! Sanctum Proxy: one door for every model request, with the budget and the privacy promises kept at it.

pub mod budget;
pub mod intent;
pub mod keys;
pub mod kinds;
pub mod stages;
pub mod usage;
