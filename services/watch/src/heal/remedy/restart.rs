//! Starting again: one service, what it requires, everything it rests on.

use std::collections::BTreeSet;

use sanctum_api::supervise::{Phase, ServiceState};
use sanctum_kernel::inventory::Item;

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::step::Step;

/// Nothing is restarted while what it requires is down: that would be healing a symptom.
fn rests_on_ready(item: &Item, states: &[ServiceState]) -> Result<(), Found> {
    let down = item
        .requires
        .iter()
        .filter(|name| states.iter().any(|state| state.name == **name && state.phase != Phase::Ready));
    let down: Vec<&str> = down.map(String::as_str).collect();
    if down.is_empty() {
        return Ok(());
    }
    Err(Found::Nothing(format!("`{}` requires {}, which is not ready", item.name, down.join(", "))))
}

pub(super) async fn one(case: &Case<'_>) -> Looked {
    let item = case.supervised()?;
    let states = case.states().await?;
    rests_on_ready(item, &states)?;
    let state = states.iter().find(|state| state.name == item.name);
    let state = state.ok_or_else(|| Found::nothing(format!("the supervisor has no `{}`", item.name)))?;
    match state.phase {
        Phase::Locked => Err(Found::advice(locked(state))),
        Phase::Stopped => Err(Found::nothing(format!("somebody stopped `{}` on purpose", item.name))),
        _ => {
            let mut steps = vec![Step::Renew { service: item.name.clone() }];
            if state.pid.is_some_and(|pid| crate::heal::hands::process::image_replaced(pid).is_some()) {
                steps.push(Step::ImageIsNew { service: item.name.clone() });
            }
            Ok(Found::Plan(steps))
        }
    }
}

fn locked(state: &ServiceState) -> String {
    let reason = state.locked.as_ref().map(|locked| locked.reason.clone()).unwrap_or_default();
    format!("`{0}` is locked ({reason}): remove the cause, then `sanctum unlock {0}`", state.name)
}

pub(super) fn requirement(case: &Case<'_>) -> Looked {
    let item = case.item()?;
    let supervised = |name: &&String| case.inventory.get(name).is_some_and(|item| item.supervised);
    let names: Vec<&String> = item.requires.iter().filter(supervised).collect();
    if names.is_empty() {
        return Err(Found::nothing(format!("`{}` requires nothing that could be restarted", item.name)));
    }
    Ok(Found::Plan(names.into_iter().map(|name| Step::Renew { service: name.clone() }).collect()))
}

pub(super) fn subtree(case: &Case<'_>) -> Looked {
    let item = case.item()?;
    let mut order = Vec::new();
    below(case, &item.name, &mut BTreeSet::new(), &mut order);
    if order.len() < 2 {
        return Err(Found::nothing(format!("`{}` rests on nothing that could be restarted", item.name)));
    }
    Ok(Found::Plan(order.into_iter().map(|service| Step::Renew { service }).collect()))
}

/// What `name` rests on comes before it; a circle, which the file's check refuses anyway, ends where it began.
fn below(case: &Case<'_>, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<String>) {
    if !seen.insert(name.to_owned()) {
        return;
    }
    let Some(item) = case.inventory.get(name) else { return };
    for requirement in &item.requires {
        below(case, requirement, seen, order);
    }
    if item.supervised {
        order.push(item.name.clone());
    }
}

/// One more try for a locked service, when there is reason to hope.
pub(super) async fn unlock(case: &Case<'_>) -> Looked {
    let item = case.supervised()?;
    let states = case.states().await?;
    let state = states.iter().find(|state| state.name == item.name);
    let state = state.ok_or_else(|| Found::nothing(format!("the supervisor has no `{}`", item.name)))?;
    if state.phase != Phase::Locked {
        return Err(Found::nothing(format!("`{}` is not locked", item.name)));
    }
    rests_on_ready(item, &states)?;
    // A wrong configuration (sysexits(3): EX_CONFIG) does not mend itself.
    if state.locked.as_ref().is_some_and(|locked| locked.reason.contains("exit code 78")) {
        return Err(Found::advice(locked(state)));
    }
    if let Some(port) = item.port
        && let [holder, ..] = crate::heal::hands::process::listeners(port).as_slice()
    {
        return Err(Found::advice(format!(
            "port {port} of `{}` is held by process {holder}: see `sanctum why {}`",
            item.name, item.name
        )));
    }
    Ok(Found::Plan(vec![Step::Renew { service: item.name.clone() }]))
}
