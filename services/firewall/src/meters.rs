//! What the service counts.

use std::sync::atomic::AtomicU64;

use sanctum_api::firewall::Kind;
use sanctum_kernel::metrics::{Counter, EncodeLabelSet, Family, Gauge};
use sanctum_kernel::service::Metrics;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    kind: String,
}

/// Counters of one service; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meters {
    events: Family<Labels, Counter>,
    blocked: Gauge<f64, AtomicU64>,
}

impl Meters {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let meters = Self::default();
        metrics.with(|registry| {
            registry.register("events", "what happened on the network, by kind", meters.events.clone());
            registry.register(
                "blocked_addresses",
                "addresses that should be blocked now",
                meters.blocked.clone(),
            );
        });
        meters
    }

    pub(crate) fn happened(&self, kind: Kind) {
        self.events.get_or_create(&Labels { kind: kind.word().to_owned() }).inc();
    }

    pub(crate) fn blocked(&self, count: usize) {
        self.blocked.set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
}
