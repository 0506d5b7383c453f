//! `sanctum.toml`: parsed strictly, checked whole, every complaint at once with its line and caret.

mod document;
mod example;
mod listen;
mod places;
mod problems;
mod repair;
mod secrets;

pub use document::{Loaded, check, load};
pub use example::{example, explain, reference};
pub use problems::{Problem, Problems};
pub use secrets::secrets;
