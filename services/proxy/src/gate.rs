//! What requests stand on: the configuration as it runs, and what outlives it.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sanctum_api::proxy::Fallback;
use sanctum_kernel::Failure;
use sanctum_kernel::service::Shared;

use crate::budget::{Caps, Ledger};
use crate::config::{Agent, Config};
use crate::keys::Keys;
use crate::live::Live;
use crate::meters::Meters;
use crate::shelving::Shelves;
use crate::stages::recall::Outbox;
use crate::table::Table;
use crate::upstream::{Breaker, Provider};
use crate::usage::Log;
use crate::wardrobe::Wardrobe;

/// Fallbacks that are shown.
const FALLBACKS: usize = 20;

/// What outlives a configuration.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(crate) shared: Shared,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    pub(crate) keys: Keys,
    pub(crate) outbox: Outbox,
    pub(crate) live: Live,
    pub(crate) meters: Meters,
    pub(crate) requests: AtomicU64,
    /// What clients of Responses may name.
    pub(crate) shelves: Shelves,
    breakers: Mutex<HashMap<String, Arc<Breaker>>>,
    fallbacks: Mutex<VecDeque<Fallback>>,
}

/// One configuration, ready to route by.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) config: Config,
    pub(crate) table: Table,
    pub(crate) providers: HashMap<Arc<str>, Arc<Provider>>,
    pub(crate) house: Arc<Resident>,
    pub(crate) stages: Wardrobe,
    nobody: Agent,
}

impl Resident {
    pub(crate) fn new(shared: Shared, ledger: Ledger, log: Log, keys: Keys, outbox: Outbox) -> Self {
        let (live, meters) = (Live::default(), Meters::new(&shared.metrics));
        let (requests, breakers, fallbacks) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        let shelves = Shelves::default();
        Self { shared, ledger, log, keys, outbox, live, meters, requests, shelves, breakers, fallbacks }
    }

    fn breaker(&self, provider: &str) -> Arc<Breaker> {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(breakers.entry(provider.to_owned()).or_default())
    }

    pub(crate) fn fell_back(&self, fallback: Fallback) {
        let mut all = self.fallbacks.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_front(fallback);
        all.truncate(FALLBACKS);
    }

    pub(crate) fn fallbacks(&self) -> Vec<Fallback> {
        self.fallbacks.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(crate) fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// `before` is the configuration that was in force.
    pub(crate) fn new(config: Config, house: Arc<Resident>, before: Option<&Self>) -> Result<Self, Failure> {
        let table = Table::new(&config);
        let mut providers = HashMap::new();
        for (name, given) in config.providers() {
            let breaker = house.breaker(&name);
            let provider = Provider::new(&name, &given, &config, &house.shared.paths, breaker)?;
            providers.insert(Arc::clone(&provider.name), Arc::new(provider));
        }
        let before = before.map(|before| &before.stages);
        let stages = Wardrobe::new(&config, &house.shared, before)?;
        Ok(Self { config, table, providers, house, stages, nobody: Agent::default() })
    }

    /// The rules for an agent; those of an agent without a section are the defaults.
    pub(crate) fn agent(&self, name: &str) -> &Agent {
        self.config.agent.get(name).unwrap_or(&self.nobody)
    }
}

impl Config {
    pub(crate) fn caps(&self) -> Caps {
        Caps {
            house: self.budget.house.map(|dollars| dollars.0),
            agents: self
                .agent
                .iter()
                .map(|(name, agent)| (name.clone(), agent.cap.map(|cap| cap.0)))
                .collect(),
            other: self.budget.other.map(|dollars| dollars.0),
        }
    }
}
