//! Time as a queue: the sweep asks, the house answers, the engine decides, the healer acts, a person comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use sanctum_api::watch::State;
use sanctum_kernel::inventory::Plane;
use sanctum_probe::{Answer, Finding};

use super::house::{Cure, House, Trouble};
use super::{Chance, Laws};
use crate::engine::{Acted, Action, Command, Engine, Event, Instant, Outcomes, Rules, Timer, Turn};

/// How long a look at gateway and loopback takes.
const LOOK: Duration = Duration::from_millis(300);

/// What comes, and when; what was put in first goes first.
#[derive(Debug, Clone)]
enum What {
    Probe { node: usize, check: usize, turn: u64 },
    Answer { node: usize, check: usize, answer: Answer },
    Wake(Timer),
    Begin,
    End(usize),
    Flap(usize, bool),
    Acted { incident: u64, step: usize, action: Action, on: Vec<usize> },
    Up(usize),
    Look,
    Say(Event),
    Dark(bool),
    Sleep { length: Duration, noticed: bool },
    Leap(Duration),
    Restart,
}

#[derive(Debug, Clone)]
struct Due {
    at: Instant,
    order: u64,
    what: What,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Something of interest to the score.
#[derive(Debug, Clone, PartialEq)]
pub enum Noted {
    Turned {
        node: usize,
        to: State,
    },
    Incident {
        id: u64,
        root: usize,
        what: Turn,
    },
    /// `worked`: those of them that did their work when they were restarted.
    Restarted {
        node: usize,
        action: Action,
        on: Vec<usize>,
        worked: Vec<usize>,
    },
}

/// When a check is asked next.
#[derive(Debug, Clone, Copy, Default)]
struct Turns {
    turn: u64,
    next: Option<Instant>,
    in_flight: bool,
}

/// All of it.
#[derive(Debug)]
pub struct World {
    pub house: House,
    pub engine: Engine,
    pub laws: Laws,
    pub noted: Vec<(Instant, Noted)>,
    /// The share of answers that is lost.
    pub noise: f64,
    /// The healer's steps fail this often.
    pub clumsy: f64,
    pub probes: u64,
    /// What the engine is told of the time is later by this.
    skew: Duration,
    now: Instant,
    chance: Chance,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    turns: Vec<Vec<Turns>>,
    dark: Option<Instant>,
    rehearsed: Vec<usize>,
    stopped: Option<String>,
    rules: Rules,
}

impl World {
    pub fn new(house: House, rules: Rules, seed: u64) -> Self {
        let turns = house.members.iter().map(|member| vec![Turns::default(); member.checks.len()]).collect();
        let engine = Engine::new(house.members.clone(), rules.clone(), Outcomes::default(), seed);
        let mut world = Self {
            house,
            engine,
            laws: Laws::new(rules.clone()),
            noted: Vec::new(),
            noise: 0.0,
            clumsy: 0.0,
            probes: 0,
            skew: Duration::ZERO,
            now: Duration::ZERO,
            chance: Chance::new(seed),
            queue: BinaryHeap::new(),
            order: 0,
            turns,
            dark: None,
            rehearsed: Vec::new(),
            stopped: None,
            rules,
        };
        for node in 0..world.turns.len() {
            for check in 0..world.turns.get(node).map_or(0, Vec::len) {
                let first = world.chance.time(Duration::ZERO, Duration::from_secs(1));
                world.ask(node, check, first);
            }
        }
        world
    }

    pub const fn now(&self) -> Instant {
        self.now
    }

    fn put(&mut self, after: Duration, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Due { at: self.now + after, order: self.order, what }));
    }

    /// The fault of this index begins at its time, and ends by itself if that is its way.
    pub fn schedule(&mut self, index: usize) {
        let Some(fault) = self.house.faults.get(index).cloned() else { return };
        let from = fault.from.saturating_sub(self.now);
        self.put(from, What::Begin);
        if let Cure::Time(length) = fault.cure {
            self.put(from + length, What::End(index));
        }
        if fault.trouble == Trouble::Flap {
            self.put(from + Duration::from_secs(20), What::Flap(index, false));
        }
    }

    /// The machine's own network is gone from `from` for `length`.
    pub fn darken(&mut self, from: Instant, length: Duration) {
        self.put(from.saturating_sub(self.now), What::Dark(true));
        self.put((from + length).saturating_sub(self.now), What::Dark(false));
    }

    /// The machine sleeps from `from` for `length`; the shell notices that or does not.
    pub fn sleep(&mut self, from: Instant, length: Duration, noticed: bool) {
        self.put(from.saturating_sub(self.now), What::Sleep { length, noticed });
    }

    /// The clock jumps ahead.
    pub fn leap(&mut self, from: Instant, by: Duration) {
        self.put(from.saturating_sub(self.now), What::Leap(by));
    }

    pub fn say(&mut self, from: Instant, event: Event) {
        self.put(from.saturating_sub(self.now), What::Say(event));
    }

    /// The watch itself is started again.
    pub fn restart(&mut self, from: Instant) {
        self.put(from.saturating_sub(self.now), What::Restart);
    }

    /// What it knows goes to disk and comes back.
    fn restarted(&mut self) {
        let kept =
            serde_json::to_string(&self.engine.snapshot()).and_then(|text| serde_json::from_str(&text));
        let kept = match kept {
            Ok(kept) => kept,
            Err(error) => {
                self.stopped = Some(format!("what is kept does not come back: {error}"));
                return;
            }
        };
        let (members, time) = (self.house.members.clone(), self.now + self.skew);
        let (engine, commands) =
            Engine::restore(members, self.rules.clone(), kept, self.chance.number(), time);
        self.engine = engine;
        self.judge(commands, time);
    }

    fn ask(&mut self, node: usize, check: usize, after: Duration) {
        let at = self.now + after;
        let Some(turns) = self.turns.get_mut(node).and_then(|checks| checks.get_mut(check)) else { return };
        if turns.in_flight || turns.next.is_some_and(|next| next <= at) {
            return;
        }
        turns.next = Some(at);
        turns.turn += 1;
        let turn = turns.turn;
        self.put(after, What::Probe { node, check, turn });
    }

    /// Lives until then.
    ///
    /// # Errors
    /// The law that was broken, and when.
    pub fn run(&mut self, until: Instant) -> Result<(), String> {
        while self.queue.peek().is_some_and(|Reverse(due)| due.at <= until) {
            let Some(Reverse(due)) = self.queue.pop() else { break };
            self.now = self.now.max(due.at);
            self.happen(due.what);
            if let Some(law) = self.stopped.take() {
                return Err(format!("at {:.1} s: {law}", self.now.as_secs_f64()));
            }
        }
        self.now = self.now.max(until);
        Ok(())
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Probe { node, check, turn } => self.probe(node, check, turn),
            What::Answer { node, check, answer } => self.answered(node, check, answer),
            What::Wake(timer) => self.tell(Event::Timer(timer)),
            What::Begin => self.house.spread(self.now, &mut self.chance),
            What::End(index) => {
                self.house.end(index, self.now);
                self.house.spread(self.now, &mut self.chance);
            }
            What::Flap(index, down) => self.flap(index, down),
            What::Acted { incident, step, action, on } => self.acted(incident, step, &action, &on),
            What::Up(node) => {
                self.house.spread(self.now, &mut self.chance);
                self.tell(Event::Started { node });
            }
            What::Look => self.look(),
            What::Say(event) => self.tell(event),
            What::Dark(true) => self.dark = Some(self.now),
            What::Dark(false) => self.dark = None,
            What::Sleep { length, noticed } => self.slept(length, noticed),
            What::Leap(by) => self.skew += by,
            What::Restart => self.restarted(),
        }
    }

    fn probe(&mut self, node: usize, check: usize, turn: u64) {
        let Some(turns) = self.turns.get_mut(node).and_then(|checks| checks.get_mut(check)) else { return };
        if turns.turn != turn || turns.in_flight {
            return;
        }
        turns.in_flight = true;
        turns.next = None;
        self.probes += 1;
        let mut answer = self.house.answer(node, check, self.now, &mut self.chance);
        let far = self.house.members.get(node).is_some_and(|member| member.plane != Plane::Host);
        if self.dark.is_some() && far {
            let took = Duration::from_secs(2);
            answer = Answer {
                finding: Finding::Fail,
                detail: "network is unreachable".to_owned(),
                took,
                ..answer
            };
        } else if self.chance.happens(self.noise) {
            answer = Answer { finding: Finding::Fail, detail: "lost".to_owned(), ..answer };
        }
        self.put(answer.took, What::Answer { node, check, answer });
    }

    fn answered(&mut self, node: usize, check: usize, answer: Answer) {
        let every = self.house.members.get(node).and_then(|member| member.checks.get(check));
        let every = every.map_or(Duration::from_mins(1), |question| question.every);
        let every = every.mul_f64(self.engine.budget().cadence).saturating_sub(answer.took);
        if let Some(turns) = self.turns.get_mut(node).and_then(|checks| checks.get_mut(check)) {
            turns.in_flight = false;
        }
        self.ask(node, check, every);
        self.tell(Event::Answered { node, check, answer });
    }

    fn flap(&mut self, index: usize, down: bool) {
        let length = self.chance.time(Duration::from_secs(15), Duration::from_secs(40));
        let Some(fault) = self.house.faults.get_mut(index) else { return };
        if matches!(fault.cure, Cure::Time(length) if fault.from + length < self.now) {
            fault.until = Some(self.now);
            return self.house.spread(self.now, &mut self.chance);
        }
        fault.until = if down { None } else { Some(self.now) };
        self.house.spread(self.now, &mut self.chance);
        self.put(length, What::Flap(index, !down));
    }

    fn look(&mut self) {
        match self.dark {
            Some(since) if self.engine.blind().is_none() => {
                let since = since + self.skew;
                self.tell(Event::Blind { since, why: "the gateway does not answer".to_owned() });
                self.put(Duration::from_secs(2), What::Look);
            }
            Some(_) => self.put(Duration::from_secs(2), What::Look),
            None => self.tell(Event::Sees),
        }
    }

    fn slept(&mut self, length: Duration, noticed: bool) {
        let since = self.now + self.skew;
        let later = |Reverse(mut due): Reverse<Due>| {
            due.at += length;
            Reverse(due)
        };
        self.queue = std::mem::take(&mut self.queue).into_iter().map(later).collect();
        self.now += length;
        for turns in self.turns.iter_mut().flatten() {
            turns.next = turns.next.map(|next| next + length);
        }
        if noticed {
            self.tell(Event::Blind { since, why: "the machine slept".to_owned() });
            self.tell(Event::Sees);
        }
    }

    /// The healer has done it: what is restarted is away for a moment.
    fn acted(&mut self, incident: u64, step: usize, action: &Action, on: &[usize]) {
        let now = self.now;
        if let Action::Recipe(_) = action {
            let Some(&at) = on.first() else { return };
            if !self.rehearsed.contains(&at) {
                self.rehearsed.push(at);
                return self.tell(Event::Acted {
                    incident,
                    step,
                    outcome: Acted::Rehearsed("would mend it".to_owned()),
                });
            }
        }
        if self.chance.happens(self.clumsy) {
            return self.tell(Event::Acted {
                incident,
                step,
                outcome: Acted::Failed("could not".to_owned()),
            });
        }
        let cures = |fault: &super::Fault| match action {
            Action::Recipe(_) => fault.cure == Cure::Recipe,
            _ => fault.cure == Cure::Restart,
        };
        for &at in on {
            let mended = |(index, fault): (usize, &super::Fault)| {
                let lasts = fault.at == at && fault.from <= now && fault.until.is_none();
                (lasts && cures(fault)).then_some(index)
            };
            let mended: Vec<usize> = self.house.faults.iter().enumerate().filter_map(mended).collect();
            for index in mended {
                self.house.end(index, now);
            }
            if !matches!(action, Action::Recipe(_)) {
                let start = self.chance.time(Duration::from_millis(300), Duration::from_secs(3));
                if let Some(up) = self.house.up.get_mut(at) {
                    *up = now + start;
                }
                self.put(start, What::Up(at));
            }
        }
        self.house.spread(now, &mut self.chance);
        self.tell(Event::Acted { incident, step, outcome: Acted::Done("done".to_owned()) });
    }

    /// Hands something to the engine and does what it says.
    fn tell(&mut self, event: Event) {
        let time = self.now + self.skew;
        let anew = matches!(event, Event::Retry { .. } | Event::Locked { locked: false, .. });
        let commands = self.engine.handle(event, time);
        if anew {
            self.laws.forgive();
        }
        self.judge(commands, time);
    }

    fn judge(&mut self, commands: Vec<Command>, time: Instant) {
        if let Err(law) = self.laws.check(&self.engine, &commands, time) {
            self.stopped.get_or_insert(law);
        }
        for command in commands {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Ask { node, check, after } => self.ask(node, check, after),
            Command::After { delay, timer } => self.put(delay, What::Wake(timer)),
            Command::LookAround => self.put(LOOK, What::Look),
            Command::Turned { node, to, .. } => self.noted.push((self.now, Noted::Turned { node, to })),
            Command::Incident { incident, what } => self.incident(incident, what),
            Command::Act { incident, step, node, action, on } => {
                let restarts = !matches!(action, Action::Recipe(_));
                let worked =
                    on.iter().copied().filter(|&at| restarts && self.house.works(at, self.now)).collect();
                self.noted.push((
                    self.now,
                    Noted::Restarted { node, action: action.clone(), on: on.clone(), worked },
                ));
                let takes = self.chance.time(Duration::from_millis(200), Duration::from_secs(2));
                self.put(takes, What::Acted { incident, step, action, on });
            }
            Command::Learned(_) | Command::Posture(_) => {}
        }
    }

    fn incident(&mut self, id: u64, what: Turn) {
        let Some(incident) = self.engine.incident(id) else { return };
        let root = incident.root;
        self.noted.push((self.now, Noted::Incident { id, root, what }));
        if what != Turn::Escalated {
            return;
        }
        // A person was asked, comes, and mends what is wrong with the service that was named.
        let faults = self
            .house
            .faults
            .iter()
            .enumerate()
            .filter(|(_, fault)| fault.at == root && fault.until.is_none());
        let comes = faults.map(|(index, fault)| match fault.cure {
            Cure::Person(after) => (index, after),
            Cure::Restart | Cure::Recipe => (index, Duration::from_mins(5)),
            Cure::Time(length) => (index, length),
        });
        for (index, after) in comes.collect::<Vec<_>>() {
            self.put(after, What::End(index));
        }
    }
}
