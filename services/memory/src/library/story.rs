//! What the service did in a story, as long as it remembers: the last some thousand moments.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use sanctum_api::Moment;
use sanctum_kernel::Trace;
use sanctum_kernel::trace::TraceId;

use super::Library;

const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Stories(Mutex<VecDeque<Moment>>);

impl Library {
    /// Adds a moment to the story that is going on.
    pub(crate) fn happened(&self, what: &str, detail: String) {
        let moment = Moment {
            at: self.shared().clock.now(),
            service: "memory".to_owned(),
            what: what.to_owned(),
            detail,
            trace_id: Trace::current().id(),
        };
        let mut moments = self.0.stories.0.lock().unwrap_or_else(PoisonError::into_inner);
        if moments.len() >= MOST {
            moments.pop_front();
        }
        moments.push_back(moment);
    }

    pub(crate) fn moments(&self, trace: TraceId) -> Vec<Moment> {
        let moments = self.0.stories.0.lock().unwrap_or_else(PoisonError::into_inner);
        moments.iter().filter(|moment| moment.trace_id == trace).cloned().collect()
    }
}
