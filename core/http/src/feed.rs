//! Events of a service: published once, followed by many, resumed by id.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures_core::Stream;
use sanctum_api::Event;
use tokio::sync::broadcast;

/// How many events a follower may be behind, or away, before it has to look at the whole state again.
const HISTORY: usize = 1024;

/// The events of one service. Ids are numbers that grow; `Last-Event-ID` resumes after one of them. A follower
/// who was away for too long gets the kind `lost` first: it must look at the whole state again.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    past: Mutex<Past>,
    live: broadcast::Sender<Arc<Published>>,
}

#[derive(Debug)]
struct Past {
    next: u64,
    events: VecDeque<Arc<Published>>,
}

/// One event with its number.
#[derive(Debug, Clone)]
pub struct Published {
    pub number: u64,
    pub event: Event,
}

impl Feed {
    /// `first` is the number of the first event: after a restart it must be larger than any before, so a
    /// service starts at the milliseconds of its clock.
    pub fn starting_at(first: u64) -> Self {
        let past = Mutex::new(Past { next: first, events: VecDeque::new() });
        Self(Arc::new(Inner { past, live: broadcast::Sender::new(HISTORY) }))
    }

    /// A feed for a service that starts now.
    pub fn new(clock: &sanctum_kernel::Clock) -> Self {
        Self::starting_at(u64::try_from(clock.now().as_millisecond()).unwrap_or(1))
    }

    /// Publishes `data` as JSON under `kind`.
    pub fn publish<T: serde::Serialize>(&self, kind: &str, data: &T) {
        match serde_json::to_string(data) {
            Ok(data) => self.publish_text(kind, data),
            Err(error) => tracing::error!(%error, "an event could not be written as JSON"),
        }
    }

    fn publish_text(&self, kind: &str, data: String) {
        let mut past = self.0.past.lock().unwrap_or_else(PoisonError::into_inner);
        let number = past.next;
        past.next += 1;
        let event = Event { id: Some(number.to_string()), kind: kind.to_owned(), data };
        let event = Arc::new(Published { number, event });
        past.events.push_back(Arc::clone(&event));
        if past.events.len() > HISTORY {
            past.events.pop_front();
        }
        // Sent under the lock, so that a follower sees every event once and in order. No receiver is no error.
        self.0.live.send(event).ok();
    }

    /// Follows from after `last_id`; from now if `None`.
    pub fn follow(&self, last_id: Option<&str>) -> impl Stream<Item = Event> + Send + use<> {
        let past = self.0.past.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.0.live.subscribe();
        let mut missed = VecDeque::new();
        if let Some(last_id) = last_id {
            let last: Option<u64> = last_id.parse().ok();
            let oldest = past.events.front().map_or(past.next, |event| event.number);
            match last {
                Some(last) if last + 1 >= oldest && last < past.next => {
                    missed.extend(
                        past.events
                            .iter()
                            .filter(|event| event.number > last)
                            .map(|event| event.event.clone()),
                    );
                }
                _ => missed.push_back(lost()),
            }
        }
        drop(past);
        futures_util::stream::unfold((missed, live), |(mut missed, mut live)| async move {
            if let Some(event) = missed.pop_front() {
                return Some((event, (missed, live)));
            }
            match live.recv().await {
                Ok(published) => Some((published.event.clone(), (missed, live))),
                Err(broadcast::error::RecvError::Lagged(_)) => Some((lost(), (missed, live))),
                Err(broadcast::error::RecvError::Closed) => None,
            }
        })
    }
}

fn lost() -> Event {
    Event { id: None, kind: "lost".to_owned(), data: "{}".to_owned() }
}
