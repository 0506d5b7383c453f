//! What every handler and task of the dashboard shares.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use sanctum_http::Feed;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Catalogue, House};

use crate::calls::Calls;
use crate::overview::Streams;
use crate::seen::Seen;
use crate::sessions::Sessions;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct App(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shared: Shared,
    pub(crate) house: Arc<House>,
    pub(crate) catalogue: &'static Catalogue,
    pub(crate) calls: Calls,
    pub(crate) sessions: Sessions,
    pub(crate) seen: Seen,
    pub(crate) feed: Feed,
    pub(crate) streams: Followed,
}

impl App {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Which services' events are followed now.
#[derive(Debug, Default)]
pub(crate) struct Followed(Mutex<Streams>);

impl Followed {
    /// Says whether `service` is followed; true if that is news.
    pub(crate) fn set(&self, service: &str, connected: bool) -> bool {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.insert(service.to_owned(), connected) != Some(connected)
    }

    pub(crate) fn look(&self) -> Streams {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
