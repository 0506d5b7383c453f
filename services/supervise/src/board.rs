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
    states: Mutex<Vec<ServiceState>>,
    moments: Mutex<VecDeque<Moment>>,
    feed: Feed,
}

impl Board {
    pub(crate) fn new(feed: Feed) -> Self {
        Self(Arc::new(Inner { states: Mutex::default(), moments: Mutex::default(), feed }))
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    pub(crate) fn states(&self) -> Vec<ServiceState> {
        self.0.states.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts up new states and tells followers of those that changed.
    pub(crate) fn put(&self, states: Vec<ServiceState>) {
        let mut shown = self.0.states.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, state) in states.iter().enumerate() {
            if shown.get(at) != Some(state) {
                self.0.feed.publish("service", state);
            }
        }
        *shown = states;
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
