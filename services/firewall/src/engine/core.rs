//! The truth: devices, intentions, and what was last seen of the router.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::Moment;
use sanctum_api::firewall::{BlockState, Desired, Device, Happening, Kind, Router, Verdict};
use sanctum_http::{Feed, Refusal};
use sanctum_kernel::service::Shared;
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{Mac, Nudge, Status, Trace};
use sanctum_store::StoreError;
use tokio::sync::watch;
use tokio::time::Instant;

use super::refused_store;
use crate::backend::{Backend, By};
use crate::config::Config;
use crate::ledger::{Entry, Ledger};
use crate::meters::Meters;
use crate::plan;
use crate::record::Record;

/// What readers see: whole, and never in the middle of a change.
#[derive(Debug)]
pub(crate) struct View {
    pub devices: Vec<Device>,
    pub desired: Desired,
    pub router: Router,
    /// When the intention next changes by itself.
    pub next_change: Option<Timestamp>,
}

/// What the core is made of.
#[derive(Debug)]
pub(crate) struct Setup {
    pub config: Config,
    pub backend: Arc<dyn Backend>,
    pub ledger: Ledger,
    pub feed: Feed,
    pub shared: Shared,
    pub meters: Meters,
    pub records: BTreeMap<String, Record>,
    pub desired: Desired,
    /// In which times are told.
    pub zone: jiff::tz::TimeZone,
}

/// What is remembered of a blocked address between two looks.
#[derive(Debug, Clone)]
pub(super) struct Try {
    pub dropped: u64,
    pub leaked: u64,
    /// When its drop counter last moved, or when it was blocked.
    pub moved: Timestamp,
    /// The story of its last attempt, until it is proven.
    pub story: Option<TraceId>,
}

/// The truth. Only the loop of the engine holds it.
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) setup: Setup,
    pub(super) by_mac: BTreeMap<Mac, String>,
    pub(super) states: BTreeMap<String, BlockState>,
    pub(super) tries: BTreeMap<Mac, Try>,
    /// Read back as in force at the end of the last round.
    pub(super) held: Option<super::drift::Held>,
    pub(super) leaving: BTreeMap<Mac, Instant>,
    pub(super) canary: Option<Mac>,
    /// The last canary did not come through.
    pub(super) canary_lost: bool,
    pub(super) flood: super::flood::Flood,
    pub(super) counted: BTreeMap<Mac, u64>,
    pub(super) off: bool,
    pub(super) drift: Option<String>,
    pub(super) observed: Option<usize>,
    pub(super) nudge: Nudge,
    /// Counts what has to be written down.
    changes: u64,
    dirty: BTreeSet<String>,
    gone: Vec<String>,
    moments: Vec<Moment>,
    view: watch::Sender<Arc<View>>,
}

impl Core {
    pub(crate) fn new(setup: Setup) -> Self {
        let nothing = View {
            devices: Vec::new(),
            desired: Desired::default(),
            router: router(&setup, false),
            next_change: None,
        };
        let mut core = Self {
            by_mac: BTreeMap::new(),
            states: BTreeMap::new(),
            tries: BTreeMap::new(),
            held: None,
            leaving: BTreeMap::new(),
            canary: None,
            canary_lost: false,
            flood: super::flood::Flood::default(),
            counted: BTreeMap::new(),
            off: false,
            drift: None,
            observed: None,
            nudge: Nudge::default(),
            changes: 0,
            dirty: BTreeSet::new(),
            gone: Vec::new(),
            moments: Vec::new(),
            view: watch::Sender::new(Arc::new(nothing)),
            setup,
        };
        core.show();
        core
    }

    /// Takes over what was kept, laid under what the configuration says. Done when the service runs and not when it
    /// is built: until then a service it replaces may still write.
    pub(super) fn take_over(&mut self, records: BTreeMap<String, Record>, desired: Desired) {
        self.dirty.extend(records.keys().cloned());
        self.setup.records = records;
        self.setup.desired = desired;
        self.index();
        self.show();
    }

    pub(super) fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.subscribe()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.setup.shared.clock.now()
    }

    /// A moment as the clock on the house's wall shows it: `Sat 10:00`.
    pub(super) fn wall(&self, at: Timestamp) -> String {
        at.to_zoned(self.setup.zone.clone()).strftime("%a %H:%M").to_string()
    }

    pub(super) fn per_service(&self) -> bool {
        self.setup.backend.capabilities().per_service
    }

    pub(super) fn grace(&self) -> SignedDuration {
        signed(self.setup.config.grace.0)
    }

    /// Finds addresses again after devices have changed.
    pub(super) fn index(&mut self) {
        let records = self.setup.records.values();
        self.by_mac = records
            .flat_map(|record| record.device.macs.iter().map(|mac| (*mac, record.device.id.clone())))
            .collect();
    }

    pub(super) fn touch(&mut self, id: &str) {
        self.changes += 1;
        self.dirty.insert(id.to_owned());
    }

    pub(super) fn touch_all(&mut self, ids: &[String]) {
        self.changes += u64::from(!ids.is_empty());
        self.dirty.extend(ids.iter().cloned());
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Record> {
        self.changes += 1;
        self.gone.push(id.to_owned());
        self.dirty.remove(id);
        self.states.remove(id);
        self.setup.records.remove(id)
    }

    /// The story an event belongs to.
    pub(super) fn moment(&mut self, trace_id: TraceId, what: &str, detail: impl Into<String>) {
        let at = self.now();
        self.changes += 1;
        self.moments.push(Moment {
            at,
            service: "firewall".to_owned(),
            what: what.to_owned(),
            detail: detail.into(),
            trace_id,
        });
    }

    /// Says on the feed and in the story what happened to a device.
    pub(super) fn happen(
        &mut self,
        kind: Kind,
        at: Option<(&str, Option<Mac>)>,
        detail: String,
        verdict: Option<Verdict>,
        by: Option<By>,
    ) -> Happening {
        let trace_id = Trace::current().id();
        let happening = Happening {
            kind,
            at: self.now(),
            trace_id,
            device: at.map(|(id, _)| id.to_owned()),
            mac: at.and_then(|(_, mac)| mac),
            detail: detail.clone(),
            verdict,
            noticed_by: by.map(|by| by.word().to_owned()),
        };
        self.setup.meters.happened(kind);
        self.setup.feed.publish(kind.word(), &happening);
        self.moment(trace_id, kind.word(), detail);
        happening
    }

    /// How many changes there have been that have to be written down.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether nothing waits to be written down.
    pub(super) fn is_kept(&self) -> bool {
        self.dirty.is_empty() && self.gone.is_empty() && self.moments.is_empty()
    }

    /// Shows the truth to readers and writes down what changed. What could not be written stays to be written.
    pub(super) async fn finish(&mut self) -> Result<(), StoreError> {
        self.show();
        let entry = self.unwritten(None);
        if entry.is_empty() {
            return Ok(());
        }
        match self.setup.ledger.write(entry).await {
            Ok(()) => {
                self.dirty.clear();
                self.gone.clear();
                self.moments.clear();
                self.setup.shared.well.set("store", Status::Well, "everything is written down");
                Ok(())
            }
            Err(error) => {
                let hint = error.hint().unwrap_or("it is tried again with the next change");
                self.setup.shared.well.set_hint("store", Status::Unwell, error.to_string(), hint);
                // A full disk may stay full for days: stories are the part that may be lost.
                let excess = self.moments.len().saturating_sub(10_000);
                drop(self.moments.drain(..excess));
                Err(error)
            }
        }
    }

    fn unwritten(&self, desired: Option<Desired>) -> Entry {
        let records = &self.setup.records;
        Entry {
            devices: self.dirty.iter().filter_map(|id| records.get(id)).cloned().collect(),
            gone: self.gone.clone(),
            desired,
            moments: self.moments.clone(),
        }
    }

    /// Does all of `work` and writes it down, or leaves everything as it was: whether the work refuses half way or
    /// the disk does.
    pub(super) async fn whole<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Refusal> + Send,
    ) -> Result<T, Refusal> {
        let records = self.setup.records.clone();
        let (desired, states) = (self.setup.desired.clone(), self.states.clone());
        let (dirty, gone) = (self.dirty.clone(), self.gone.clone());
        let outcome = match work(self) {
            Ok(value) => {
                let changed = (self.setup.desired != desired).then(|| self.setup.desired.clone());
                let written = self.setup.ledger.write(self.unwritten(changed)).await;
                written.map(|()| value).map_err(|error| refused_store(&error))
            }
            Err(refusal) => Err(refusal),
        };
        if outcome.is_ok() {
            self.dirty.clear();
            self.gone.clear();
            self.moments.clear();
        } else {
            (self.setup.records, self.setup.desired, self.states) = (records, desired, states);
            (self.dirty, self.gone) = (dirty, gone);
            self.index();
        }
        outcome
    }

    fn show(&mut self) {
        let now = self.now();
        let devices = self.setup.records.values().map(|record| self.device(record)).collect();
        let next_change = plan::next_change(&self.setup.records, &self.setup.desired, self.grace(), now);
        let mut router = router(&self.setup, self.off);
        router.newcomers = plan::newcomers(&self.setup.desired, now);
        router.intended =
            plan::intent(&self.setup.records, &self.setup.desired, now, self.per_service(), None).cuts.len();
        router.observed = self.observed;
        router.drift.clone_from(&self.drift);
        self.setup.meters.blocked(router.intended);
        let desired = self.setup.desired.clone();
        self.view.send_replace(Arc::new(View { devices, desired, router, next_change }));
    }

    /// A device as readers see it.
    pub(super) fn device(&self, record: &Record) -> Device {
        Device { block: self.states.get(&record.device.id).cloned(), ..record.device.clone() }
    }

    pub(super) fn next_departure(&self) -> Instant {
        let far = || Instant::now() + Duration::from_hours(1);
        self.leaving.values().min().copied().unwrap_or_else(far)
    }

    pub(super) fn take_story(&mut self, mac: Mac) -> Option<TraceId> {
        mem::take(&mut self.tries.get_mut(&mac)?.story)
    }
}

fn router(setup: &Setup, off: bool) -> Router {
    let (can, cannot) = setup.backend.capabilities().words();
    Router {
        backend: setup.config.backend.word().to_owned(),
        can,
        cannot,
        off,
        newcomers: sanctum_api::firewall::Newcomers::Allow,
        intended: 0,
        observed: None,
        drift: None,
    }
}

/// A configured length of time, for the calendar.
pub(super) fn signed(period: Duration) -> SignedDuration {
    SignedDuration::try_from(period).unwrap_or(SignedDuration::MAX)
}
