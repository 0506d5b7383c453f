//! What must be true of every step of the engine, whatever happens to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sanctum_api::watch::State;

use crate::engine::{Acted, Action, Command, Engine, Instant, Rules, Turn};

/// A root that nobody is told of for longer than this was forgotten, unless somebody holds it.
const FORGOTTEN: Duration = Duration::from_mins(2);

/// Watches one engine.
#[derive(Debug, Clone, Default)]
pub struct Laws {
    rules: Rules,
    opened: BTreeSet<u64>,
    told: BTreeSet<u64>,
    resolved: BTreeSet<u64>,
    /// When each service was last touched, as often as counts.
    touched: BTreeMap<usize, Vec<Instant>>,
    /// Roots without an incident, since when.
    bare: BTreeMap<usize, Instant>,
}

type Broken = Result<(), String>;

fn must(holds: bool, law: impl FnOnce() -> String) -> Broken {
    if holds { Ok(()) } else { Err(law()) }
}

impl Laws {
    pub fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// A person began anew: budgets do so as well.
    pub fn forgive(&mut self) {
        self.touched.clear();
    }

    /// `engine` has just answered with `commands`.
    ///
    /// # Errors
    /// The law that is broken, for people.
    pub fn check(&mut self, engine: &Engine, commands: &[Command], now: Instant) -> Broken {
        for command in commands {
            match command {
                Command::Act { incident, step, node, action, on } => {
                    self.act(engine, (*incident, *step, *node), action, on, now)?;
                }
                Command::Incident { incident, what } => self.told(engine, *incident, *what)?,
                _ => {}
            }
        }
        self.whole(engine, now)
    }

    fn act(
        &mut self,
        engine: &Engine,
        (id, step, node): (u64, usize, usize),
        action: &Action,
        on: &[usize],
        now: Instant,
    ) -> Broken {
        let incident = engine.incident(id).ok_or("a step without an incident")?;
        let view = engine.node(node).ok_or("a step about nothing")?;
        let held = |at: usize| engine.node(at).is_some_and(|node| node.hold.is_some_and(|until| until > now));
        must(engine.blind().is_none(), || format!("W8: a step about {} while blind", view.name))?;
        must(engine.hold().is_none() && !on.iter().any(|&at| held(at)) && !held(node), || {
            format!("W7: a step about {} while it is held", view.name)
        })?;
        must(incident.root == node && engine.chain(node).len() <= 1, || {
            format!("W7: {} is touched while what it requires fails", view.name)
        })?;
        must(on.iter().all(|&at| at == node || *action != Action::Restart), || {
            "another is restarted".to_owned()
        })?;
        must(incident.tried.len() == step + 1, || "steps are not counted one by one".to_owned())?;
        let round = incident.round();
        let before = round.iter().rev().skip(1).filter(|tried| tried.action == *action);
        let useless = before.filter(|tried| !matches!(tried.outcome, Some(Acted::Rehearsed(_)))).count();
        must(useless == 0, || format!("W7: {action:?} of {} is repeated", view.name))?;
        let counts =
            |outcome: &Option<Acted>| !matches!(outcome, Some(Acted::Rehearsed(_) | Acted::Refused(_)));
        let tries = round.iter().filter(|tried| counts(&tried.outcome)).count();
        let most = usize::try_from(self.rules.tries).unwrap_or(usize::MAX);
        must(tries <= most, || format!("W7: {tries} tries for {}", view.name))?;
        for other in engine.open().filter(|other| other.id != id) {
            let busy = other.tried.last().filter(|last| last.outcome.is_none());
            for &at in busy.iter().flat_map(|busy| &busy.on) {
                must(!on.contains(&at), || format!("W7: two heals touch {at}"))?;
            }
        }
        if *action != Action::Restart {
            return Ok(());
        }
        must(matches!(view.state, State::Failed | State::Blocked), || {
            format!("{} works and is restarted", view.name)
        })?;
        let touched = self.touched.entry(node).or_default();
        touched.retain(|&at| at + self.rules.window > now);
        touched.push(now);
        let budget = usize::try_from(self.rules.budget).unwrap_or(usize::MAX);
        must(touched.len() <= budget, || {
            format!("W7: {} is restarted {} times in a window", view.name, touched.len())
        })
    }

    fn told(&mut self, engine: &Engine, id: u64, what: Turn) -> Broken {
        let incident = engine.incident(id).ok_or("an incident that is not there")?;
        let held =
            engine.hold().is_some() || engine.node(incident.root).is_some_and(|root| root.hold.is_some());
        match what {
            Turn::Opened => {
                must(self.opened.insert(id), || format!("incident {id} is opened twice"))?;
                must(!held, || "an incident is opened while its root is held".to_owned())?;
                must(engine.blind().is_none(), || "W8: an incident is opened while blind".to_owned())?;
                must(engine.chain(incident.root).len() <= 1, || {
                    format!("W4: an incident for a symptom: {}", incident.title)
                })
            }
            Turn::Escalated => {
                must(self.told.insert(id), || format!("a person is asked twice: {}", incident.title))?;
                must(!held, || "a person is asked while it is held".to_owned())?;
                must(engine.chain(incident.root).len() <= 1, || {
                    format!("W5: a symptom is told: {}", incident.title)
                })
            }
            Turn::Resolved => must(self.resolved.insert(id), || format!("incident {id} ends twice")),
            Turn::Changed => Ok(()),
        }?;
        must(self.opened.contains(&id), || format!("incident {id} was never opened"))
    }

    /// What is true between the steps.
    fn whole(&mut self, engine: &Engine, now: Instant) -> Broken {
        let mut roots = BTreeSet::new();
        for incident in engine.open() {
            must(roots.insert(incident.root), || format!("two incidents for {}", incident.root))?;
        }
        if engine.blind().is_some() || engine.hold().is_some() {
            self.bare.clear();
            return Ok(());
        }
        for at in 0.. {
            let Some(node) = engine.node(at) else { break };
            let bare = node.roots == [at] && node.hold.is_none() && !roots.contains(&at);
            if !bare {
                self.bare.remove(&at);
                continue;
            }
            let since = *self.bare.entry(at).or_insert(now);
            must(since + FORGOTTEN >= now, || format!("{} fails and nobody is told", node.name))?;
        }
        Ok(())
    }

    /// Incidents that were opened, and for which a person was asked.
    pub fn counts(&self) -> (usize, usize) {
        (self.opened.len(), self.told.len())
    }
}
