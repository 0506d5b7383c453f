//! Runs services: check, bind, build, ready, run, stop, drain, exit code.

mod bind;
mod instance;
mod reload;
mod run;
mod telemetry;

pub use bind::{BindError, Bound};
pub use run::{HostError, Plan, Running, start};
pub use telemetry::{telemetry, telemetry_into};
