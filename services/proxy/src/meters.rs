//! What is counted, under OpenTelemetry's names for generative models (semantic conventions, `gen_ai.*`).

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sanctum_kernel::metrics::{Counter, Family, Gauge, Histogram};
use sanctum_kernel::service::Metrics;
use sanctum_llm::Usage;

type Labels = Vec<(&'static str, String)>;

/// Boundaries of `gen_ai.client.operation.duration` and `gen_ai.server.time_to_first_token`, in seconds, as the
/// conventions advise.
const SECONDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Boundaries of `gen_ai.client.token.usage`, as the conventions advise.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Provider, model, operation.
type Name = (Arc<str>, Arc<str>, &'static str);
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// The meters of the service.
#[derive(Debug)]
pub(crate) struct Meters {
    tokens: Histograms,
    duration: Histograms,
    first: Histograms,
    pub(crate) attempts: Family<Labels, Counter>,
    refused: Family<Labels, Counter>,
    pub(crate) live: Gauge,
    pub(crate) connections: Gauge,
    cost: Family<Labels, Counter<f64, AtomicU64>>,
    known: Mutex<HashMap<Name, Arc<Meter>>>,
}

/// The handles of one model at one provider, so that a request looks nothing up by text.
#[derive(Debug)]
pub(crate) struct Meter {
    input: Histogram,
    output: Histogram,
    duration: Histogram,
    first: Histogram,
    cost: Counter<f64, AtomicU64>,
    /// Attempts at the provider, of whatever model, that went well.
    pub(crate) well: Counter,
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let counts: fn() -> Histogram = || Histogram::new(TOKENS);
        let meters = Self {
            tokens: Family::new_with_constructor(counts),
            duration: Family::new_with_constructor(seconds),
            first: Family::new_with_constructor(seconds),
            attempts: Family::default(),
            refused: Family::default(),
            live: Gauge::default(),
            connections: Gauge::default(),
            cost: Family::default(),
            known: Mutex::default(),
        };
        metrics.with_standard(|registry| {
            registry.register("gen_ai_client_token_usage", "Tokens by kind", meters.tokens.clone());
            registry.register(
                "gen_ai_client_operation_duration_seconds",
                "Time until the last byte",
                meters.duration.clone(),
            );
            registry.register(
                "gen_ai_server_time_to_first_token_seconds",
                "Time until the first byte",
                meters.first.clone(),
            );
        });
        metrics.with(|registry| {
            registry.register("attempts", "Attempts by provider and outcome", meters.attempts.clone());
            registry.register("refused", "Requests that nobody answered, by code", meters.refused.clone());
            registry.register("live", "Requests under way", meters.live.clone());
            registry.register("connections", "Connections to providers", meters.connections.clone());
            registry.register("cost_usd", "US dollars by model", meters.cost.clone());
        });
        meters
    }

    pub(crate) fn of(&self, provider: &Arc<str>, model: &Arc<str>, operation: &'static str) -> Arc<Meter> {
        let key = (Arc::clone(provider), Arc::clone(model), operation);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = known.get(&key) {
            return Arc::clone(meter);
        }
        let labels = |kind: Option<&str>| {
            let mut labels: Labels = vec![
                ("gen_ai_operation_name", operation.to_owned()),
                ("gen_ai_provider_name", provider.to_string()),
                ("gen_ai_request_model", model.to_string()),
            ];
            labels.extend(kind.map(|kind| ("gen_ai_token_type", kind.to_owned())));
            labels
        };
        // One statement each: what a family hands out holds its lock until the end of the statement.
        let input = self.tokens.get_or_create(&labels(Some("input"))).clone();
        let output = self.tokens.get_or_create(&labels(Some("output"))).clone();
        let duration = self.duration.get_or_create(&labels(None)).clone();
        let first = self.first.get_or_create(&labels(None)).clone();
        let cost = self.cost.get_or_create(&labels(None)).clone();
        let well = self.attempts.get_or_create(&attempted(provider, WELL)).clone();
        let meter = Arc::new(Meter { input, output, duration, first, cost, well });
        known.insert(key, Arc::clone(&meter));
        meter
    }

    pub(crate) fn refused(&self, code: &str) {
        self.refused.get_or_create(&vec![("code", code.to_owned())]).inc();
    }

    pub(crate) fn attempt(&self, provider: &str, outcome: &str) {
        self.attempts.get_or_create(&attempted(provider, outcome)).inc();
    }
}

/// The outcome of an attempt that is no failure.
pub(crate) const WELL: &str = "ok";

fn attempted(provider: &str, outcome: &str) -> Labels {
    vec![("outcome", outcome.to_owned()), ("provider", provider.to_owned())]
}

impl Meter {
    pub(crate) fn note(&self, usage: &Usage, cost: f64, total: Duration, first: Option<Duration>) {
        #[expect(clippy::cast_precision_loss, reason = "tokens of one request are far below 2^52")]
        let float = |count: u64| count as f64;
        self.input.observe(float(usage.input));
        self.output.observe(float(usage.output));
        self.duration.observe(total.as_secs_f64());
        if let Some(first) = first {
            self.first.observe(first.as_secs_f64());
        }
        self.cost.inc_by(cost);
    }
}
