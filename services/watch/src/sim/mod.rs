//! A house that exists only as numbers: services with requirements and checks, faults, lost answers, a supervisor, a healer and a
//! person, in virtual time and from a seed, around the real engine. What happens in an hour of it takes milliseconds, and the same seed is
//! the same hour.

mod chance;
mod house;
mod laws;
mod score;
mod world;

#[cfg(test)]
mod tests;

pub use chance::Chance;
pub use house::{Cure, Fault, House, Trouble};
pub use laws::Laws;
pub use score::{Score, Verdict, graphs, healthy, one};
pub use world::{Noted, World};
