//! How one service looks from outside.

use jiff::Timestamp;
use sanctum_api::supervise::{Locked, Phase, ServiceState};
use sanctum_kernel::inventory::Kind;
use sanctum_kernel::{Period, Status};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Keeper, LATER};
use crate::SPEC;
use crate::child::Order;
use crate::engine::{Exit, Unit};
use crate::log::Tail;
use crate::pids::Identity;
use crate::probe::Seen;

/// What the engine does not need to know.
#[derive(Debug)]
pub(crate) struct Face {
    /// Its process, as it is written down.
    pub(crate) identity: Option<Identity>,
    pub(crate) since: Timestamp,
    pub(crate) born: Option<Instant>,
    pub(crate) ready_ms: Option<u64>,
    pub(crate) seen: Seen,
    pub(crate) locked: Option<Locked>,
    /// When the supervisor tells people of its lock, unless somebody else does before.
    pub(crate) tell_at: Option<Instant>,
    pub(crate) orders: Option<mpsc::UnboundedSender<Order>>,
    pub(crate) probing: Option<AbortHandle>,
    /// When its process was started, on the clock.
    pub(crate) began: Option<Timestamp>,
    /// The file its process runs from is another one by now.
    pub(crate) stale: bool,
    /// What it says of itself.
    pub(crate) said: Option<String>,
    pub(crate) next_run: Option<Timestamp>,
    tail: Tail,
}

impl Face {
    pub(crate) fn new(since: Timestamp, locked: Option<Locked>) -> Self {
        Self {
            identity: None,
            since,
            born: None,
            ready_ms: None,
            seen: Seen::default(),
            locked,
            tell_at: None,
            orders: None,
            probing: None,
            began: None,
            stale: false,
            said: None,
            next_run: None,
            tail: Tail::default(),
        }
    }

    /// A new process is on its way.
    pub(crate) fn begin(&mut self, orders: mpsc::UnboundedSender<Order>, tail: Tail, now: Timestamp) {
        self.began = Some(now);
        self.said = None;
        self.orders = Some(orders);
        self.tail = tail;
        self.born = Some(Instant::now());
        self.ready_ms = None;
        self.seen = Seen { live: true, ..Seen::default() };
    }

    /// The process is gone.
    pub(crate) fn gone(&mut self, now: Timestamp) {
        self.stop_probing();
        (self.identity, self.born, self.orders, self.ready_ms) = (None, None, None, None);
        (self.stale, self.said) = (false, None);
        self.seen = Seen::default();
        self.since = now;
    }

    /// Nobody needs to ask any more whether it is ready.
    pub(crate) fn stop_probing(&mut self) {
        if let Some(probing) = self.probing.take() {
            probing.abort();
        }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.identity.as_ref().map(|identity| identity.pid)
    }

    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl Keeper {
    /// This one may look otherwise now.
    pub(super) fn touch(&mut self, unit: usize) {
        self.touched.insert(unit);
    }

    /// All of them may.
    pub(super) fn touch_all(&mut self) {
        self.touched.extend(0..self.plans.len());
    }

    /// What was touched is put up in a moment, with what else happens until then.
    pub(super) fn show_soon(&mut self) {
        self.show_at.get_or_insert_with(|| Instant::now() + LATER);
    }

    /// Puts up for others to see what was touched, and those that wait, whose words are about others.
    pub(super) fn show(&mut self) {
        self.show_at = None;
        let waits = |at: &usize| self.engine.unit(*at).is_some_and(|unit| unit.phase == Phase::Waiting);
        self.touched.extend((0..self.plans.len()).filter(waits));
        let now = self.now();
        let touched = std::mem::take(&mut self.touched);
        self.board.put(touched.into_iter().map(|at| (at, self.state(at, now))).collect());
        self.board.over(|states| self.say_how_it_is(states));
        self.board.put_own(self.own_state());
    }

    /// The supervisor itself. How the services are is said of each of them.
    fn own_state(&self) -> ServiceState {
        let (_, parts) = self.shared.well.look();
        let own = parts.iter().filter(|(part, _)| **part != "services");
        let worst = own.max_by_key(|(_, condition)| condition.status);
        let well = worst.map_or(Status::Well, |(_, condition)| condition.status);
        let detail = worst.filter(|_| well != Status::Well);
        ServiceState {
            name: SPEC.name.to_owned(),
            house_name: SPEC.house_name.to_owned(),
            summary: SPEC.summary.to_owned(),
            phase: if self.leaving { Phase::Stopping } else { Phase::Ready },
            pid: Some(std::process::id()),
            since: self.since,
            restarts: 0,
            last_exit: None,
            live: true,
            ready: !self.leaving,
            well: Some(well),
            needs: Vec::new(),
            address: self.shared.peers.addr(SPEC.name).map(|address| address.to_string()),
            locked: None,
            ready_ms: None,
            detail: detail.map(|(part, condition)| format!("{part}: {}", condition.detail)),
            ours: true,
            kind: Kind::Continuous,
            requires: Vec::new(),
            wants: Vec::new(),
            stale: self.own_stale,
            next_run: None,
            last_run: None,
            seat: None,
        }
    }

    fn state(&self, at: usize, now: Duration) -> Option<ServiceState> {
        let (plan, face, unit) = (self.plans.get(at)?, self.faces.get(at)?, self.engine.unit(at)?);
        // One that is declared no more is shown until nothing of it runs.
        if unit.gone && !unit.alive {
            return None;
        }
        let needs = plan.requires.iter().chain(&plan.needs).chain(&plan.after);
        Some(ServiceState {
            name: plan.name.clone(),
            house_name: plan.house_name.clone(),
            summary: plan.summary.clone(),
            phase: unit.phase,
            pid: face.pid(),
            since: face.since,
            restarts: self.engine.failures(at, now),
            last_exit: unit.last_exit.as_ref().map(ToString::to_string),
            live: face.identity.is_some() && face.seen.live,
            ready: unit.phase == Phase::Ready && face.seen.ready,
            well: face.seen.well.filter(|_| unit.phase == Phase::Ready),
            needs: needs.cloned().collect(),
            address: plan
                .address
                .map(|address| address.to_string())
                .or_else(|| plan.port.map(|port| format!(":{port}"))),
            locked: face.locked.clone(),
            ready_ms: face.ready_ms,
            detail: self.detail(at, unit, face),
            ours: plan.ours,
            kind: plan.kind,
            requires: plan.requires.clone(),
            wants: plan.wants.clone(),
            stale: face.stale,
            next_run: face.next_run.filter(|_| unit.phase != Phase::Stopped),
            last_run: self.jobs.last(&plan.name).filter(|_| plan.kind != Kind::Continuous).cloned(),
            seat: plan.seat.as_ref().map(crate::seats::shown),
        })
    }

    fn detail(&self, at: usize, unit: &Unit, face: &Face) -> Option<String> {
        match unit.phase {
            Phase::Waiting => {
                let missing: Vec<_> = self
                    .engine
                    .missing(at)
                    .filter_map(|need| Some(self.plans.get(need)?.name.as_str()))
                    .collect();
                (!missing.is_empty()).then(|| format!("waits for {}", missing.join(", ")))
            }
            Phase::BackingOff => unit.wait.map(|wait| {
                let wait = Period(Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
                let why = match &unit.last_exit {
                    Some(Exit::NotStarted(why)) => format!("{why}; "),
                    _ => String::new(),
                };
                format!("{why}starts again after a wait of {wait}")
            }),
            Phase::Locked => face.locked.as_ref().map(|locked| locked.reason.clone()),
            Phase::Failed => unit.last_exit.as_ref().map(|exit| format!("its last run ended with {exit}")),
            Phase::Ready if face.stale => Some(format!(
                "runs from an older file; `sanctum reload {}` starts the newer",
                self.plans.get(at)?.name
            )),
            _ => face.seen.detail.clone().or_else(|| face.said.clone()),
        }
    }

    fn say_how_it_is(&self, states: &BTreeMap<usize, ServiceState>) {
        let well = &self.shared.well;
        let named = |wanted: &dyn Fn(&ServiceState) -> bool| {
            let names: Vec<_> =
                states.values().filter(|state| wanted(state)).map(|state| state.name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let locked = named(&|state| state.phase == Phase::Locked);
        let troubled = named(&|state| !state.is_fine());
        match (locked, troubled) {
            (Some(names), _) => {
                let hint = format!(
                    "`sanctum logs` says why; `sanctum unlock` with its name starts it again: {names}"
                );
                well.set_hint("services", Status::Degraded, format!("locked: {names}"), hint);
            }
            (None, Some(names)) => {
                well.set("services", Status::Degraded, format!("not as they should be: {names}"));
            }
            (None, None) => well.set("services", Status::Well, format!("{} services are kept", states.len())),
        }
        match self.cradle.logs.trouble().look() {
            (lost, Some(reason)) => well.set_hint(
                "logs",
                Status::Degraded,
                format!("{reason}; {lost} lines were dropped"),
                "make room on the disk",
            ),
            (0, None) => well.set("logs", Status::Well, "every line is kept"),
            (lost, None) => {
                well.set("logs", Status::Well, format!("{lost} lines were dropped since the start"));
            }
        }
    }
}
