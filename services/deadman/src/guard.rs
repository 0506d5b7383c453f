//! The switch at work: looks, acts, tells, and does what a person asks of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::Moment;
use sanctum_api::deadman::{Drill as LastDrill, Peer, Stance, State as View};
use sanctum_http::Outbound;
use sanctum_kernel::heart::Heart;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Chain, Failure, Status, Stop, Trace};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::Config;
use crate::hand::Keeper;
use crate::peer::{self, News, Sight};
use crate::state::{Book, Drill, Due, Said};
use crate::surface::{Done, What, Wish};
use crate::tell::{self, Volume};
use crate::watch::{Order, Rules, Watch};
use crate::words::{self, Message};

/// How long the hub may take; the ways that need no hub do not wait for it.
const HUB: Duration = Duration::from_secs(3);
/// The longest pause of its own heart: telling takes its time.
const WITHIN: Duration = Duration::from_secs(30);
/// What nobody took is offered again so often.
const OFFER: Duration = Duration::from_secs(30);
/// The other switch is not asked more often.
const LEAST: Duration = Duration::from_millis(500);
/// The parts of the board.
const KEEPER: &str = "supervisor";
const WAYS: &str = "ways";
const OTHER: &str = "peer";

/// The other switch: where it is, how it was seen, what is seen of it.
type Other = (String, Sight, mpsc::Receiver<Result<(), String>>);

/// The switch, running.
pub(crate) struct Guard {
    config: Config,
    house: String,
    shared: Shared,
    done: Done,
    wishes: mpsc::Receiver<Wish>,
    keeper: Keeper,
    watch: Watch,
    book: Book,
    peer: Option<Other>,
    heart: Option<Heart>,
    began: Instant,
    offered: Instant,
}

impl Guard {
    pub(crate) fn new(
        config: Config,
        house: String,
        shared: Shared,
        done: Done,
        wishes: mpsc::Receiver<Wish>,
    ) -> Self {
        let book = Book::open(&shared.paths, &shared.well, shared.clock.now());
        let rules = Rules {
            patience: config.patience.0,
            give_up_after: config.give_up_after,
            remind_every: config.remind_every.0,
            blind: config.look_every() * 3 + Duration::from_secs(1),
        };
        let watch = Watch::new(rules, book.state.armed, book.state.failures, grace(config.boot_grace.0));
        let heart = Heart::begin(&shared.paths, "deadman", WITHIN);
        if let Err(error) = &heart {
            tracing::warn!(error = %Chain(error), "there is no heartbeat: nobody outside can see that the switch works");
        }
        let peer = config.peer.clone().map(|url| {
            let sight = Sight::new(config.patience.0, book.state.peer_lost);
            let seen = look_at(&shared, url.clone(), &config);
            (url, sight, seen)
        });
        let keeper = Keeper::new(&shared.paths);
        let now = Instant::now();
        let heart = heart.ok();
        Self {
            config,
            house,
            shared,
            done,
            wishes,
            keeper,
            watch,
            book,
            peer,
            heart,
            began: now,
            offered: now,
        }
    }

    pub(crate) async fn run(mut self, stop: Stop) -> Result<(), Failure> {
        loop {
            let round = async {
                self.look_after_keeper().await;
                self.look_after_ways().await;
            };
            if stop.or(Box::pin(round)).await.is_none() {
                break;
            }
            if let Some(heart) = &mut self.heart {
                heart.beat();
            }
            let pause = self.pause();
            tokio::select! {
                () = stop.requested() => break,
                () = tokio::time::sleep(pause) => {}
                Some(Wish { what, done }) = self.wishes.recv() => {
                    if stop.or(Box::pin(self.grant(what))).await.is_none() {
                        break;
                    }
                    done.send(self.view()).ok();
                }
                Some(seen) = seen(&mut self.peer) => self.other(seen).await,
            }
        }
        // Its own end in good order: the house is being ended, or this part of it.
        if let Some(heart) = self.heart.take() {
            heart.end();
        }
        Ok(())
    }

    /// Until the next look, which is not later than when something is due.
    fn pause(&self) -> Duration {
        let every = self.config.look_every();
        let due = self.watch.due().map(|due| due.saturating_sub(self.began.elapsed()));
        due.filter(|due| !due.is_zero()).map_or(every, |due| due.min(every))
    }

    async fn look_after_keeper(&mut self) {
        let (was_safe, disarmed) = (self.watch.is_safe(), self.book.is_disarmed());
        let look = self.keeper.look();
        let order = self.watch.look(look, disarmed, self.began.elapsed());
        match order {
            Order::Revive { silent } => self.revive(silent).await,
            Order::GiveUp { silent } => {
                let (_, failures) = self.watch.left();
                self.say(words::given_up(&self.house, silent, failures)).await;
            }
            Order::Remind { silent } => self.say(words::still(&self.house, silent)).await,
            Order::Alive if was_safe && !self.watch.is_safe() => {
                self.say(words::left_safe_mode(&self.house)).await;
            }
            Order::Alive | Order::Wait | Order::Rest | Order::Safe => {}
        }
        (self.book.state.armed, self.book.state.failures) = self.watch.left();
        self.book.keep();
        self.show(order, disarmed);
    }

    fn show(&self, order: Order, disarmed: bool) {
        let well = &self.shared.well;
        match order {
            _ if disarmed => well.set_hint(
                KEEPER,
                Status::Degraded,
                "disarmed: nothing is done if the supervisor dies",
                "`sanctum deadman arm`",
            ),
            Order::Safe | Order::GiveUp { .. } | Order::Remind { .. } => well.set_hint(
                KEEPER,
                Status::Unwell,
                "it could not be brought back and is not tried again",
                "`sanctum logs supervise` says why; `sanctum up` starts it, `sanctum unlock supervise` tries again",
            ),
            Order::Alive => well.set(KEEPER, Status::Well, "its heart beats"),
            Order::Rest => well.set(KEEPER, Status::Well, "the house was ended in good order"),
            Order::Wait | Order::Revive { .. } => {}
        }
    }

    async fn revive(&mut self, silent: Duration) {
        tracing::error!(seconds = silent.as_secs(), "the supervisor gives no sign of life");
        // The switch does its work: who is unwell is the supervisor.
        self.shared.well.set(KEEPER, Status::Degraded, "it gives no sign of life: it is brought back");
        let heart = &mut self.heart;
        let beat = || {
            if let Some(heart) = heart {
                heart.beat();
            }
        };
        let outcome = self.keeper.revive(self.config.start_within.0, beat).await;
        let look = self.keeper.look();
        let last = self.watch.tried(outcome.is_ok(), look, self.began.elapsed());
        // Before anybody is told: whoever is told may end this.
        (self.book.state.armed, self.book.state.failures) = self.watch.left();
        self.book.keep();
        self.say(words::tried(&self.house, silent, &outcome, last)).await;
    }

    /// Writes down and tells a person, by every way there is and side by side.
    async fn say(&mut self, message: Message) {
        let Said { title, text } = message.said.clone();
        tracing::warn!(title, text, "told");
        let trace = Trace::start();
        let moment = Moment {
            at: self.shared.clock.now(),
            service: "deadman".to_owned(),
            what: message.key.to_owned(),
            detail: title,
            trace_id: trace.id(),
        };
        let hub = tokio::time::timeout(HUB, sanctum_http::tell(&self.shared, message.notice(), true));
        let own = tell::tell(&self.config, &self.shared.paths, &message.said, Volume::Alarm);
        let (_, told) = trace.scope(async { tokio::join!(hub, own) }).await;
        let reached = told.is_empty() || told.iter().any(|(_, outcome)| outcome.is_ok());
        self.book.state.owed = (!reached).then_some(message.said);
        self.offered = Instant::now();
        self.book.keep();
        self.done.remember(moment);
    }

    /// Drills, and what could not be told before.
    async fn look_after_ways(&mut self) {
        let ways = tell::ways(&self.config);
        if ways.is_empty() {
            self.shared.well.set_hint(
                WAYS,
                Status::Well,
                "it has no way of its own to tell a person: only the hub's",
                "`[deadman] url` or `command`",
            );
            return;
        }
        if self.offered.elapsed() >= OFFER
            && let Some(said) = self.book.state.owed.clone()
        {
            self.offered = Instant::now();
            let told = tell::tell(&self.config, &self.shared.paths, &said, Volume::Alarm).await;
            if told.iter().any(|(_, outcome)| outcome.is_ok()) {
                self.book.state.owed = None;
            }
        }
        let every = SignedDuration::try_from(self.config.drill_every.0).unwrap_or(SignedDuration::MAX);
        match self.book.state.drill_due(&ways.join("\n"), every, self.shared.clock.now()) {
            Due::No => {}
            Due::Now => self.drill().await,
            Due::Late(by) => {
                self.say(words::drill_late(&self.house, by)).await;
                self.drill().await;
            }
        }
        self.book.keep();
        let trouble = self.book.state.drill.as_ref().and_then(|drill| drill.trouble.as_deref());
        match trouble {
            None => self.shared.well.set(WAYS, Status::Well, "the last drill went through"),
            Some(trouble) => self.shared.well.set_hint(
                WAYS,
                Status::Degraded,
                format!("the last drill failed: {trouble}"),
                "look at `[deadman]`; `sanctum deadman drill` tries again",
            ),
        }
    }

    async fn drill(&mut self) {
        let ways = tell::ways(&self.config).join("\n");
        let told =
            tell::tell(&self.config, &self.shared.paths, &words::drill(&self.house), Volume::Drill).await;
        let failed = told.iter().filter_map(|(way, outcome)| {
            outcome.as_ref().err().map(|error| format!("{way}: {}", Chain(error)))
        });
        let failed: Vec<String> = failed.collect();
        let trouble = (!failed.is_empty()).then(|| failed.join("; "));
        let before = self.book.state.drill.replace(Drill {
            at: self.shared.clock.now(),
            ways,
            trouble: trouble.clone(),
        });
        let failed_before = before.is_some_and(|before| before.trouble.is_some());
        match trouble {
            Some(trouble) if !failed_before => self.say(words::drill_failed(&self.house, &trouble)).await,
            None if failed_before => self.say(words::drill_works(&self.house)).await,
            _ => {}
        }
    }

    async fn other(&mut self, seen: Result<(), String>) {
        let Some((url, sight, _)) = &mut self.peer else { return };
        let url = url.clone();
        let news = sight.look(seen.is_ok(), self.began.elapsed());
        self.book.state.peer_lost = sight.lost;
        self.book.keep();
        match &seen {
            Ok(()) => self.shared.well.set(OTHER, Status::Well, format!("the switch at {url} answers")),
            Err(why) => self.shared.well.set(OTHER, Status::Degraded, format!("the switch at {url}: {why}")),
        }
        let why = seen.err().unwrap_or_default();
        match news {
            News::Nothing => {}
            News::Lost { silent } => self.say(words::peer_lost(&self.house, &url, silent, &why)).await,
            News::Back { silent } => self.say(words::peer_back(&self.house, &url, silent)).await,
        }
    }

    async fn grant(&mut self, what: What) {
        match what {
            What::Look => {}
            What::Drill => self.drill().await,
            What::Arm => {
                self.book.arm();
                self.watch.arm();
            }
            What::Disarm(length) => self.book.disarm(length, self.shared.clock.now()),
        }
        self.book.keep();
    }

    fn view(&self) -> View {
        let (armed, failures) = self.watch.left();
        let disarmed = self.book.is_disarmed();
        let stance = match () {
            () if disarmed => Stance::Disarmed,
            () if self.watch.is_safe() => Stance::SafeMode,
            () if armed => Stance::Armed,
            () => Stance::Resting,
        };
        let silent = self.watch.silent(self.began.elapsed());
        let until: Option<Timestamp> = self.book.state.disarmed.as_ref().map(|disarmed| disarmed.until);
        View {
            stance,
            silent_ms: silent.map(|silent| u64::try_from(silent.as_millis()).unwrap_or(u64::MAX)),
            failures,
            disarmed_until: until.filter(|_| disarmed),
            ways: tell::ways(&self.config),
            drill: self.book.state.drill.clone().map(|Drill { at, trouble, .. }| LastDrill { at, trouble }),
            peer: self.peer.as_ref().map(|(url, sight, _)| Peer { url: url.clone(), lost: sight.lost }),
        }
    }
}

/// What is left of the time that a machine has to start by its own means.
fn grace(whole: Duration) -> Duration {
    #[cfg(target_os = "linux")]
    let up = u64::try_from(rustix::system::sysinfo().uptime).unwrap_or(0);
    // Elsewhere the switch's own start stands for the machine's.
    #[cfg(not(target_os = "linux"))]
    let up = 0;
    whole.saturating_sub(Duration::from_secs(up))
}

/// Asks the other switch all the time, beside everything else.
fn look_at(shared: &Shared, url: String, config: &Config) -> mpsc::Receiver<Result<(), String>> {
    let (say, seen) = mpsc::channel(1);
    let (every, timeout) = (config.look_every().max(LEAST), peer::timeout(config.patience.0));
    shared.tasks.spawn("peer", sanctum_kernel::OnError::Log, |stop| async move {
        let outbound = Outbound::default();
        loop {
            let Some(answer) = stop.or(peer::ask(&outbound, &url, timeout)).await else { return Ok(()) };
            if say.send(answer).await.is_err() || stop.or(tokio::time::sleep(every)).await.is_none() {
                return Ok(());
            }
        }
    });
    seen
}

/// What was last seen of the other; never, if there is none.
async fn seen(peer: &mut Option<Other>) -> Option<Result<(), String>> {
    match peer {
        Some((_, _, seen)) => seen.recv().await,
        None => std::future::pending().await,
    }
}
