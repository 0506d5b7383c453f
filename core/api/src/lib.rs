//! What crosses between services: types, and a typed client for each. No input or output happens here; a client
//! speaks through a [`Transport`] that `http` implements.

pub mod deadman;
pub mod firewall;
pub mod memory;
pub mod notify;
pub mod problem;
pub mod proxy;
pub mod screen;
pub mod story;
pub mod supervise;
pub mod time;
pub mod transport;
pub mod watch;

pub use problem::Problem;
pub use story::{Health, Moment};
pub use transport::{CallError, Event, Events, Transport};
