//! `sanctum plan`: in which order the house starts, and what its start waits for longest.

use std::collections::BTreeMap;

use sanctum_api::supervise::{Client, ServiceState};
use sanctum_kernel::inventory::Kind;
use sanctum_kernel::{Inventory, exit};
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};

/// The layers in which the house starts, and its critical path.
///
/// Everything of a layer starts side by side once what it leans on is ready. How long each takes is what it took the last
/// time, where the house is up; the critical path is the longest way through, which no start can be faster than.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum plan\n  sanctum plan --json | jq .critical")]
pub(crate) struct Args {}

/// The plan of a start.
#[derive(Debug, Serialize)]
struct Plan {
    layers: Vec<Vec<Step>>,
    /// The longest way, the first to start first.
    critical: Vec<String>,
    /// How long it takes, as far as it has been measured.
    critical_ms: Option<u64>,
    /// Jobs that run at their times and not at the start.
    scheduled: Vec<String>,
}

/// One service that starts.
#[derive(Debug, Clone, Serialize)]
struct Step {
    name: String,
    house_name: String,
    ours: bool,
    /// Must be ready before it.
    waits_for: Vec<String>,
    /// Of these, those whose end ends it.
    requires: Vec<String>,
    /// Started before it, if they can be.
    wants: Vec<String>,
    /// How long it took to become ready when it was last started.
    ready_ms: Option<u64>,
}

pub(crate) fn run(_: Args, cli: &Cli) -> Outcome {
    let loaded = cli.settings()?;
    #[expect(clippy::redundant_closure_for_method_calls, reason = "a path is not general enough in its lifetime")]
    let disabled = loaded.with_section("supervise", |section| section.parse::<sanctum_supervise::Config>()).map(|config| config.disabled).unwrap_or_default();
    let inventory = Inventory::of(&CATALOGUE, &loaded.house, &loaded.addresses(), &disabled);
    let states = match cli.transport("supervise") {
        Ok(way) => cli.block_on(async move { Client::new(way).services().await })?.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let plan = Plan::of(&inventory, &states);
    cli.show(&plan, |out, paint| {
        for (at, layer) in plan.layers.iter().enumerate() {
            writeln!(out, "{}", paint.dim(format!("layer {}", at + 1)))?;
            for step in layer {
                let mark = if plan.critical.contains(&step.name) { paint.yellow("●") } else { paint.dim("○") };
                let took = step.ready_ms.map_or_else(String::new, |ms| format!("  {ms} ms"));
                let waits: Vec<String> = step.waits_for.iter().map(|name| if step.requires.contains(name) { format!("{name}!") } else { name.clone() }).collect();
                let wants = step.wants.iter().map(|name| format!("{name}?"));
                let after: Vec<String> = waits.into_iter().chain(wants).collect();
                let after = if after.is_empty() { String::new() } else { format!("  {}", paint.dim(format!("after {}", after.join(", ")))) };
                writeln!(out, "  {mark} {}  {:<17}{took}{after}", paint.bold(format!("{:<14}", step.name)), step.house_name)?;
            }
        }
        let took = plan.critical_ms.map_or_else(String::new, |ms| format!(" ({ms} ms when it was last started)"));
        writeln!(out, "{} {}{took}", paint.yellow("critical path:"), plan.critical.join(" → "))?;
        if !plan.scheduled.is_empty() {
            writeln!(out, "at their times: {}", plan.scheduled.join(", "))?;
        }
        writeln!(out, "{}", paint.dim("name! is required: its end ends what leans on it; name? is only wanted"))
    })?;
    Ok(exit::OK)
}

impl Plan {
    fn of(inventory: &Inventory, states: &[ServiceState]) -> Self {
        let starts = |name: &String| inventory.get(name).is_some_and(|item| item.supervised && item.kind != Kind::Scheduled);
        let items = inventory.0.iter().filter(|item| starts(&item.name));
        let mut left: Vec<Step> = items
            .map(|item| Step {
                name: item.name.clone(),
                house_name: item.house_name.clone(),
                ours: item.ours,
                waits_for: item.requires.iter().chain(&item.after).filter(|name| starts(name)).cloned().collect(),
                // Ours need each other only to begin.
                requires: item.requires.iter().filter(|name| !item.ours && starts(name)).cloned().collect(),
                wants: item.wants.iter().filter(|name| starts(name)).cloned().collect(),
                ready_ms: states.iter().find(|state| state.name == item.name).and_then(|state| state.ready_ms),
            })
            .collect();
        let mut layers: Vec<Vec<Step>> = Vec::new();
        while !left.is_empty() {
            let done = |name: &String| layers.iter().flatten().any(|step| step.name == *name);
            let (layer, rest): (Vec<Step>, Vec<Step>) = left.into_iter().partition(|step| step.waits_for.iter().chain(&step.wants).all(done));
            if layer.is_empty() {
                // A circle does not pass the check of the file.
                break;
            }
            layers.push(layer);
            left = rest;
        }
        let (critical, critical_ms) = longest(&layers);
        let scheduled = inventory.0.iter().filter(|item| item.supervised && item.kind == Kind::Scheduled);
        Self { critical, critical_ms, scheduled: scheduled.map(|item| item.name.clone()).collect(), layers }
    }
}

/// The way that takes longest; by steps, where nothing has been measured.
fn longest(layers: &[Vec<Step>]) -> (Vec<String>, Option<u64>) {
    let measured = layers.iter().flatten().any(|step| step.ready_ms.is_some());
    let mut ends: BTreeMap<&str, (u64, Option<&str>)> = BTreeMap::new();
    for step in layers.iter().flatten() {
        let before = step.waits_for.iter().chain(&step.wants).map(String::as_str);
        let last = before.max_by_key(|name| ends.get(name).map_or(0, |(end, _)| *end));
        let begins = last.and_then(|last| ends.get(last)).map_or(0, |(end, _)| *end);
        let takes = if measured { step.ready_ms.unwrap_or(0) } else { 1 };
        ends.insert(&step.name, (begins + takes, last));
    }
    let Some((mut at, (end, _))) = ends.iter().max_by_key(|(_, (end, _))| *end).map(|(name, end)| (*name, *end)) else { return (Vec::new(), None) };
    let mut way = vec![at.to_owned()];
    while let Some(before) = ends.get(at).and_then(|(_, before)| *before) {
        way.push(before.to_owned());
        at = before;
    }
    way.reverse();
    (way, measured.then_some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, waits_for: &[&str], ready_ms: Option<u64>) -> Step {
        let waits_for = waits_for.iter().map(|&name| name.to_owned()).collect();
        Step { name: name.to_owned(), house_name: String::new(), ours: false, waits_for, requires: Vec::new(), wants: Vec::new(), ready_ms }
    }

    #[test]
    fn the_longest_way_is_by_time_where_there_is_one_and_by_steps_where_not() {
        let layers = |ms: Option<u64>| vec![vec![step("a", &[], ms), step("b", &[], Some(500).and(ms.map(|_| 500)))], vec![step("c", &["a"], ms)], vec![step("d", &["c", "b"], ms)]];
        assert_eq!(longest(&layers(Some(100))), (vec!["b".to_owned(), "d".to_owned()], Some(600)));
        assert_eq!(longest(&layers(None)), (["a", "c", "d"].map(str::to_owned).to_vec(), None));
        assert_eq!(longest(&[]), (Vec::new(), None));
    }
}
