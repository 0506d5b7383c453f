//! The list of services, checked while it compiles.

use std::any::Any;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;

use schemars::Schema;

use crate::section::{Fault, Section};
use crate::service::Shared;
use crate::spec::{Guest, same};
use crate::{Complaint, Context, Failure, House, Latch, Right, Service, Spec, Stop};

/// Work of a running service.
pub type Running = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;
/// Work of a starting service.
pub type Starting = Pin<Box<dyn Future<Output = Result<Started, Failure>> + Send>>;

/// A built service, ready to run.
pub struct Started(Box<dyn FnOnce(Stop) -> Running + Send>);

impl Started {
    pub fn run(self, stop: Stop) -> Running {
        (self.0)(stop)
    }
}

/// Everything the host has ready for one service before its section is read.
#[derive(Debug)]
pub struct Seed {
    pub house: Arc<House>,
    pub catalogue: &'static Catalogue,
    pub shared: Shared,
    pub latch: Latch,
    pub listeners: BTreeMap<&'static str, TcpListener>,
}

/// One service with its type erased: the line you add to the catalogue.
#[derive(Debug)]
pub struct Entry {
    pub spec: &'static Spec,
    /// The shape of its section, for docs, examples and `config explain`.
    pub schema: fn() -> Schema,
    /// Whether the section has the right shape; the fault carries its place in the file.
    pub shape: fn(&Section<'_>) -> Result<(), Fault>,
    /// The service's own rules, for a section whose shape is right.
    pub rules: fn(&Section<'_>, &House) -> Vec<Complaint>,
    /// The new configuration, if a running instance takes the change from the one section to the other by itself.
    pub revise: fn(&Section<'_>, &Section<'_>) -> Option<Arc<dyn Any + Send + Sync>>,
    /// Begins to build it.
    pub start: fn(&Section<'_>, Seed) -> Result<Starting, Fault>,
}

impl Entry {
    pub const fn of<S: Service>() -> Self {
        Self {
            spec: const { &S::SPEC },
            schema: || schemars::schema_for!(S::Config),
            shape: |section| section.parse::<S::Config>().map(drop),
            rules: |section, house| match section.parse::<S::Config>() {
                Ok(config) => S::check(&config, house),
                Err(_) => Vec::new(),
            },
            revise: |old, new| {
                let (old, new) = (old.parse::<S::Config>().ok()?, new.parse::<S::Config>().ok()?);
                S::revises(&old, &new).then(|| Arc::new(new) as Arc<dyn Any + Send + Sync>)
            },
            start: |section, seed| {
                let config = section.parse::<S::Config>()?;
                let Seed { house, catalogue, shared, latch, listeners } = seed;
                let cx =
                    Context { config, house, catalogue, spec: const { &S::SPEC }, shared, latch, listeners };
                Ok(Box::pin(async move {
                    let service = S::build(cx).await?;
                    Ok(Started(Box::new(move |stop| Box::pin(service.run(stop)) as Running)))
                }))
            },
        }
    }
}

/// Every service of a build, in one place.
#[derive(Debug)]
pub struct Catalogue(&'static [Entry]);

impl Catalogue {
    /// Refuses, at compile time, two services with one name or one port, and a need or a call that names
    /// no service.
    #[expect(clippy::indexing_slicing, reason = "bounded by the loops; const fns have no iterators")]
    pub const fn new(entries: &'static [Entry]) -> Self {
        let mut a = 0;
        while a < entries.len() {
            let mut b = a + 1;
            while b < entries.len() {
                assert!(!same(entries[a].spec.name, entries[b].spec.name), "two services share a name");
                assert!(!clash(entries[a].spec, entries[b].spec), "two services share a port");
                b += 1;
            }
            let mut n = 0;
            while n < entries[a].spec.needs.len() {
                assert!(
                    contains(entries, entries[a].spec.needs[n]),
                    "a service needs one that is not in the catalogue"
                );
                n += 1;
            }
            let mut c = 0;
            while c < entries[a].spec.calls.len() {
                assert!(
                    contains(entries, entries[a].spec.calls[c].to),
                    "a service calls one that is not in the catalogue"
                );
                c += 1;
            }
            a += 1;
        }
        Self(entries)
    }

    pub fn iter(&self) -> std::slice::Iter<'static, Entry> {
        self.0.iter()
    }

    /// The service that answers to `word`: its name, an alias, or its house name.
    pub fn find(&self, word: &str) -> Option<&'static Entry> {
        self.0
            .iter()
            .find(|entry| entry.spec.name == word)
            .or_else(|| self.0.iter().find(|entry| entry.spec.answers_to(word)))
    }

    /// Services in an order in which every need comes before what needs it.
    ///
    /// # Errors
    /// Names the services of a cycle, in order.
    pub fn boot_order(&self) -> Result<Vec<&'static Entry>, Vec<&'static str>> {
        let mut done: Vec<&'static Entry> = Vec::new();
        let mut left: Vec<&'static Entry> = self.0.iter().collect();
        while !left.is_empty() {
            let (ready, waiting): (Vec<_>, Vec<_>) = left.into_iter().partition(|entry| {
                entry.spec.needs.iter().all(|need| done.iter().any(|done| done.spec.name == *need))
            });
            if ready.is_empty() {
                return Err(waiting.iter().map(|entry| entry.spec.name).collect());
            }
            done.extend(ready);
            left = waiting;
        }
        Ok(done)
    }

    /// Every pair that may talk, with what the caller may do. People on the command line and in the browser
    /// come in as `cli` and `owner`.
    pub fn pairs(&self) -> Vec<(&'static str, &'static str, Right)> {
        let mut pairs: Vec<_> = self
            .0
            .iter()
            .flat_map(|entry| entry.spec.calls.iter().map(|call| (entry.spec.name, call.to, call.right)))
            .collect();
        for entry in self.0 {
            let here = |guest: &&Guest| self.0.iter().any(|other| other.spec.name == guest.from);
            let guests = entry.spec.guests.iter().filter(here);
            pairs.extend(guests.map(|guest| (guest.from, entry.spec.name, guest.right)));
        }
        pairs.extend(self.0.iter().map(|entry| ("cli", entry.spec.name, Right::Act)));
        pairs
    }
}

impl IntoIterator for &Catalogue {
    type Item = &'static Entry;
    type IntoIter = std::slice::Iter<'static, Entry>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[expect(clippy::indexing_slicing, reason = "bounded by the loop; const fns have no iterators")]
const fn contains(entries: &[Entry], name: &str) -> bool {
    let mut i = 0;
    while i < entries.len() {
        if same(entries[i].spec.name, name) {
            return true;
        }
        i += 1;
    }
    false
}

#[expect(clippy::indexing_slicing, reason = "bounded by the loops; const fns have no iterators")]
const fn clash(a: &Spec, b: &Spec) -> bool {
    let mut i = 0;
    while i < a.listen.len() {
        let mut j = 0;
        while j < b.listen.len() {
            if a.listen[i].port == b.listen[j].port {
                return true;
            }
            j += 1;
        }
        i += 1;
    }
    false
}
