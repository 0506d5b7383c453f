//! The door as clients meet it: a house with nothing but the proxy and a hub in it, against providers that misbehave.

mod basics;
mod continues;
mod explain;
mod faults;
pub(crate) mod house;
mod hub;
mod input;
mod invariants;
mod money;
mod privacy;
mod raw;
mod reload;
mod rows;
mod seams;
mod secure;
mod speech;
mod stages;
mod streams;
mod translate;
mod ways;
