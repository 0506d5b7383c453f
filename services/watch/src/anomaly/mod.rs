//! What is unusual and not yet a failure: leaks before they bite, slowness, restarts. Pure but for the readings of `/proc`.

mod detector;
mod fit;
mod readings;
mod robust;

pub use detector::{Anomaly, Detector, Measure, Series};
pub use readings::Readings;
pub use robust::{median, slope};

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
