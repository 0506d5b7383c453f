//! The firewall through its API, with the simulated router.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod api;
mod disk;
mod faults;
mod flood;
mod house;
mod newcomers;
mod property;
