//! Inventories for tests.

use std::collections::BTreeMap;

use sanctum_kernel::Tier;
use sanctum_kernel::inventory::{Item, Kind, Plane};

/// A plain service of this machine on a port.
pub(crate) fn item(name: &str, port: u16) -> Item {
    Item {
        name: name.to_owned(),
        house_name: name.to_owned(),
        summary: String::new(),
        ours: false,
        plane: Plane::Host,
        kind: Kind::Continuous,
        tier: Tier::Ordinary,
        address: None,
        port: Some(port),
        does: None,
        requires: Vec::new(),
        wants: Vec::new(),
        after: Vec::new(),
        supervised: true,
        check: BTreeMap::new(),
        heal: Vec::new(),
    }
}
