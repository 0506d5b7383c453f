//! Processes that the house has started and does not know any more.

use std::collections::BTreeSet;

use sanctum_api::supervise::ServiceState;

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::hands::process::{self, Process};
use crate::heal::step::Step;

const SUPERVISOR: &str = "supervise";

/// Processes of this house that belong to nothing the supervisor runs now. The supervisor's word is needed: who does not know
/// what should run may not end what does.
fn strays(case: &Case<'_>, states: &[ServiceState], all: &[Process]) -> Vec<Process> {
    let line = process::ancestors(all);
    // The supervisor takes in every orphan: to be its child is not to belong to a service.
    let services = states.iter().filter(|state| state.name != SUPERVISOR);
    let groups: BTreeSet<u32> = services.filter_map(|state| state.pid).collect();
    let me = rustix::process::geteuid().as_raw();
    let of_a_live_one = |process: &Process| {
        // A group lives with its leader; one that left the group is known by its parents.
        let mut at = Some(process);
        let mut steps = 0;
        while let Some(process) = at {
            if groups.contains(&process.pid) || groups.contains(&process.group) {
                return true;
            }
            steps += 1;
            if steps > 64 {
                return true;
            }
            at = all.iter().find(|parent| parent.pid == process.parent && parent.pid > 1);
        }
        false
    };
    let stray = |process: &&Process| {
        process.is_of(case.home())
            && process.uid == me
            && process.state != 'Z'
            && !line.contains(&process.pid)
            && !of_a_live_one(process)
    };
    all.iter().filter(stray).cloned().collect()
}

/// What runs under a name that neither the file nor the supervisor knows.
pub(super) async fn orphans(case: &Case<'_>) -> Looked {
    let states = case.states().await?;
    let all = process::all();
    let known =
        |name: &str| case.inventory.get(name).is_some() || states.iter().any(|state| state.name == name);
    let mut found = strays(case, &states, &all);
    found.retain(|process| process.unit.as_deref().is_some_and(|unit| !known(unit)));
    if found.is_empty() {
        return Err(Found::nothing("every process of the house belongs to a service it has"));
    }
    Ok(Found::Plan(vec![Step::End { them: found }]))
}

/// Who holds the port of the service, if not the service.
pub(super) async fn port(case: &Case<'_>) -> Looked {
    let item = case.supervised()?;
    let port = item.port.ok_or_else(|| Found::nothing(format!("`{}` declares no port", item.name)))?;
    let holders = process::listeners(port);
    if holders.is_empty() {
        return Err(Found::nothing(format!("nobody holds port {port}")));
    }
    let states = case.states().await?;
    let all = process::all();
    let strays = strays(case, &states, &all);
    let mut them = Vec::new();
    for holder in &holders {
        if let Some(stray) = strays.iter().find(|stray| stray.pid == *holder) {
            them.push(stray.clone());
            continue;
        }
        let process = all.iter().find(|process| process.pid == *holder);
        let shown = process.map_or_else(|| format!("process {holder}"), Process::shown);
        let unit =
            process.filter(|process| process.is_of(case.home())).and_then(|process| process.unit.clone());
        return Err(match unit {
            Some(unit) if unit == item.name => {
                Found::Nothing(format!("port {port} is held by `{unit}` itself, {shown}"))
            }
            Some(unit) => Found::Advice(format!(
                "port {port} of `{}` is held by `{unit}`, {shown}: give one of them another port",
                item.name
            )),
            None => Found::Advice(format!(
                "port {port} of `{}` is held by {shown}, which is not of this house: end it, or declare another port",
                item.name
            )),
        });
    }
    let service = item.name.clone();
    Ok(Found::Plan(vec![Step::End { them }, Step::PortIsFree { port }, Step::Renew { service }]))
}
