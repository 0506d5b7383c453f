//! What others see of the supervisor: every service as it is now, and every change.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use sanctum_api::Moment;
use sanctum_api::supervise::ServiceState;
use sanctum_http::Feed;
use sanctum_kernel::trace::TraceId;

/// Moments that are remembered for `/trace`.
const MOMENTS: usize = 256;

/// Shared by the keeper, who writes, and the surface, which reads.
#[derive(Debug, Clone)]
pub(crate) struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    states: Mutex<Shown>,
    moments: Mutex<VecDeque<Moment>>,
    feed: Feed,
}

/// The services that are shown, and the engine's number of each; the supervisor itself has none.
#[derive(Debug, Default)]
struct Shown {
    states: Vec<ServiceState>,
    units: Vec<usize>,
}

impl Board {
    pub(crate) fn new(feed: Feed) -> Self {
        Self(Arc::new(Inner { states: Mutex::default(), moments: Mutex::default(), feed }))
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    pub(crate) fn states(&self) -> Vec<ServiceState> {
        self.0.states.lock().unwrap_or_else(PoisonError::into_inner).states.clone()
    }

    /// The engine's number of a service.
    pub(crate) fn unit(&self, name: &str) -> Option<usize> {
        let shown = self.0.states.lock().unwrap_or_else(PoisonError::into_inner);
        let at = shown.states.iter().position(|state| state.name == name)?;
        shown.units.get(at).copied()
    }

    /// Puts up new states, with their units, and tells followers of those that changed.
    pub(crate) fn put(&self, states: Vec<ServiceState>, units: Vec<usize>) {
        let mut shown = self.0.states.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, state) in states.iter().enumerate() {
            let before = shown.states.get(at).filter(|before| before.name == state.name);
            let before = before.or_else(|| shown.states.iter().find(|before| before.name == state.name));
            if before != Some(state) {
                self.0.feed.publish("service", state);
            }
        }
        *shown = Shown { states, units };
    }

    pub(crate) fn remember(&self, moment: Moment) {
        let mut moments = self.0.moments.lock().unwrap_or_else(PoisonError::into_inner);
        if moments.len() >= MOMENTS {
            moments.pop_front();
        }
        moments.push_back(moment);
    }

    pub(crate) fn story(&self, id: TraceId) -> Vec<Moment> {
        let moments = self.0.moments.lock().unwrap_or_else(PoisonError::into_inner);
        moments.iter().filter(|moment| moment.trace_id == id).cloned().collect()
    }
}
