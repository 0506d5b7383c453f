//! What people say, and what is over by itself.

use std::time::Duration;

use sanctum_api::notify::{Notice, Severity};
use sanctum_api::watch::{Light, Verdict};
use sanctum_kernel::OnError;
use tokio::time::Instant;

use super::Shell;
use super::obey::Moment;
use crate::brain::ALL;
use crate::engine::Event;
use crate::hub::Message;
use crate::store::Write;
use crate::words;

/// How long a look at every check of a service may take.
const LOOK_WITHIN: Duration = Duration::from_secs(25);

impl Shell {
    pub(super) async fn person(&mut self, message: Message) {
        match message {
            Message::Hold { name, hold, done } => {
                {
                    let mut brain = self.hub.brain();
                    match &hold {
                        Some(hold) => drop(brain.holds.insert(name.clone(), hold.clone())),
                        None => drop(brain.holds.remove(&name)),
                    }
                }
                let writes = vec![Write::Hold { service: name.clone(), hold }];
                self.settle(Moment { writes, ..Moment::default() }).await;
                self.held(&name).await;
                done.send(()).ok();
            }
            Message::Attend { attention, done } => {
                let event = {
                    let mut brain = self.hub.brain();
                    brain.attention.clone_from(&attention);
                    let until =
                        attention.as_ref().map(|attention| brain.moment(attention.until, self.hub.now()));
                    let word = attention.as_ref().map(|attention| attention.word.clone()).unwrap_or_default();
                    Event::Attention { word, until }
                };
                self.hub.feed.publish("attention", &attention);
                let writes = vec![Write::Attention(attention)];
                self.settle(Moment { writes, ..Moment::default() }).await;
                self.digest(vec![event]).await;
                done.send(()).ok();
            }
            Message::Check { name, done } => {
                let at = self.hub.brain().find(&name);
                let count = self.hub.brain().inventory.get(&name).map_or(0, |item| item.check.len());
                for check in 0..count {
                    self.questions.ask(at.unwrap_or_default(), check, Duration::ZERO);
                }
                self.checks.push((Instant::now(), name, done));
            }
            Message::Again { incident, done } => {
                if let Ok(id) = u64::try_from(incident) {
                    self.digest(vec![Event::Retry { incident: id }]).await;
                }
                let record = self.hub.brain().book.get(&incident).map(|record| record.wire.clone());
                done.send(record).ok();
            }
            _ => {}
        }
    }

    /// A hold has begun or ended: the engine hears it of each service it is about.
    async fn held(&mut self, name: &str) {
        let wall = self.hub.now();
        let (events, nodes) = {
            let brain = self.hub.brain();
            let about: Vec<usize> =
                (0..brain.inventory.0.len()).filter(|&at| name == ALL || brain.name(at) == name).collect();
            let until =
                |at: usize| brain.hold(&brain.name(at), wall).map(|hold| brain.moment(hold.until, wall));
            let events: Vec<Event> =
                about.iter().map(|&at| Event::Held { node: Some(at), until: until(at) }).collect();
            (events, about)
        };
        self.digest(events).await;
        self.settle(Moment { nodes, ..Moment::default() }).await;
    }

    /// What people said for a while and what is over by now.
    pub(super) async fn expire(&mut self) {
        let wall = self.hub.now();
        let (over, heeded) = {
            let mut brain = self.hub.brain();
            let over: Vec<String> = brain
                .holds
                .iter()
                .filter(|(_, hold)| hold.until <= wall)
                .map(|(name, _)| name.clone())
                .collect();
            for name in &over {
                brain.holds.remove(name);
            }
            let heeded = brain.attention.take_if(|attention| attention.until <= wall).is_some();
            (over, heeded)
        };
        for name in over {
            let writes = vec![Write::Hold { service: name.clone(), hold: None }];
            self.settle(Moment { writes, ..Moment::default() }).await;
            self.held(&name).await;
        }
        if heeded {
            self.settle(Moment { writes: vec![Write::Attention(None)], ..Moment::default() }).await;
            self.digest(vec![Event::Attention { word: String::new(), until: None }]).await;
        }
    }

    /// Answers those who wait until every check of a service was asked.
    pub(super) fn answer_checks(&mut self) {
        let hub = self.hub();
        let (brain, wall) = (hub.brain(), hub.now());
        let looked = |since: Instant, name: &str| {
            let since = brain.at(since);
            let node = brain.find(name).and_then(|at| brain.engine.node(at));
            node.is_none_or(|node| node.checks.iter().all(|check| check.at.is_some_and(|at| at >= since)))
        };
        let waiting = std::mem::take(&mut self.checks);
        for (since, name, done) in waiting {
            if !looked(since, &name) && since.elapsed() < LOOK_WITHIN && !done.is_closed() {
                self.checks.push((since, name, done));
            } else if let Some(node) = brain.find(&name).and_then(|at| brain.view(at, wall)) {
                done.send(node).ok();
            }
        }
    }

    /// What the sentinels say: shown, and told where one has turned red, until it is red no more.
    pub(super) async fn verdicts(&mut self, verdicts: Vec<Verdict>) {
        for verdict in verdicts {
            let before = self.hub.brain().verdicts.insert(verdict.sentinel.clone(), verdict.clone());
            if before
                .as_ref()
                .is_some_and(|before| before.light == verdict.light && before.detail == verdict.detail)
            {
                continue;
            }
            self.hub.feed.publish("sentinel", &verdict);
            let all: Vec<Verdict> = self.hub.brain().verdicts.values().cloned().collect();
            self.settle(Moment { writes: vec![Write::Verdicts(all)], ..Moment::default() }).await;
            if before.as_ref().is_some_and(|before| before.light == verdict.light) {
                continue;
            }
            if let Some(notice) = self.turned(&verdict) {
                self.tell(notice).await;
            }
            self.mend(verdict);
        }
    }

    /// What is told of it: that it is red, and that it is no more. Who cannot see does not know that it is over.
    fn turned(&self, verdict: &Verdict) -> Option<Notice> {
        let name = &verdict.sentinel;
        let mut brain = self.hub.brain();
        let was = match verdict.light {
            Light::Unknown => return None,
            Light::Red => !brain.red.insert(name.clone()),
            Light::Green | Light::Amber => brain.red.remove(name),
        };
        drop(brain);
        let title = match (was, verdict.light) {
            (false, Light::Red) => format!("Sentinel {name} is red"),
            (true, Light::Green) => format!("Sentinel {name} is green again"),
            (true, Light::Amber) => format!("Sentinel {name} is amber, no longer red"),
            _ => return None,
        };
        let hint = verdict.hint.as_ref().map(|hint| format!("\nTo do: {hint}.")).unwrap_or_default();
        let message = format!("{}.{hint}", words::capital(&verdict.detail));
        Some(self.hub.style().word(Severity::Error, &format!("sentinel-{name}"), title, message, was))
    }

    /// Recipes that name a sentinel look after it.
    fn mend(&self, verdict: Verdict) {
        let healer = self.healer.0.clone();
        self.hub.shared.tasks.spawn("mend", OnError::Log, |stop| async move {
            for (recipe, outcome) in stop.or(healer.on_verdict(&verdict)).await.unwrap_or_default() {
                tracing::info!(
                    sentinel = verdict.sentinel,
                    recipe,
                    ?outcome,
                    "a recipe looked after a sentinel"
                );
            }
            Ok(())
        });
    }
}
