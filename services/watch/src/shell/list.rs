//! Which services there are: ours that run here and foreign ones, as the file and the supervisor say.

use std::collections::BTreeSet;
use std::sync::Arc;

use sanctum_api::supervise::{Phase, ServiceState};
use sanctum_kernel::inventory::check::Check;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Catalogue, House, Inventory, running};

use super::Shell;
use super::locks::Word;
use crate::engine::Event;
use crate::sweep::Entry;

/// Those that are there only where the supervisor keeps the house.
const KEEPERS: [&str; 2] = ["supervise", "deadman"];

/// Everything to be watched. `absent` are those of ours that do not run here, if the supervisor has said so.
pub(crate) fn inventory(
    catalogue: &Catalogue,
    house: &House,
    shared: &Shared,
    absent: Option<&[String]>,
) -> Inventory {
    // A house in one process, or under the platform's own supervisor, has neither.
    let alone = || running::address(&shared.paths, "supervise").is_none();
    let absent = match absent {
        Some(absent) => absent.to_vec(),
        None if alone() => KEEPERS.map(str::to_owned).to_vec(),
        None => Vec::new(),
    };
    Inventory::of(catalogue, house, shared.peers.addrs(), &absent)
}

impl Shell {
    /// Another list, or other rules: what is still there keeps what is known of it.
    pub(super) async fn revise(&mut self) {
        let (config, house) = (self.hub.config(), self.hub.house());
        let list = inventory(self.catalogue, &house, &self.hub.shared, self.absent.as_deref());
        self.healer.0.revise(config.heal.clone(), Arc::new(list.clone()));
        let members = self.healer.members(&config, &list);
        let commands = {
            let mut brain = self.hub.brain();
            for item in &brain.inventory.0 {
                if list.get(&item.name).is_none() {
                    self.hub.gauges.forget(&item.name);
                }
            }
            brain.inventory = list;
            brain.engine.revise(members, config.rules())
        };
        self.ask_all();
        self.hub.revised.nudge();
        self.obey(commands).await;
        self.recall().await;
    }

    /// Hands every question to the sweep.
    pub(super) fn ask_all(&mut self) {
        self.list += 1;
        let (config, brain) = (self.hub.config(), self.hub.brain());
        let entries = brain.inventory.0.iter().enumerate().flat_map(|(node, item)| {
            let entry = |(index, check): (usize, &Check)| Entry {
                node,
                index,
                every: config.every(item.tier, check),
                check: Arc::new(check.clone()),
            };
            item.check.values().enumerate().map(entry).collect::<Vec<_>>()
        });
        self.questions.set(self.list, entries.collect(), config.full_sweep.0);
    }

    /// What was said by people and by the supervisor, told to the engine again.
    pub(super) async fn recall(&mut self) {
        let wall = self.hub.now();
        let mut events = Vec::new();
        {
            let brain = self.hub.brain();
            for at in 0..brain.inventory.0.len() {
                let name = brain.name(at);
                let until = brain.hold(&name, wall).map(|hold| brain.moment(hold.until, wall));
                events.push(Event::Held { node: Some(at), until });
                if let Some(word) = self.kept.get(&name) {
                    events.push(Event::Locked { node: at, locked: word.locked });
                }
            }
            if let Some(attention) = brain.attention.clone().filter(|attention| attention.until > wall) {
                let until = Some(brain.moment(attention.until, wall));
                events.push(Event::Attention { word: attention.word, until });
            }
        }
        self.digest(events).await;
    }

    /// What the supervisor keeps, whole; `None`: it is not heard.
    pub(super) async fn supervisor(&mut self, states: Option<Vec<ServiceState>>) {
        let Some(states) = states else { return };
        let kept: BTreeSet<&str> = states.iter().map(|state| state.name.as_str()).collect();
        let ours = self.catalogue.iter().map(|entry| entry.spec.name);
        let absent: Vec<String> =
            ours.filter(|name| *name != "supervise" && !kept.contains(name)).map(str::to_owned).collect();
        let listed = |name: &String| self.hub.brain().find(name).is_some();
        let differs = !listed(&"supervise".to_owned()) || absent.iter().any(listed);
        if differs || self.absent.as_ref().is_some_and(|before| *before != absent) {
            self.absent = Some(absent);
            self.revise().await;
        }
        for state in &states {
            self.kept(state).await;
        }
    }

    /// One service as the supervisor sees it now.
    pub(super) async fn kept(&mut self, state: &ServiceState) {
        let Some(at) = self.hub.brain().find(&state.name) else { return };
        let locked = state.phase == Phase::Locked;
        let before = self.kept.insert(state.name.clone(), Word::of(state));
        let mut events = Vec::new();
        let born = state.pid.is_some() && before.as_ref().is_some_and(|before| before.pid != state.pid);
        if born || before.is_none() && state.phase == Phase::Starting {
            events.push(Event::Started { node: at });
        }
        let relocked = locked && before.as_ref().map(|before| &before.lock) != Some(&state.locked);
        if before.is_none_or(|before| before.locked != locked) {
            events.push(Event::Locked { node: at, locked });
        }
        // Somebody wanted it so: it is no failure, and nobody starts it behind their back.
        let stopped = matches!(state.phase, Phase::Stopped | Phase::Stopping);
        let was = {
            let mut brain = self.hub.brain();
            if stopped {
                !brain.stopped.insert(state.name.clone())
            } else {
                brain.stopped.remove(&state.name)
            }
        };
        if was != stopped {
            let wall = self.hub.now();
            let brain = self.hub.brain();
            let until = brain.hold(&state.name, wall).map(|hold| brain.moment(hold.until, wall));
            events.push(Event::Held { node: Some(at), until });
        }
        self.digest(events).await;
        if relocked {
            self.look_at_lock(&state.name).await;
        }
    }
}
