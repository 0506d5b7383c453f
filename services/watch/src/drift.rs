//! Declared against configured against listening: orphans, ghosts, and what is missing.

use std::collections::{BTreeMap, BTreeSet};

use sanctum_api::supervise::{Phase, ServiceState};
use sanctum_kernel::Inventory;
use sanctum_kernel::inventory::{Item, Kind, Plane};

use crate::sentinel::{Listener, holder, listeners};

/// What differs now, as people read it. `None`: this machine does not say what listens.
pub fn look(inventory: &Inventory, services: Option<&[ServiceState]>) -> Option<Vec<String>> {
    Some(compare(inventory, services, &listeners()?))
}

/// An orphan listens on a port of the house and is not who should; a ghost is said to run and does not listen; what is missing is
/// declared and does not run.
fn compare(inventory: &Inventory, services: Option<&[ServiceState]>, all: &[Listener]) -> Vec<String> {
    let open: BTreeSet<u16> = all.iter().map(|listener| listener.port).collect();
    let states: BTreeMap<&str, &ServiceState> =
        services.unwrap_or_default().iter().map(|state| (state.name.as_str(), state)).collect();
    let mut drift = Vec::new();
    let here = inventory.0.iter().filter(|item| item.plane == Plane::Host && item.kind == Kind::Continuous);
    for item in here {
        let state = states.get(item.name.as_str()).copied();
        drift.extend(of_item(item, state, services.is_some(), &open, all));
    }
    // What the supervisor runs and nobody declares any more.
    let known: BTreeSet<&str> = inventory.0.iter().map(|item| item.name.as_str()).collect();
    let orphans = states.values().filter(|state| !known.contains(state.name.as_str()) && state.pid.is_some());
    drift.extend(orphans.map(|state| format!("orphan: `{}` runs and is not declared", state.name)));
    drift
}

fn of_item(
    item: &Item,
    state: Option<&ServiceState>,
    asked: bool,
    open: &BTreeSet<u16>,
    all: &[Listener],
) -> Option<String> {
    let name = &item.name;
    if item.supervised && asked && state.is_none() {
        return Some(format!("missing: `{name}` is declared and the supervisor does not know it"));
    }
    let port = item.port.filter(|port| *port != 0)?;
    let listening = open.contains(&port);
    match state {
        Some(state) if state.phase == Phase::Ready && !listening => {
            Some(format!("ghost: `{name}` is said to be ready and nothing listens on its port {port}"))
        }
        Some(state) if state.pid.is_none() && state.phase != Phase::Starting && listening => {
            let who = all.iter().find(|listener| listener.port == port).and_then(holder);
            let who = who.map(|who| format!(", it is {who}")).unwrap_or_default();
            Some(format!("orphan: `{name}` does not run and something listens on its port {port}{who}"))
        }
        None if !item.supervised && !listening => {
            Some(format!("missing: nothing listens on port {port} of `{name}`"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::fixtures::item;

    fn state(name: &str, phase: Phase, pid: Option<u32>) -> ServiceState {
        serde_json::from_value(serde_json::json!({
            "name": name, "house_name": name, "phase": phase, "live": true, "ready": true, "pid": pid,
            "since": "2026-11-22T00:00:00Z", "restarts": 0, "summary": "", "needs": []
        }))
        .unwrap()
    }

    #[test]
    fn orphans_ghosts_and_the_missing_are_named_from_real_sockets() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = socket.local_addr().unwrap().port();
        let spare = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let free = spare.local_addr().unwrap().port();
        drop(spare);
        let alone = |name: &str, port| Item { supervised: false, ..item(name, port) };
        let inventory = Inventory(vec![
            item("well", taken),
            item("squatted", taken),
            item("ghost", free),
            item("unknown", 1),
            alone("there", taken),
            alone("gone", free),
        ]);
        let services = [
            state("well", Phase::Ready, Some(1)),
            state("squatted", Phase::Stopped, None),
            state("ghost", Phase::Ready, Some(2)),
            state("old", Phase::Ready, Some(3)),
        ];
        let said = look(&inventory, Some(&services)).unwrap();
        let own = std::process::id();
        assert_eq!(said.len(), 5, "{said:?}");
        assert!(
            said[0].starts_with(&format!(
                "orphan: `squatted` does not run and something listens on its port {taken}, it is "
            )) && said[0].contains(&own.to_string()),
            "{said:?}"
        );
        assert_eq!(
            said[1],
            format!("ghost: `ghost` is said to be ready and nothing listens on its port {free}")
        );
        assert_eq!(said[2], "missing: `unknown` is declared and the supervisor does not know it");
        assert_eq!(said[3], format!("missing: nothing listens on port {free} of `gone`"));
        assert_eq!(said[4], "orphan: `old` runs and is not declared");
        drop(socket);
        let said = look(&inventory, Some(&services)).unwrap();
        assert!(said[0].starts_with("ghost: `well`"), "{said:?}");
    }
}
