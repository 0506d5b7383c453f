//! What a process says: for people on a terminal, as JSON lines elsewhere, and panics as well.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Sets up logging to standard error, once per process.
pub fn telemetry(verbose: bool) {
    let level = LevelFilter::from_level(if verbose { Level::DEBUG } else { Level::INFO });
    let registry = tracing_subscriber::registry().with(level);
    let outcome = if std::io::stderr().is_terminal() {
        let layer =
            tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).compact();
        registry.with(layer).try_init()
    } else {
        let layer = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr).with_target(false);
        registry.with(layer.flatten_event(true).with_current_span(true).with_span_list(false)).try_init()
    };
    // A second call in one process, as tests make it, changes nothing.
    outcome.ok();
    panics();
}

/// The same as JSON lines into a file, for a process whose terminal belongs to a person.
pub fn telemetry_into(file: std::fs::File, verbose: bool) {
    let level = LevelFilter::from_level(if verbose { Level::DEBUG } else { Level::INFO });
    let layer =
        tracing_subscriber::fmt::layer().json().with_writer(std::sync::Mutex::new(file)).with_target(false);
    let layer = layer.flatten_event(true).with_current_span(true).with_span_list(false);
    tracing_subscriber::registry().with(level).with(layer).try_init().ok();
    panics();
}

fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, error = %panic, "a task panicked");
    }));
}
