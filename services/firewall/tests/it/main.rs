//! The firewall through its API, with the simulated router.

mod api;
mod faults;
mod house;
mod newcomers;
mod property;
