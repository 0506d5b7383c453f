//! Feeds the engine with what happens, and does what it says.

mod act;
mod agenda;
mod heart;
mod incident;
mod list;
mod locks;
mod obey;
mod people;
mod sight;
mod unusual;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sanctum_api::watch::Node;
use sanctum_kernel::{Catalogue, Failure, Latch, OnError, Stop};
use sanctum_probe::Prober;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::config::Config;
use crate::engine::{Command, Event};
use crate::hub::{Hub, Message};
use crate::senses::{Clocks, Sight};
use crate::sweep::{Answered, Handle, Sweep};
use agenda::Agenda;

/// Between two looks at the clocks.
const TICK: Duration = Duration::from_secs(1);
/// Messages that are taken in together, so that they share a commit.
const BATCH: usize = 256;
/// Answers that wait to be taken in.
const ANSWERS: usize = 1024;

/// The one that owns what happens next.
pub(crate) struct Shell {
    hub: Hub,
    catalogue: &'static Catalogue,
    prober: Prober,
    healer: act::Hands,
    questions: Handle,
    answers: mpsc::Receiver<Answered>,
    mail: mpsc::Receiver<Message>,
    agenda: Agenda,
    /// Which list of services positions belong to.
    list: u64,
    /// Ours that do not run here: the supervisor does not keep them.
    absent: Option<Vec<String>>,
    /// The supervisor's word on each service.
    kept: BTreeMap<String, locks::Word>,
    clocks: Clocks,
    began: Instant,
    sight: sight::State,
    /// People who wait for every check of a service: when they asked, which, and their door.
    checks: Vec<(Instant, String, oneshot::Sender<Node>)>,
    ticks: u64,
    heart: Option<heart::Beating>,
}

/// What it takes to begin.
pub(crate) struct Parts {
    pub(crate) hub: Hub,
    pub(crate) catalogue: &'static Catalogue,
    pub(crate) prober: Prober,
    pub(crate) healer: act::Hands,
    pub(crate) mail: mpsc::Receiver<Message>,
}

pub(crate) use act::Hands;
pub(crate) use list::inventory;

impl Shell {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { hub, catalogue, prober, healer, mail } = parts;
        let (out, answers) = mpsc::channel(ANSWERS);
        let (sweep, questions) = Sweep::new(prober.clone(), crate::sweep::room(), out);
        hub.shared.tasks.spawn("sweep", OnError::Stop, |stop| async move {
            sweep.run(stop).await;
            Ok(())
        });
        let began = Instant::now();
        Self {
            clocks: Clocks::read(&hub.shared.clock, began),
            hub,
            catalogue,
            prober,
            healer,
            questions,
            answers,
            mail,
            agenda: Agenda::default(),
            list: 0,
            absent: None,
            kept: BTreeMap::new(),
            began,
            sight: sight::State::default(),
            checks: Vec::new(),
            ticks: 0,
            heart: None,
        }
    }

    /// Works until asked to stop. `first` is what the engine wanted when it was made.
    pub(crate) async fn run(mut self, first: Vec<Command>, latch: Latch, stop: Stop) -> Result<(), Failure> {
        let mut revisions = self.hub.shared.revised.follow();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.ask_all();
        self.obey(first).await;
        self.recall().await;
        latch.release();
        self.heart = heart::Beating::begin(&self.hub);
        loop {
            tokio::select! {
                biased;
                () = stop.requested() => {
                    if let Some(heart) = self.heart.take() {
                        heart.end();
                    }
                    return Ok(());
                }
                _ = ticks.tick() => self.tick().await,
                timer = self.agenda.next() => self.digest(vec![Event::Timer(timer)]).await,
                Some(message) = self.mail.recv() => self.take(message).await,
                Some(answered) = self.answers.recv() => self.heard(answered).await,
                (config, house) = revisions.next_in_house::<Config>() => {
                    self.hub.revise(config, house);
                    self.revise().await;
                }
            }
        }
    }

    /// Takes in an answer and those that wait behind it.
    async fn heard(&mut self, first: Answered) {
        // What comes after a gap was seen before or during it: the clocks are looked at first.
        self.look_at_clocks().await;
        let mut events = Vec::new();
        let mut next = Some(first);
        let mut room = BATCH;
        while let Some(Answered { list, node, check, answer, heard }) = next.take() {
            self.hub.sign(true);
            self.hub.gauges.answers.inc();
            if list == self.list {
                self.read_off(node, check, &answer).await;
            }
            if list == self.list
                && let Some(answer) = self.believe(node, check, answer, heard)
            {
                events.push(Event::Answered { node, check, answer });
            }
            room -= 1;
            if room > 0 {
                next = self.answers.try_recv().ok();
            }
        }
        self.digest(events).await;
        self.answer_checks();
    }

    async fn take(&mut self, message: Message) {
        self.look_at_clocks().await;
        match message {
            Message::Acted { incident, step, outcome } => {
                self.digest(vec![Event::Acted { incident, step, outcome }]).await;
            }
            message => self.hear(message).await,
        }
        self.answer_checks();
    }

    /// What is more than an event.
    async fn hear(&mut self, message: Message) {
        match message {
            Message::Supervisor(states) => self.supervisor(states).await,
            Message::Kept(state) => self.kept(&state).await,
            Message::Looked(sight) => self.looked(sight).await,
            Message::Verdicts(verdicts) => self.verdicts(verdicts).await,
            Message::Drift(drift) => self.hub.brain().drift = drift,
            Message::Anomalies(news) => self.anomalies(news).await,
            message => self.person(message).await,
        }
    }

    /// Tells the engine, and does what it says.
    async fn digest(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut commands = Vec::new();
        {
            let mut brain = self.hub.brain();
            let now = brain.now();
            for event in events {
                commands.extend(brain.engine.handle(event, now));
            }
        }
        self.obey(commands).await;
    }

    async fn tick(&mut self) {
        self.hub.sign(false);
        self.ticks += 1;
        let progress = self.questions.progress();
        self.hub.gauges.late.set(progress.late.as_secs_f64());
        if let Some(heart) = &mut self.heart {
            heart.turn(&progress);
        }
        self.look_at_clocks().await;
        self.expire().await;
        self.claim_locks().await;
        self.answer_checks();
        self.look_again();
        if self.ticks.is_multiple_of(5) {
            self.hub.store.retry().await;
            self.hub.teller.nudge();
        }
        if self.ticks.is_multiple_of(10) {
            self.pressure().await;
        }
        if self.ticks % 3600 == 1 {
            self.prune().await;
        }
    }

    /// How much of the last ten seconds work had to wait for something (PSI; kernel.org/doc/html/latest/accounting/psi.html).
    async fn pressure(&mut self) {
        let some = |what: &str| -> Option<f64> {
            let text = std::fs::read_to_string(format!("/proc/pressure/{what}")).ok()?;
            let (_, rest) = text.lines().find(|line| line.starts_with("some"))?.split_once("avg10=")?;
            rest.split_ascii_whitespace().next()?.parse().ok()
        };
        let worst = ["cpu", "memory", "io"]
            .into_iter()
            .filter_map(some)
            .fold(None, |worst: Option<f64>, share| Some(worst.map_or(share, |worst| worst.max(share))));
        if let Some(share) = worst {
            self.digest(vec![Event::Pressure { share: share / 100.0 }]).await;
        }
    }

    async fn prune(&mut self) {
        let before = crate::words::before(self.hub.now(), self.hub.config().keep.0);
        if let Err(error) = self.hub.store.prune(before).await {
            tracing::warn!(%error, "what is too old could not be removed");
        }
    }

    fn hub(&self) -> Hub {
        Arc::clone(&self.hub)
    }

    const fn sight(&self) -> Sight {
        self.sight.now
    }
}
