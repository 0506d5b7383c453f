//! The vocabulary every Sanctum service is written in.
//!
//! A service is a constant [`Spec`] (what the outside world may know about it) and an implementation of
//! [`Service`] (what it does). The port register, boot order, probes, unit files, configuration sections and
//! reference documents are computed from the `Spec`, so they cannot drift.

pub mod announce;
pub mod catalogue;
pub mod chain;
pub mod clock;
pub mod discipline;
pub mod exit;
pub mod files;
pub mod heart;
pub mod house;
pub mod inventory;
pub mod kinds;
pub mod latch;
pub mod paths;
pub mod peers;
pub mod process;
pub mod reconcile;
pub mod running;
pub mod section;
pub mod service;
pub mod spec;
pub mod stop;
pub mod tasks;
pub mod trace;
pub mod values;
pub mod well;

pub use announce::announce;
pub use catalogue::{Catalogue, Entry};
pub use chain::{Chain, Hinted, hint};
pub use clock::Clock;
pub use house::House;
pub use inventory::Inventory;
pub use latch::{Latch, Ready};
pub use paths::Paths;
pub use peers::{Peer, Peers};
pub use reconcile::{Applied, Nudge};
pub use service::{Complaint, Context, Failure, Service};
pub use spec::{Call, Guest, Listen, Probe, Right, Spec, Tier};
pub use stop::Stop;
pub use tasks::{OnError, Tasks};
pub use trace::Trace;
pub use values::{Cron, Mac, Period, SecretRef, Size, Wall, Weekday, Zone};
pub use well::{Status, Well};

/// Metric types and the registry, so that a service names no other crate for them.
pub mod metrics {
    pub use prometheus_client::encoding::EncodeLabelSet;
    pub use prometheus_client::encoding::text::{encode, encode_eof, encode_registry};
    pub use prometheus_client::metrics::{
        counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
    };
    pub use prometheus_client::registry::Registry;
}
