//! What others see of the supervisor: every service as it is now, and every change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    shown: Mutex<Shown>,
    moments: Mutex<VecDeque<Moment>>,
    feed: Feed,
}

/// The services by the engine's numbers; the supervisor itself has none and comes last.
#[derive(Debug, Default)]
struct Shown {
    services: BTreeMap<usize, ServiceState>,
    own: Option<ServiceState>,
}

impl Board {
    pub(crate) fn new(feed: Feed) -> Self {
        Self(Arc::new(Inner { shown: Mutex::default(), moments: Mutex::default(), feed }))
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    pub(crate) fn states(&self) -> Vec<ServiceState> {
        let shown = self.shown();
        shown.services.values().chain(&shown.own).cloned().collect()
    }

    /// The engine's number of a service.
    pub(crate) fn unit(&self, name: &str) -> Option<usize> {
        self.shown().services.iter().find(|(_, state)| state.name == name).map(|(unit, _)| *unit)
    }

    /// What `look` makes of every service but the supervisor.
    pub(crate) fn over<T>(&self, look: impl FnOnce(&BTreeMap<usize, ServiceState>) -> T) -> T {
        look(&self.shown().services)
    }

    /// Puts up the new states of these, all at once, and tells followers of those that changed. `None`: it is shown no more.
    pub(crate) fn put(&self, states: Vec<(usize, Option<ServiceState>)>) {
        let mut shown = self.shown();
        for (unit, state) in states {
            let Some(state) = state else {
                shown.services.remove(&unit);
                continue;
            };
            if shown.services.get(&unit) != Some(&state) {
                self.0.feed.publish("service", &state);
                shown.services.insert(unit, state);
            }
        }
    }

    /// The same of the supervisor itself.
    pub(crate) fn put_own(&self, state: ServiceState) {
        let mut shown = self.shown();
        if shown.own.as_ref() != Some(&state) {
            self.0.feed.publish("service", &state);
            shown.own = Some(state);
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner)
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
