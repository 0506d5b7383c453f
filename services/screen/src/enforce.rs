//! Declaring the intended state to the firewall, and believing only what reading back shows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sanctum_api::CallError;
use sanctum_api::firewall::{Block, Client, Desired, Newcomers, Scope};
use sanctum_kernel::{Applied, Chain};

use crate::config::{Config, Mode};
use crate::engine::{Policy, allowed_from, decide, newcomers};
use crate::hub::World;

/// More than one other writer at a time is a quarrel that retrying does not end.
const TRIES: usize = 5;

/// The state the rules want now. Every block says when it ends, so that it ends also if this service does not live.
pub(crate) fn wanted(config: &Config, world: &World) -> Desired {
    if config.mode == Mode::Agreement {
        return Desired::default();
    }
    let World { policy, ledger, now } = world;
    let mut blocks = BTreeMap::new();
    for (id, subject) in &policy.subjects {
        let ruling = decide(policy, ledger, subject, *now);
        if let Some(scope) = ruling.blocked {
            let until = allowed_from(policy, ledger, subject, *now);
            blocks.insert(id.clone(), Block { scope, reason: ruling.because, until });
        }
    }
    let (newcomers, newcomers_until) = door(config, policy, world);
    Desired { version: 0, blocks, newcomers, newcomers_until }
}

fn door(config: &Config, policy: &Policy, world: &World) -> (Newcomers, Option<Timestamp>) {
    let (night, _) = newcomers(policy, &world.ledger, world.now);
    let door = if night { config.newcomers.night } else { config.newcomers.day };
    let ends = night && config.newcomers.day == Newcomers::Allow && door != Newcomers::Allow;
    let until = ends.then(|| allowed_from(policy, &world.ledger, &policy.newcomer(), world.now)).flatten();
    (door, until)
}

fn same(a: &Desired, b: &Desired) -> bool {
    a.blocks == b.blocks && a.newcomers == b.newcomers && a.newcomers_until == b.newcomers_until
}

/// Makes the firewall want what the rules want. Nothing is written if it does already. A guest (`may_be_gone`) whom the
/// firewall forgot, or who became another device, has nothing there that could be blocked: it is left out, so that
/// everybody else's rules hold.
pub(crate) async fn enforce(
    firewall: &Client,
    wanted: &Desired,
    may_be_gone: impl Fn(&str) -> bool,
) -> (Applied, Option<String>) {
    let mut wanted = wanted.clone();
    let mut nameless = None;
    let mut tries = 0;
    while tries < TRIES {
        let current = match firewall.desired().await {
            Ok(current) => current,
            Err(error) => return (Applied::Unknown, Some(Chain(&error).to_string())),
        };
        if same(&current, &wanted) {
            return judged((Applied::Applied, None), nameless);
        }
        let next = Desired { version: current.version + 1, ..wanted.clone() };
        let put = firewall.put_desired(&next).await;
        match put {
            Err(error) if error.problem().is_some_and(|problem| problem.status == 409) => {
                tries += 1;
            }
            // Each is left out once: this ends.
            Err(error)
                if unknown(&error)
                    .is_some_and(|id| may_be_gone(id) && wanted.blocks.remove(id).is_some()) => {}
            // Each name goes once: this ends as well.
            Err(error) if nobody_knows(&error).is_some_and(|(id, name)| without(&mut wanted, id, name)) => {
                nameless = error.problem().and_then(|problem| {
                    let name = problem.value.as_deref()?;
                    let hint = problem.hint.as_deref().unwrap_or_default();
                    Some(format!("the router knows no service `{name}`; {hint}"))
                });
            }
            Err(error @ CallError::Refused { .. }) => {
                return (Applied::NotApplied, Some(Chain(&error).to_string()));
            }
            // Whether a silent firewall acted is for reading back to say.
            Ok(_) | Err(_) => return judged(read_back(firewall, &wanted).await, nameless),
        }
    }
    (Applied::NotApplied, Some("somebody else changes the firewall's rules all the time".to_owned()))
}

async fn read_back(firewall: &Client, wanted: &Desired) -> (Applied, Option<String>) {
    match firewall.desired().await {
        Ok(seen) if same(&seen, wanted) => (Applied::Applied, None),
        Ok(_) => (Applied::NotApplied, Some("the firewall took the rules and shows others".to_owned())),
        Err(error) => (Applied::Unknown, Some(Chain(&error).to_string())),
    }
}

/// What was declared without a name that means nothing to the router is not all that the rules want.
fn judged(seen: (Applied, Option<String>), nameless: Option<String>) -> (Applied, Option<String>) {
    match (seen, nameless) {
        ((Applied::Applied, _), Some(why)) => (Applied::NotApplied, Some(why)),
        (seen, _) => seen,
    }
}

/// The block and the name of a service in it that the firewall refuses: `blocks.` id `.scope.services`.
fn nobody_knows(error: &CallError) -> Option<(&str, &str)> {
    let problem = error.problem().filter(|problem| problem.status == 422)?;
    let id = problem.field.as_deref()?.strip_prefix("blocks.")?.strip_suffix(".scope.services")?;
    Some((id, problem.value.as_deref()?))
}

/// Takes a service out of a block, so that everything else holds. A block of which no name is left closes everything:
/// too much is noticed, and too little is not.
fn without(wanted: &mut Desired, id: &str, name: &str) -> bool {
    let Some(block) = wanted.blocks.get_mut(id) else { return false };
    let Scope::Services(names) = &mut block.scope else { return false };
    let before = names.len();
    names.retain(|other| other != name);
    let taken = names.len() < before;
    if names.is_empty() {
        block.scope = Scope::All;
    }
    taken
}

/// The device that the firewall refuses because it does not know it: the field is `blocks.` and its id.
fn unknown(error: &CallError) -> Option<&str> {
    error.problem().filter(|problem| problem.status == 422)?.field.as_deref()?.strip_prefix("blocks.")
}
