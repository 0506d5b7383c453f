//! Everything the house depends on, ours and foreign, in one list of one shape.

mod asked;
pub mod check;
pub mod declared;
pub mod layout;
pub mod lint;
mod rules;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::{Catalogue, House, Probe, Tier};
use check::{Check, Health};
pub use declared::{Declared, Kind, Limits, Plane, Run, Schedule, Seat, StopSignal};
pub use rules::check;

/// One service of the house, ours or foreign.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub name: String,
    pub house_name: String,
    pub summary: String,
    /// Part of this binary.
    pub ours: bool,
    pub plane: Plane,
    pub kind: Kind,
    pub tier: Tier,
    pub address: Option<SocketAddr>,
    pub port: Option<u16>,
    /// The job it does, in a word.
    pub does: Option<String>,
    /// Without these it cannot work.
    pub requires: Vec<String>,
    /// It runs without these, only worse.
    pub wants: Vec<String>,
    /// These must have been ready once.
    pub after: Vec<String>,
    /// Whether the supervisor runs it.
    pub supervised: bool,
    pub check: BTreeMap<String, Check>,
    pub heal: Vec<String>,
}

/// The list, by name, ours first in the order of the catalogue.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory(pub Vec<Item>);

impl Inventory {
    /// What the catalogue and the file declare. `addrs` says where our own listen; `disabled` are those of ours that do not run.
    pub fn of(
        catalogue: &Catalogue,
        house: &House,
        addrs: &BTreeMap<String, SocketAddr>,
        disabled: &[String],
    ) -> Self {
        let ours = catalogue.iter().filter(|entry| !disabled.iter().any(|name| name == entry.spec.name));
        let ours = ours.map(|entry| {
            let spec = entry.spec;
            let address = addrs.get(spec.name).copied();
            let asked = address.filter(|_| spec.probe != Probe::Process);
            let health = asked.map(|address| {
                let health = Some(Health { address: address.to_string() });
                ("health".to_owned(), Check { health, ..Check::default() })
            });
            Item {
                name: spec.name.to_owned(),
                house_name: spec.house_name.to_owned(),
                summary: spec.summary.to_owned(),
                ours: true,
                plane: Plane::Host,
                kind: Kind::Continuous,
                tier: spec.tier,
                address,
                port: address.map(|address| address.port()),
                does: None,
                requires: spec.needs.iter().map(|&need| need.to_owned()).collect(),
                wants: Vec::new(),
                after: Vec::new(),
                supervised: spec.name != "supervise",
                check: health.into_iter().collect(),
                heal: vec!["restart".to_owned()],
            }
        });
        let foreign = house.service.iter().map(|(name, declared)| Item {
            name: name.clone(),
            house_name: declared.name.clone().unwrap_or_else(|| name.clone()),
            summary: declared.summary.clone(),
            ours: false,
            plane: declared.plane,
            kind: declared.kind,
            tier: declared.criticality,
            address: None,
            port: declared.port,
            does: declared.does.clone(),
            requires: declared.requires.clone(),
            wants: declared.wants.clone(),
            after: declared.after.clone(),
            supervised: declared.run.is_some(),
            check: declared.check.clone(),
            heal: declared.heal.clone(),
        });
        Self(ours.chain(foreign).collect())
    }

    /// As [`layout::Layout`] wants them: what each stands on, and whether it must.
    pub fn spots(&self) -> Vec<layout::Spot> {
        let spot = |item: &Item| {
            let must = item.requires.iter().map(|name| (name.clone(), true));
            let may = item.wants.iter().chain(&item.after).map(|name| (name.clone(), false));
            layout::Spot { name: item.name.clone(), on: must.chain(may).collect() }
        };
        self.0.iter().map(spot).collect()
    }

    pub fn get(&self, name: &str) -> Option<&Item> {
        self.0.iter().find(|item| item.name == name)
    }
}
