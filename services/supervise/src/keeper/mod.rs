//! Does what the engine decides, and tells it what happened.

mod agenda;
mod begin;
mod face;
mod obey;
mod pulse;
mod revise;
mod schedule;
mod shape;
mod stale;
mod telling;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Failure, House, Stop};
use sanctum_probe::Prober;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::board::Board;
use crate::child::Cradle;
use crate::engine::{Engine, Event};
use crate::jobs::Jobs;
use crate::locks::Locks;
use crate::pids::Identity;
use crate::probe::Seen;
use crate::{Config, Plan, pids, process};
use agenda::Agenda;
use face::Face;
use pulse::Pulse;

/// How long a survivor of an earlier house may take to end.
const SURVIVOR_GRACE: Duration = Duration::from_secs(10);
/// How long a last notice may take when the house is down.
const LAST_NOTICE: Duration = Duration::from_secs(3);
/// Longer than eight processes take to begin: what is prepared, written and shown meanwhile takes the processors from them.
pub(crate) const LATER: Duration = Duration::from_millis(20);
/// What is to be written down of a process waits where one without a pid file is found as well, by what it has in its environment.
const WRITE_AFTER: Duration = if cfg!(target_os = "linux") { LATER } else { Duration::ZERO };
/// How long an orphan may lie dead: not in the way of the one who is started again because of the same signal.
const REAP_AFTER: Duration = Duration::from_millis(50);
/// The engine's time at the birth of this supervisor: what was before has a time as well.
const BEFORE: Duration = Duration::from_hours(24 * 365);

/// What reaches the keeper.
#[derive(Debug)]
pub(crate) enum Message {
    Event(Event),
    Born {
        unit: usize,
        run: u64,
        identity: Identity,
    },
    Seen {
        unit: usize,
        run: u64,
        seen: Seen,
    },
    /// What it says of itself.
    Said {
        unit: usize,
        run: u64,
        text: String,
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
    /// From the watch: it tells people of a lock; answered once that is written down.
    Claim {
        unit: usize,
        taken: oneshot::Sender<()>,
    },
    /// People were told of the lock of that moment, or could not be.
    Told {
        unit: usize,
        at: Timestamp,
        kept: bool,
    },
    /// The same of its end.
    ToldBack {
        unit: usize,
        at: Timestamp,
        kept: bool,
    },
    /// The breakers' book has been written.
    Saved {
        trouble: Option<String>,
    },
    /// Go, and leave everything as it runs: a newer supervisor takes over.
    Yield,
}

/// The way to the keeper.
pub(crate) type Wishes = mpsc::UnboundedSender<Message>;

/// Where the plans of our own services come from, for a changed section.
pub(crate) type Ours = Box<dyn Fn(&Config) -> Result<Vec<Plan>, Failure> + Send + Sync>;

/// Why the keeper has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The house is down.
    Down,
    /// The house runs on, and a newer supervisor is to take over.
    Yielded,
}

/// Everything it takes to keep a house up.
pub(crate) struct Keeper {
    /// By position; one that is declared no more keeps its place.
    plans: Vec<Arc<Plan>>,
    ours: Ours,
    config: Config,
    house: Arc<House>,
    shared: Shared,
    engine: Engine,
    faces: Vec<Face>,
    locks: Locks,
    jobs: Jobs,
    board: Board,
    cradle: Arc<Cradle>,
    prober: Prober,
    messages: mpsc::UnboundedReceiver<Message>,
    agenda: Agenda,
    /// Processes and questions; notices go on after the last process has ended.
    work: JoinSet<()>,
    notices: JoinSet<()>,
    /// What an earlier supervisor left and still runs as its plan says.
    found: Vec<Identity>,
    /// When what was done is put on the board.
    show_at: Option<Instant>,
    /// Whose processes are not written down as they are, and when they will be.
    unwritten: BTreeSet<usize>,
    write_at: Option<Instant>,
    /// Who may look otherwise than the board shows.
    touched: BTreeSet<usize>,
    /// The breakers have counted something that is not written down, and when it is to be.
    counted: bool,
    save_at: Option<Instant>,
    saving: bool,
    /// The file this program was started from, as it was then.
    own_file: Option<String>,
    own_stale: bool,
    began: Instant,
    /// When somebody last asked for a look at everything.
    looked: Option<Instant>,
    since: Timestamp,
    leaving: bool,
    yielding: bool,
    /// Services of the catalogue that have hearts of their own.
    beating: Vec<&'static str>,
}

impl Keeper {
    /// Starts the house and keeps it up until asked to stop; then ends it, dependants first.
    pub(crate) async fn run(mut self, stop: Stop) -> Result<Over, Failure> {
        process::adopt_orphans();
        self.find().await?;
        let mut heart = Pulse::begin(&self.shared.paths);
        let mut deaths = signal(SignalKind::child())?;
        let mut rounds = revise::rounds(&self.config);
        let mut revisions = self.shared.revised.follow();
        let mut reap_at: Option<Instant> = None;
        self.handle(Event::Begin).await;
        self.prepare();
        self.due().await;
        self.tell_of_old();
        while !self.engine.is_over() && !self.yielding {
            let (next_run, tell_at) = (self.next_run(), self.tell_at());
            tokio::select! {
                Some(message) = self.messages.recv() => self.take(message).await,
                event = self.agenda.next() => self.handle(event).await,
                () = stop.requested(), if !self.leaving => self.handle(Event::Down).await,
                _ = deaths.recv() => { reap_at.get_or_insert_with(|| Instant::now() + REAP_AFTER); }
                () = until(reap_at) => {
                    reap_at = None;
                    self.cradle.leaders.reap_orphans();
                }
                () = until(self.show_at) => self.show(),
                () = until(self.write_at) => self.write_down(),
                () = until(self.save_at) => self.save(),
                () = until(tell_at), if !self.leaving => {
                    self.tell_of_locks();
                    self.show();
                }
                () = on_the_wall(&self.shared, next_run), if !self.leaving => self.due().await,
                Some(_) = self.work.join_next(), if !self.work.is_empty() => {}
                Some(_) = self.notices.join_next(), if !self.notices.is_empty() => {}
                (config, house) = revisions.next_in_house::<Config>() => rounds = self.revise(&config, house).await,
                _ = rounds.tick(), if !self.leaving => self.round(),
                // Here and nowhere else: a loop that hangs must not look alive.
                () = heart.due() => heart.beat(self.answers_for()),
            }
        }
        self.show();
        self.save_now();
        if self.yielding {
            // Who was born or has become ready meanwhile is kept as such.
            while let Ok(message) = self.messages.try_recv() {
                match message {
                    Message::Born { unit, run, identity } => self.born(unit, run, identity),
                    Message::Event(event) => drop(self.note(&event)),
                    _ => {}
                }
            }
            self.write_down();
            self.cradle.logs.flush(Duration::from_secs(1)).await;
            return Ok(Over::Yielded);
        }
        heart.end();
        // What was kept but never came to its turn, because what it needs did not.
        pids::end(&self.shared.paths, std::mem::take(&mut self.found), SURVIVOR_GRACE).await;
        self.jobs.forget_done();
        let told = async { while self.notices.join_next().await.is_some() {} };
        tokio::time::timeout(LAST_NOTICE, told).await.ok();
        self.cradle.logs.flush(Duration::from_secs(1)).await;
        Ok(Over::Down)
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Event(event) => self.handle(event).await,
            Message::Look { done } => self.look(done),
            Message::Looked { done } => {
                self.show();
                done.send(()).unwrap_or_default();
            }
            Message::Wish { event, taken } => {
                self.handle(event).await;
                self.show();
                taken.send(()).ok();
            }
            Message::Born { unit, run, identity } => self.born(unit, run, identity),
            Message::Seen { unit, run, seen } => {
                if self.is_current(unit, run) && self.seen(unit, seen) {
                    self.show_soon();
                }
            }
            Message::Said { unit, run, text } => {
                if self.is_current(unit, run)
                    && let Some(face) = self.faces.get_mut(unit)
                {
                    face.said = Some(text);
                    self.touch(unit);
                    self.show_soon();
                }
            }
            Message::Claim { unit, taken } => {
                self.claim(unit);
                taken.send(()).ok();
            }
            Message::Told { unit, at, kept } => self.told(unit, at, kept),
            Message::ToldBack { unit, at, kept } => self.told_back(unit, at, kept),
            Message::Saved { trouble } => self.saved(trouble),
            Message::Yield => self.yielding = true,
        }
    }

    fn is_current(&self, unit: usize, run: u64) -> bool {
        self.engine.unit(unit).is_some_and(|unit| unit.run == run && unit.alive)
    }

    /// The engine's time.
    fn now(&self) -> Duration {
        BEFORE + self.began.elapsed()
    }

    async fn handle(&mut self, event: Event) {
        self.leaving |= event == Event::Down;
        let ended = self.note(&event);
        let commands = self.engine.handle(event, self.now());
        self.obey(commands, ended).await;
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The time of the next job, as the clock on the wall shows it: also if somebody sets it.
async fn on_the_wall(shared: &Shared, at: Option<Timestamp>) {
    match at {
        Some(at) => shared.clock.until(at).await,
        None => std::future::pending().await,
    }
}
