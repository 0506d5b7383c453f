//! Does what the engine decides, and tells it what happened.

mod agenda;
mod face;
mod revise;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sanctum_api::Moment;
use sanctum_api::supervise::{Locked, Phase};
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Chain, Failure, Status, Stop, Trace};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::beat::Beat;
use crate::board::Board;
use crate::child::{Cradle, Life, Order};
use crate::engine::{Command, Engine, Event, Rules};
use crate::locks::Locks;
use crate::log::Logs;
use crate::pids::Identity;
use crate::probe::Seen;
use crate::process::{self, Leaders};
use crate::{Config, Plan, order, pids, probe, tell};
use agenda::Agenda;
use face::Face;

/// How long a survivor of an earlier house may take to end.
const SURVIVOR_GRACE: Duration = Duration::from_secs(10);
/// How long a last notice may take when the house is down.
const LAST_NOTICE: Duration = Duration::from_secs(3);

/// What reaches the keeper.
#[derive(Debug)]
pub(crate) enum Message {
    Event(Event),
    Born {
        unit: usize,
        run: u64,
        pid: u32,
    },
    Seen {
        unit: usize,
        run: u64,
        seen: Seen,
    },
    /// Look at every service now; answered when that is done.
    Look {
        done: oneshot::Sender<()>,
    },
    /// Everything that was asked for by a `Look` has come before this.
    Looked {
        done: oneshot::Sender<()>,
    },
    /// From a person; answered once the wish is taken.
    Wish {
        event: Event,
        taken: oneshot::Sender<()>,
    },
}

/// The way to the keeper.
pub(crate) type Wishes = mpsc::UnboundedSender<Message>;

/// Everything it takes to keep a house up.
pub(crate) struct Keeper {
    plans: Vec<Arc<Plan>>,
    config: Config,
    shared: Shared,
    engine: Engine,
    faces: Vec<Face>,
    locks: Locks,
    board: Board,
    cradle: Arc<Cradle>,
    messages: mpsc::UnboundedReceiver<Message>,
    agenda: Agenda,
    /// Processes and questions; notices go on after the last process has ended.
    jobs: JoinSet<()>,
    notices: JoinSet<()>,
    /// What an earlier supervisor left and still runs as its plan says.
    found: Vec<Identity>,
    began: Instant,
    /// When somebody last asked for a look at everything.
    looked: Option<Instant>,
    since: Timestamp,
    leaving: bool,
}

impl Keeper {
    pub(crate) fn new(
        plans: Vec<Plan>,
        config: Config,
        shared: Shared,
        board: Board,
    ) -> Result<(Self, Wishes), Failure> {
        let needs = order::resolve(&plans)?;
        let locks = Locks::load(&shared.paths)?;
        let locked: Vec<bool> = plans.iter().map(|plan| locks.get(&plan.name).is_some()).collect();
        let graces: Vec<Duration> = plans.iter().map(|plan| plan.grace).collect();
        let seed = u64::from_le_bytes(sanctum_kernel::trace::random());
        let engine = Engine::new(&needs, &graces, &locked, Rules::from(&config), seed);
        let (wishes, messages) = mpsc::unbounded_channel();
        let cradle = Cradle {
            logs: Logs::open(&shared.paths, &config.log, &shared.clock)?,
            paths: shared.paths.clone(),
            environment: std::sync::Mutex::new(config.environment.clone()),
            leaders: Leaders::default(),
            messages: wishes.clone(),
        };
        let now = shared.clock.now();
        let face = |plan: &Plan| Face::new(now, locks.get(&plan.name).cloned());
        let keeper = Self {
            faces: plans.iter().map(face).collect(),
            plans: plans.into_iter().map(Arc::new).collect(),
            config,
            shared,
            engine,
            locks,
            board,
            cradle: Arc::new(cradle),
            messages,
            agenda: Agenda::default(),
            jobs: JoinSet::new(),
            notices: JoinSet::new(),
            found: Vec::new(),
            began: Instant::now(),
            looked: None,
            since: now,
            leaving: false,
        };
        keeper.show();
        Ok((keeper, wishes))
    }

    /// Starts the house and keeps it up until asked to stop; then ends it, dependants first.
    pub(crate) async fn run(mut self, stop: Stop) -> Result<(), Failure> {
        process::adopt_orphans();
        self.find().await?;
        let mut heart = Beat::begin(&self.shared.paths);
        let mut deaths = signal(SignalKind::child())?;
        let mut rounds = revise::rounds(&self.config);
        let mut revisions = self.shared.revised.follow();
        self.handle(Event::Begin);
        while !self.engine.is_over() {
            tokio::select! {
                Some(message) = self.messages.recv() => self.take(message),
                event = self.agenda.next() => self.handle(event),
                () = stop.requested(), if !self.leaving => self.handle(Event::Down),
                _ = deaths.recv() => self.cradle.leaders.reap_orphans(),
                Some(_) = self.jobs.join_next(), if !self.jobs.is_empty() => {}
                Some(_) = self.notices.join_next(), if !self.notices.is_empty() => {}
                config = revisions.next::<Config>() => rounds = self.revise(&config),
                _ = rounds.tick(), if !self.leaving => self.ask_all(),
                () = heart.due() => heart.beat(),
            }
        }
        // What was kept but never came to its turn, because what it needs did not.
        pids::end(&self.shared.paths, std::mem::take(&mut self.found), SURVIVOR_GRACE).await;
        let told = async { while self.notices.join_next().await.is_some() {} };
        tokio::time::timeout(LAST_NOTICE, told).await.ok();
        self.cradle.logs.flush(Duration::from_secs(1)).await;
        Ok(())
    }

    /// Looks for what an earlier supervisor left. What runs as its plan says is kept; the rest is ended first.
    async fn find(&mut self) -> Result<(), Failure> {
        let runs_as_planned = |process: &Identity| {
            let plan = self.plans.iter().find(|plan| plan.name == process.name);
            plan.is_some_and(|plan| plan.signature() == process.plan)
                && sanctum_kernel::process::born(process.pid).as_ref() == Some(&process.born)
        };
        let survivors = pids::survivors(&self.shared.paths);
        let (found, strange): (Vec<_>, Vec<_>) = survivors.into_iter().partition(runs_as_planned);
        for process in &found {
            tracing::info!(
                service = process.name,
                pid = process.pid,
                "a process of an earlier supervisor is kept"
            );
        }
        self.found = found;
        match pids::end(&self.shared.paths, strange, SURVIVOR_GRACE).await.first() {
            None => Ok(()),
            Some(left) => Err(format!(
                "`{}` of an earlier house still runs as process {} and cannot be ended",
                left.name, left.pid
            )
            .into()),
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Event(event) => self.handle(event),
            Message::Look { done } => self.look(done),
            Message::Looked { done } => done.send(()).unwrap_or_default(),
            Message::Wish { event, taken } => {
                self.handle(event);
                taken.send(()).ok();
            }
            Message::Born { unit, run, pid } => {
                if self.is_current(unit, run) {
                    self.born(unit, run, pid);
                    self.show();
                }
            }
            Message::Seen { unit, run, seen } => {
                if self.is_current(unit, run)
                    && let Some(face) = self.faces.get_mut(unit)
                {
                    face.seen = seen;
                    self.show();
                }
            }
        }
    }

    fn is_current(&self, unit: usize, run: u64) -> bool {
        self.engine.unit(unit).is_some_and(|unit| unit.run == run && unit.alive)
    }

    fn handle(&mut self, event: Event) {
        self.leaving |= event == Event::Down;
        self.note(&event);
        let commands = self.engine.handle(event, self.began.elapsed());
        for command in commands {
            self.obey(command);
        }
        self.show();
    }

    /// What an event means for the faces, before the engine decides.
    fn note(&mut self, event: &Event) {
        let now = self.shared.clock.now();
        match event {
            Event::Ready { unit, run } if self.is_current(*unit, *run) => {
                let Some(face) = self.faces.get_mut(*unit) else { return };
                face.ready_ms =
                    face.born.map(|born| u64::try_from(born.elapsed().as_millis()).unwrap_or(u64::MAX));
                face.seen = Seen { live: true, ready: true, ..face.seen.clone() };
                if std::mem::take(&mut face.was_locked) {
                    self.tell_back(*unit);
                }
            }
            Event::Exited { unit, run, exit } if self.is_current(*unit, *run) => {
                if let (Some(plan), false) = (self.plans.get(*unit), self.leaving) {
                    tracing::info!(service = plan.name, %exit, "a service ended");
                }
                let Some(face) = self.faces.get_mut(*unit) else { return };
                face.gone(now);
            }
            _ => {}
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Spawn { unit, run } => self.spawn(unit, run),
            Command::Terminate { unit, .. } => self.order(unit, Order::Terminate),
            Command::Kill { unit, .. } => {
                if let Some(plan) = self.plans.get(unit) {
                    tracing::warn!(service = plan.name, "a service did not end in its time: it is killed");
                }
                self.order(unit, Order::Kill);
            }
            Command::After { unit, run, timer, delay } => {
                self.agenda.add(delay, Event::Timer { unit, run, timer });
            }
            Command::Lock { unit, reason } => self.lock(unit, reason),
            Command::Unlocked { unit } => self.unlock(unit),
            Command::Changed { unit } => {
                let now = self.shared.clock.now();
                if let Some(face) = self.faces.get_mut(unit) {
                    face.since = now;
                }
                // Whoever has just become ready is asked at once how it is.
                self.ask(unit);
            }
        }
    }

    fn order(&self, unit: usize, order: Order) {
        if let Some(orders) = self.faces.get(unit).and_then(|face| face.orders.as_ref()) {
            orders.send(order).ok();
        }
    }

    fn spawn(&mut self, unit: usize, run: u64) {
        let (Some(plan), Some(face)) = (self.plans.get(unit), self.faces.get_mut(unit)) else { return };
        let (orders, taken) = mpsc::unbounded_channel();
        let tail = Arc::default();
        face.begin(orders, Arc::clone(&tail));
        let found = self.found.iter().position(|found| found.name == plan.name);
        let found = found.map(|at| self.found.swap_remove(at));
        let life = Life { plan: Arc::clone(plan), unit, run, tail, orders: taken, found };
        self.jobs.spawn(life.live(Arc::clone(&self.cradle)));
    }

    /// The process is there: from now on it may be ready.
    fn born(&mut self, unit: usize, run: u64, pid: u32) {
        let (Some(plan), Some(face)) = (self.plans.get(unit).cloned(), self.faces.get_mut(unit)) else {
            return;
        };
        face.pid = Some(pid);
        let messages = self.cradle.messages.clone();
        let probing = self.jobs.spawn(async move {
            probe::until_ready(&plan.ready, &plan.name).await;
            messages.send(Message::Event(Event::Ready { unit, run })).ok();
        });
        face.probing = Some(probing);
    }

    fn ask_all(&mut self) {
        (0..self.plans.len()).for_each(|unit| self.ask(unit));
    }

    /// Asks one service for its health.
    fn ask(&mut self, unit: usize) {
        let Some(state) = self.engine.unit(unit).filter(|state| state.phase == Phase::Ready) else { return };
        let (run, Some(plan)) = (state.run, self.plans.get(unit).cloned()) else { return };
        let messages = self.cradle.messages.clone();
        self.jobs.spawn(async move {
            let seen = probe::look(&plan.health, &plan.name).await;
            messages.send(Message::Seen { unit, run, seen }).ok();
        });
    }

    fn lock(&mut self, unit: usize, reason: String) {
        let (Some(plan), Some(face)) = (self.plans.get(unit).cloned(), self.faces.get_mut(unit)) else {
            return;
        };
        let locked = Locked { at: self.shared.clock.now(), reason, last_lines: face.last_lines() };
        tracing::error!(service = plan.name, reason = locked.reason, "a service is locked");
        face.locked = Some(locked.clone());
        if let Err(error) = self.locks.lock(&plan.name, locked.clone()) {
            let detail = format!("that a service is locked could not be written down: {}", Chain(&error));
            self.shared.well.set_hint(
                "state",
                Status::Degraded,
                detail,
                "make room on the disk, or mend the permissions of `state/`",
            );
        }
        self.tell(&plan.name, "locked", tell::locked(&plan.name, &plan.house_name, &locked));
    }

    fn unlock(&mut self, unit: usize) {
        let (Some(plan), Some(face)) = (self.plans.get(unit), self.faces.get_mut(unit)) else { return };
        tracing::info!(service = plan.name, "a service is unlocked");
        face.locked = None;
        face.was_locked = true;
        match self.locks.unlock(&plan.name) {
            Ok(()) => self.shared.well.clear("state"),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "that a service is unlocked could not be written down");
            }
        }
    }

    fn tell_back(&mut self, unit: usize) {
        if let Some(plan) = self.plans.get(unit).cloned() {
            self.tell(&plan.name, "back", tell::back(&plan.name, &plan.house_name));
        }
    }

    fn tell(&mut self, name: &str, what: &str, notice: sanctum_api::notify::Notice) {
        let trace = Trace::start();
        let detail = format!("{name}: {}", notice.title);
        let (at, service) = (self.shared.clock.now(), "supervise".to_owned());
        self.board.remember(Moment { at, service, what: what.to_owned(), detail, trace_id: trace.id() });
        let hub = self.plans.iter().position(|plan| plan.name == "notify");
        // A hub that nobody supervises here may still be there.
        let hub_is_up =
            hub.is_none_or(|hub| self.engine.unit(hub).is_some_and(|hub| hub.phase == Phase::Ready));
        let shared = self.shared.clone();
        self.notices.spawn(async move { trace.scope(sanctum_http::tell(&shared, notice, hub_is_up)).await });
    }
}
