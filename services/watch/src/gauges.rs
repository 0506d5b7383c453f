//! What can be read off: states, incidents, steps, lateness.

use std::sync::atomic::AtomicU64;

use sanctum_api::watch::State;
use sanctum_kernel::metrics::{Counter, Family, Gauge};
use sanctum_kernel::service::Metrics;

/// The metrics of the watch.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    states: Family<Labels, Gauge>,
    pub(crate) incidents: Counter,
    pub(crate) escalated: Counter,
    pub(crate) open: Gauge,
    steps: Family<Labels, Counter>,
    pub(crate) answers: Counter,
    pub(crate) late: Gauge<f64, AtomicU64>,
}

type Labels = Vec<(String, String)>;

fn label(name: &str, value: &str) -> Labels {
    vec![(name.to_owned(), value.to_owned())]
}

impl Gauges {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let gauges = Self::default();
        metrics.with(|registry| {
            let help = "State of a service: 0 healthy, 1 unknown, 2 drift, 3 failed, 4 blocked";
            registry.register("service_state", help, gauges.states.clone());
            registry.register("incidents", "Incidents opened", gauges.incidents.clone());
            registry.register(
                "escalations",
                "Incidents that a person was asked about",
                gauges.escalated.clone(),
            );
            registry.register("incidents_open", "Incidents that are open", gauges.open.clone());
            registry.register("steps", "Steps of healing, by what became of them", gauges.steps.clone());
            registry.register("answers", "Answers to checks", gauges.answers.clone());
            registry.register("sweep_late_seconds", "How late the latest question was", gauges.late.clone());
        });
        gauges
    }

    pub(crate) fn state(&self, service: &str, state: State) {
        let number = match state {
            State::Healthy => 0,
            State::Unknown => 1,
            State::Drift => 2,
            State::Failed => 3,
            State::Blocked => 4,
        };
        self.states.get_or_create(&label("service", service)).set(number);
    }

    pub(crate) fn forget(&self, service: &str) {
        self.states.remove(&label("service", service));
    }

    pub(crate) fn step(&self, outcome: &str) {
        self.steps.get_or_create(&label("outcome", outcome)).inc();
    }
}
