//! Doing what the engine says: first what must survive is on the disk, then anybody hears of it.

use std::time::Duration;

use sanctum_api::watch::{Incident, Node};
use sanctum_kernel::Trace;

use super::Shell;
use crate::engine::{Action, Command};
use crate::hub::Message;
use crate::store::Write;

/// A step to be taken.
pub(super) struct Order {
    pub(super) incident: u64,
    pub(super) step: usize,
    pub(super) node: usize,
    pub(super) action: Action,
}

/// What waits for the commit.
#[derive(Default)]
pub(super) struct Moment {
    pub(super) writes: Vec<Write>,
    pub(super) nodes: Vec<usize>,
    pub(super) incidents: Vec<Incident>,
    pub(super) acts: Vec<Order>,
    pub(super) asks: Vec<(usize, usize, Duration)>,
    pub(super) posture: bool,
}

impl Shell {
    pub(super) async fn obey(&mut self, commands: Vec<Command>) {
        let mut moment = Moment::default();
        let mut lasting = false;
        for command in commands {
            lasting |= !matches!(command, Command::Ask { .. } | Command::After { .. } | Command::LookAround);
            match command {
                Command::Ask { node, check, after } => moment.asks.push((node, check, after)),
                Command::After { delay, timer } => self.agenda.add(delay, timer),
                Command::LookAround => self.look_around(true),
                Command::Turned { node, from, to, why } => {
                    let service = self.hub.brain().name(node);
                    self.hub.gauges.state(&service, to);
                    tracing::info!(service, from = from.word(), to = to.word(), why, "a service has turned");
                    moment.writes.push(Write::Transition { at: self.hub.now(), service, from, to, why });
                    moment.nodes.push(node);
                }
                Command::Incident { incident, what } => self.incident(incident, what, &mut moment).await,
                Command::Act { incident, step, node, action, on: _ } => {
                    moment.acts.push(Order { incident, step, node, action });
                }
                Command::Learned(outcome) => moment.writes.push(Write::Outcome(outcome)),
                Command::Posture(posture) => {
                    tracing::info!(posture = posture.word(), "the posture has changed");
                    moment.posture = true;
                }
            }
        }
        if lasting && let Some(snapshot) = self.snapshot() {
            moment.writes.push(snapshot);
        }
        self.settle(moment).await;
    }

    /// Commits, and lets what follows happen.
    pub(super) async fn settle(&mut self, moment: Moment) {
        let Moment { writes, nodes, incidents, acts, asks, posture } = moment;
        let letters = writes.iter().any(|write| matches!(write, Write::Letter(_)));
        if !writes.is_empty() {
            self.hub.store.commit(writes).await;
        }
        if letters {
            self.hub.teller.nudge();
        }
        let seen: Vec<Node> = {
            let (brain, wall) = (self.hub.brain(), self.hub.now());
            self.hub.gauges.open.set(i64::try_from(brain.engine.open().count()).unwrap_or(i64::MAX));
            nodes.into_iter().filter_map(|at| brain.view(at, wall)).collect()
        };
        for node in seen {
            self.hub.feed.publish("node", &node);
        }
        for incident in incidents {
            self.hub.feed.publish("incident", &incident);
        }
        if posture {
            let (posture, budget) = {
                let brain = self.hub.brain();
                (brain.engine.posture(), brain.engine.budget())
            };
            self.questions.stretch(budget.cadence);
            self.healer.0.posture(posture);
            self.hub.feed.publish("posture", &posture);
        }
        for (node, check, after) in asks {
            self.questions.ask(node, check, after);
        }
        for order in acts {
            self.act(order);
        }
    }

    fn snapshot(&self) -> Option<Write> {
        let snapshot = self.hub.brain().engine.snapshot();
        match serde_json::to_string(&snapshot) {
            Ok(json) => Some(Write::Snapshot { at: self.hub.now(), json }),
            Err(error) => {
                tracing::error!(%error, "what is believed could not be written as JSON");
                None
            }
        }
    }

    /// Takes a step beside everything else; its outcome comes back as a message.
    fn act(&self, order: Order) {
        let hub = self.hub();
        let hands = self.healer.clone();
        let Order { incident, step, node, action } = order;
        let (item, trace) = {
            let brain = hub.brain();
            let record = i64::try_from(incident).ok().and_then(|id| brain.book.get(&id));
            (brain.item(node).cloned(), record.map(|record| record.trace))
        };
        let Some(item) = item else { return };
        let trace = trace.map_or_else(Trace::start, Trace::within);
        self.hub.shared.tasks.spawn("step", sanctum_kernel::OnError::Log, |stop| async move {
            let work = hands.act(&hub, incident, &item, action);
            // Asked to stop: what was begun is found under way by the next watch, which awaits its effect.
            let Some(outcome) = stop.or(trace.scope(work)).await else { return Ok(()) };
            hub.gauges.step(super::act::word(&outcome));
            hub.mail.send(Message::Acted { incident, step, outcome }).await.ok();
            Ok(())
        });
    }
}
