//! A router in memory, with faults to order: for demos, and for the property tests of everything above it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sanctum_api::firewall::{Fault, Passage, Simulate};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Mac, Stop};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{Backend, BackendError, By, Capabilities, Cut, Evidence, Gate, Intent, Observation, Seen, Signal, Work};

/// Settings of the simulated router: `[firewall.simulated]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Whether it can block single services.
    pub services: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { services: true }
    }
}

impl Config {
    #[expect(clippy::unused_self, reason = "every kind answers")]
    pub(crate) const fn check(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every kind is opened the same way, and others can fail")]
pub(crate) fn open(config: &Config, _: crate::services::Services) -> Result<Arc<dyn Backend>, Hinted> {
    Ok(Arc::new(Simulated::new(config.services)))
}

/// How long a slow router takes.
const SLOW: Duration = Duration::from_secs(2);
/// A full-sized packet, for byte counts.
const PACKET: u64 = 1500;

/// The router; clones share it.
#[derive(Debug, Clone)]
pub struct Simulated {
    services: bool,
    state: Arc<Mutex<State>>,
    bell: tokio::sync::broadcast::Sender<Signal>,
}

#[derive(Debug, Default)]
struct State {
    faults: BTreeSet<Fault>,
    cuts: BTreeMap<Mac, Held>,
    known: BTreeSet<Mac>,
    closed: bool,
    strangers: BTreeSet<Mac>,
    bytes: BTreeMap<Mac, u64>,
    here: BTreeMap<Mac, Seen>,
    passed: u64,
}

#[derive(Debug)]
struct Held {
    evidence: Evidence,
    /// Whether it has been read back; a forgetful router drops it after that.
    read: bool,
}

impl Simulated {
    pub fn new(services: bool) -> Self {
        Self { services, state: Arc::default(), bell: tokio::sync::broadcast::Sender::new(256) }
    }

    /// Whether packets of this address pass, now and in truth; for tests.
    pub fn passes(&self, mac: Mac) -> bool {
        let state = self.lock();
        !state.drops(mac, None) || state.faults.contains(&Fault::Leaks)
    }

    /// Packets that ever passed.
    pub fn passed(&self) -> u64 {
        self.lock().passed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reach(&self, what: &'static str) -> Result<(), BackendError> {
        let (slow, away) = {
            let state = self.lock();
            (state.faults.contains(&Fault::Slow), state.faults.contains(&Fault::Unreachable))
        };
        if slow {
            tokio::time::sleep(SLOW).await;
        }
        if away { Err(BackendError::Unreachable { what, reason: "connection timed out (simulated)".to_owned() }) } else { Ok(()) }
    }

    /// Applies a change, unless a fault is in the way.
    async fn change(&self, what: &'static str, change: impl FnOnce(&mut State) + Send) -> Result<(), BackendError> {
        self.reach(what).await?;
        let mut state = self.lock();
        if state.faults.contains(&Fault::Refuses) {
            return Err(BackendError::Refused { what, reason: "success: false inside a 200 (simulated)".to_owned() });
        }
        if !state.faults.contains(&Fault::Lies) {
            change(&mut state);
        }
        Ok(())
    }

    fn say(&self, signal: Signal) {
        // Nobody watches yet: whoever begins to looks at who is here.
        if self.bell.send(signal).is_err() {}
    }
}

impl State {
    fn drops(&self, mac: Mac, service: Option<&str>) -> bool {
        let cut = match self.cuts.get(&mac).map(|held| &held.evidence.cut) {
            Some(Cut::All) => true,
            Some(Cut::Services(names)) => service.is_some_and(|service| names.contains(service)),
            None => false,
        };
        cut || (self.closed && !self.known.contains(&mac))
    }

    fn send(&mut self, mac: Mac, count: u64, service: Option<&str>) -> Passage {
        if self.closed && !self.known.contains(&mac) {
            self.strangers.insert(mac);
        }
        let blocked = self.drops(mac, service);
        let leaks = self.faults.contains(&Fault::Leaks);
        if let Some(held) = self.cuts.get_mut(&mac).filter(|_| blocked) {
            let counter = if leaks { &mut held.evidence.leaked } else { &mut held.evidence.dropped };
            *counter += count;
        }
        if blocked && !leaks {
            return Passage { passed: 0, dropped: count };
        }
        *self.bytes.entry(mac).or_default() += count * PACKET;
        self.passed += count;
        Passage { passed: count, dropped: 0 }
    }

    fn block(&mut self, cuts: &BTreeMap<Mac, Cut>) {
        for (mac, cut) in cuts {
            let fresh = || Held { evidence: Evidence { cut: cut.clone(), whole: true, dropped: 0, leaked: 0, learnt: None }, read: false };
            self.cuts.entry(*mac).or_insert_with(fresh).evidence.cut = cut.clone();
        }
    }

    fn forget(&mut self) {
        if self.faults.contains(&Fault::Forgets) {
            self.cuts.retain(|_, held| !std::mem::replace(&mut held.read, true));
        }
    }
}

impl Backend for Simulated {
    fn capabilities(&self) -> Capabilities {
        Capabilities { per_service: self.services, gate: true, evidence: true, bytes: true, push: true, limits: &[] }
    }

    fn devices(&self) -> Work<'_, Vec<Seen>> {
        Box::pin(async {
            self.reach("being asked who is there").await?;
            Ok(self.lock().here.values().cloned().collect())
        })
    }

    fn watch(&self, to: mpsc::Sender<Signal>, stop: Stop) -> Work<'_, ()> {
        let mut bell = self.bell.subscribe();
        Box::pin(async move {
            loop {
                match stop.or(bell.recv()).await {
                    Some(Ok(signal)) => {
                        if to.send(signal).await.is_err() {
                            return Ok(());
                        }
                    }
                    Some(Err(tokio::sync::broadcast::error::RecvError::Lagged(_))) => {
                        let here: Vec<Seen> = self.lock().here.values().cloned().collect();
                        for seen in here {
                            if to.send(Signal::Seen(seen)).await.is_err() {
                                return Ok(());
                            }
                        }
                    }
                    _ => return Ok(()),
                }
            }
        })
    }

    fn block<'a>(&'a self, cuts: &'a BTreeMap<Mac, Cut>) -> Work<'a, ()> {
        Box::pin(self.change("a block", |state| state.block(cuts)))
    }

    fn unblock<'a>(&'a self, macs: &'a [Mac]) -> Work<'a, ()> {
        Box::pin(self.change("lifting a block", |state| state.cuts.retain(|mac, _| !macs.contains(mac))))
    }

    fn gate<'a>(&'a self, gate: &'a Gate) -> Work<'a, ()> {
        Box::pin(self.change("a change at the gate", |state| {
            state.known.extend(&gate.know);
            state.known.retain(|mac| !gate.forget.contains(mac));
            state.closed = gate.closed;
        }))
    }

    fn look(&self, mac: Mac) -> Work<'_, Option<Evidence>> {
        Box::pin(async move {
            self.reach("a look").await?;
            Ok(self.lock().cuts.get(&mac).map(|held| held.evidence.clone()))
        })
    }

    fn observe(&self) -> Work<'_, Observation> {
        Box::pin(async {
            self.reach("a look at everything").await?;
            let mut state = self.lock();
            state.forget();
            Ok(Observation {
                cuts: state.cuts.iter().map(|(mac, held)| (*mac, held.evidence.clone())).collect(),
                known: state.known.clone(),
                closed: state.closed,
                half_closed: false,
                rules: super::Rules::Whole,
                strangers: state.strangers.clone(),
                bytes: state.bytes.clone(),
                warning: None,
            })
        })
    }

    fn import<'a>(&'a self, intent: &'a Intent) -> Work<'a, ()> {
        Box::pin(self.change("loading everything", |state| {
            state.cuts.retain(|mac, _| intent.cuts.contains_key(mac));
            state.block(&intent.cuts);
            state.known.clone_from(&intent.known);
            state.closed = intent.closed;
        }))
    }

    fn export(&self) -> Work<'_, String> {
        Box::pin(async {
            self.reach("an export").await?;
            let state = self.lock();
            let macs: Vec<String> = state.cuts.keys().map(ToString::to_string).collect();
            Ok(format!("simulated router: closed to strangers: {}; blocked: {}", state.closed, macs.join(", ")))
        })
    }

    fn simulate(&self, what: Simulate) -> Option<Passage> {
        let mut passage = Passage::default();
        match what {
            Simulate::Join(arrival) => {
                let by = if arrival.fingerprint.is_some() { By::Dhcp } else { By::Fdb };
                let seen = Seen { mac: arrival.mac, by, address: arrival.address, fingerprint: arrival.fingerprint };
                self.lock().here.insert(arrival.mac, seen.clone());
                self.say(Signal::Seen(seen));
            }
            Simulate::Leave(mac) => {
                self.lock().here.remove(&mac);
                self.say(Signal::Gone(mac));
            }
            Simulate::Send(packets) => {
                let service = packets.service.as_deref();
                passage = self.lock().send(packets.mac, packets.up + packets.down, service);
                self.say(Signal::Changed);
            }
            Simulate::Fault(switch) => {
                let mut state = self.lock();
                if switch.on {
                    state.faults.insert(switch.fault);
                } else {
                    state.faults.remove(&switch.fault);
                }
            }
        }
        Some(passage)
    }
}
