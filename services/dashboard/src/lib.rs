//! The Command Center: the house at a glance, on a page that is live, calm and never claims what it could not ask.

mod access;
mod app;
mod asked;
mod body;
mod calls;
mod config;
mod gather;
mod handlers;
mod hub;
mod live;
mod memory;
mod money;
mod overview;
mod pages;
mod security;
mod seen;
mod sentence;
mod service;
mod sessions;
mod story;
mod words;

pub use asked::Asked;
pub use config::Config;
pub use overview::{Overview, Streams, Tile, Tonight, Watched, Watcher};
pub use sentence::{Sentence, Tone};
pub use service::Dashboard;
pub use story::{Link, Story, Tie};
