//! The promises of the house's one door, each tried from outside with configurations, requests and faults nobody chose.

mod cap;
mod client;
mod dice;
mod fidelity;
mod pinned;
mod privacy;
mod truth;
mod words;
