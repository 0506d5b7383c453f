//! What the parts of the service share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::supervise::ServiceState;
use sanctum_api::watch::{Attention, Hold, Incident, Node, Verdict};
use sanctum_http::Feed;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{House, Nudge};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::anomaly::{Anomaly, Detector};
use crate::brain::Brain;
use crate::config::Config;
use crate::engine::Acted;
use crate::gauges::Gauges;
use crate::notices::Style;
use crate::pulse::Pulse;
use crate::senses::Sight;
use crate::store::Store;

/// Cheap to clone.
pub(crate) type Hub = Arc<Inner>;

/// What reaches the shell.
#[derive(Debug)]
pub(crate) enum Message {
    Acted {
        incident: u64,
        step: usize,
        outcome: Acted,
    },
    /// Everything the supervisor keeps, and whether it is heard at all.
    Supervisor(Option<Vec<ServiceState>>),
    Kept(Box<ServiceState>),
    Looked(Sight),
    Hold {
        name: String,
        hold: Option<Hold>,
        done: oneshot::Sender<()>,
    },
    Attend {
        attention: Option<Attention>,
        done: oneshot::Sender<()>,
    },
    Check {
        name: String,
        done: oneshot::Sender<Node>,
    },
    Again {
        incident: i64,
        done: oneshot::Sender<Option<Incident>>,
    },
    Verdicts(Vec<Verdict>),
    Drift(Vec<String>),
    Anomalies(Vec<Anomaly>),
}

/// Everything a part needs.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shared: Shared,
    pub(crate) store: Store,
    pub(crate) feed: Feed,
    pub(crate) mail: mpsc::Sender<Message>,
    /// Another list, or another section: what reads them begins anew.
    pub(crate) revised: Nudge,
    detector: Mutex<Detector>,
    /// Wakes the teller: a letter waits.
    pub(crate) teller: Nudge,
    pub(crate) gauges: Gauges,
    pub(crate) pulse: Pulse,
    brain: Mutex<Brain>,
    rules: Mutex<(Arc<Config>, Arc<House>)>,
    /// When the shell last showed that it is alive, and when anything was last answered.
    signs: Mutex<(Instant, Instant)>,
}

impl Inner {
    pub(crate) fn new(
        shared: Shared,
        store: Store,
        mail: mpsc::Sender<Message>,
        brain: Brain,
        rules: (Arc<Config>, Arc<House>),
    ) -> Self {
        let now = Instant::now();
        Self {
            feed: Feed::new(&shared.clock),
            gauges: Gauges::new(&shared.metrics),
            pulse: Pulse::default(),
            shared,
            store,
            mail,
            revised: Nudge::default(),
            detector: Mutex::default(),
            teller: Nudge::default(),
            brain: Mutex::new(brain),
            rules: Mutex::new(rules),
            signs: Mutex::new((now, now)),
        }
    }

    pub(crate) fn brain(&self) -> MutexGuard<'_, Brain> {
        self.brain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is usual, series by series.
    pub(crate) fn detector(&self) -> MutexGuard<'_, Detector> {
        self.detector.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub(crate) fn house(&self) -> Arc<House> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    pub(crate) fn revise(&self, config: Arc<Config>, house: Arc<House>) {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = (config, house);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(crate) fn zone(&self) -> TimeZone {
        self.house().house.timezone.tz()
    }

    /// How people are addressed now.
    pub(crate) fn style(&self) -> Style {
        let dashboard = || self.shared.peers.addr("dashboard").map(|addr| format!("http://{addr}/"));
        let now = self.now();
        Style {
            zone: self.zone(),
            url: self.config().url.clone().or_else(dashboard),
            attention: self.brain().attention.clone().filter(|attention| attention.until > now),
        }
    }

    /// The shell is alive; `answered` if it has just heard an answer.
    pub(crate) fn sign(&self, answered: bool) {
        let mut signs = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        signs.0 = now;
        if answered {
            signs.1 = now;
        }
    }

    pub(crate) fn signs(&self) -> (Instant, Instant) {
        *self.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
