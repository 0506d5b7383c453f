//! `sanctum-lab conformance`: what clients of language models rely on, asked of the real binary or of a peer.

mod check;
mod clients;
mod dialect;
mod heard;
mod pairs;
mod rows;
mod specials;
mod stage;
mod target;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sanctum_kernel::Failure;
use serde_json::{Value, json};

use self::check::Checked;
use crate::report::Report;

/// Points of conformance in the list the checks are numbered by.
const POINTS: u8 = 30;

/// A peer's name, or us; `only` keeps the checks whose title holds these words.
pub(crate) fn run(
    binary: &Path,
    against: Option<&str>,
    only: Option<&str>,
    report: &mut Report,
) -> Result<(), Failure> {
    let name = against.unwrap_or("sanctum");
    let target = match against {
        None => target::ours(binary)?,
        Some(peer) => {
            target::peer(peer)?.ok_or_else(|| format!("{peer} is not installed: run tools/peers"))?
        }
    };
    report.part("", &format!("conformance of {name}"));
    let mut group = String::new();
    let all = check::run(&target.stage, only, |checked| {
        if checked.group != group {
            group.clone_from(&checked.group);
            report.note(&group);
        }
        if let Some(Err(why)) = &checked.outcome {
            report.miss(&checked.name, why);
        }
    });
    table(&all, report);
    let made: Vec<&Checked> = all.iter().filter(|checked| checked.outcome.is_some()).collect();
    let passed = made.iter().filter(|checked| matches!(checked.outcome, Some(Ok(())))).count();
    report.fact("target", name);
    report.fact("score", format!("{passed}/{}", made.len()));
    report.fact("conformance", all.iter().map(Checked::json).collect::<Vec<Value>>());
    let points = points(&made, report, only.is_some());
    report.fact("points", points);
    report.check(&format!("{name} conforms"), passed == made.len(), format!("{passed}/{}", made.len()));
    Ok(())
}

fn table(all: &[Checked], report: &Report) {
    let mut groups: Vec<(&str, [usize; 3])> = Vec::new();
    for checked in all {
        if groups.last().is_none_or(|(group, _)| *group != checked.group) {
            groups.push((&checked.group, [0; 3]));
        }
        let Some((_, counts)) = groups.last_mut() else { continue };
        let [passed, made, absent] = counts;
        match &checked.outcome {
            None => *absent += 1,
            Some(outcome) => {
                *made += 1;
                *passed += usize::from(outcome.is_ok());
            }
        }
    }
    report.say("");
    for (group, [passed, made, absent]) in groups {
        let rest = if absent > 0 { format!("  ({absent} not offered)") } else { String::new() };
        report.say(format!("   {group:<24}{passed:>4} of {made}{rest}"));
    }
}

/// For every point, how many of its checks held.
fn points(made: &[&Checked], report: &Report, some: bool) -> Value {
    let mut counts: BTreeMap<u8, (usize, usize)> = BTreeMap::new();
    for checked in made {
        for point in &checked.points {
            let (passed, all) = counts.entry(*point).or_default();
            *all += 1;
            *passed += usize::from(matches!(checked.outcome, Some(Ok(()))));
        }
    }
    let missing: BTreeSet<u8> = (1..=POINTS).filter(|point| !counts.contains_key(point)).collect();
    if !missing.is_empty() && !some {
        report.note(format!("points without a check: {missing:?}"));
    }
    let each = counts
        .into_iter()
        .map(|(point, (passed, all))| (point.to_string(), json!(format!("{passed}/{all}"))));
    Value::Object(each.collect())
}
