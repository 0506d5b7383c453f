//! The Living Force: looks at every service, finds the root of a trouble, heals what it may, and asks a person for the rest.

pub mod engine;
mod heal;
mod sentinel;
mod sweep;
