//! The Living Force: through its surface with a real hub, real HTTP services that misbehave, and a supervisor that does what it is told; and healing against the real faults.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod blind;
mod crash;
mod disk;
mod heal;
mod heals;
mod hub;
mod input;
mod people;
mod roots;
mod tells;
mod world;
