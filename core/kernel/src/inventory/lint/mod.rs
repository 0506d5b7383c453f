//! What is wrong with the declarations as a whole: one implementation for the check of the file and for `sanctum catalogue lint`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Inventory, Item, Kind, Plane};
use crate::{Complaint, Tier};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The house cannot be run like this: the file is refused.
    Error,
    /// It can be run, and will disappoint.
    Warning,
}

/// One thing that is wrong, or likely to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub level: Level,
    /// A short name of the rule, such as `cycle`.
    pub rule: &'static str,
    /// The service it is said of.
    pub service: String,
    /// Keys from the root of the file; a service of ours has no place in it.
    pub path: Vec<String>,
    /// A lower-case fragment without a full stop.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What leans on what, by which key, in the order of the file.
const EDGES: [&str; 3] = ["requires", "wants", "after"];

/// Everything that is wrong, errors first, then by service. `recipes` are the ids that exist, where they are known.
pub fn lint(inventory: &Inventory, recipes: Option<&[&str]>) -> Vec<Fault> {
    let look =
        Look { inventory, by_name: inventory.0.iter().map(|item| (item.name.as_str(), item)).collect() };
    let mut faults = look.ports();
    for item in &inventory.0 {
        faults.extend(look.requirements(item));
        faults.extend(Look::heal(item, recipes));
        faults.extend(look.bridge(item));
        faults.extend(Look::care(item));
    }
    faults.extend(look.cycles());
    faults
        .sort_by(|a, b| (a.level, &a.service, &a.path, a.rule).cmp(&(b.level, &b.service, &b.path, b.rule)));
    faults
}

/// The errors among them, for the check of the file.
pub fn complaints(inventory: &Inventory, recipes: Option<&[&str]>) -> Vec<Complaint> {
    let errors = lint(inventory, recipes).into_iter().filter(|fault| fault.level == Level::Error);
    errors.map(|fault| Complaint { path: fault.path, message: fault.message, hint: fault.hint }).collect()
}

/// The name of a recipe in a line of `heal`.
pub fn recipe(word: &str) -> Option<&str> {
    word.strip_prefix("recipe:")
}

struct Look<'a> {
    inventory: &'a Inventory,
    by_name: BTreeMap<&'a str, &'a Item>,
}

fn fault(
    level: Level,
    rule: &'static str,
    item: &Item,
    keys: &[&str],
    message: String,
    hint: String,
) -> Fault {
    let path = ["service", &item.name].iter().chain(keys).map(|&key| key.to_owned()).collect();
    Fault { level, rule, service: item.name.clone(), path, message, hint: (!hint.is_empty()).then_some(hint) }
}

fn edges(item: &Item) -> impl Iterator<Item = (&'static str, usize, &str)> {
    let lists = [&item.requires, &item.wants, &item.after];
    EDGES
        .into_iter()
        .zip(lists)
        .flat_map(|(key, list)| list.iter().enumerate().map(move |(at, name)| (key, at, name.as_str())))
}

impl Look<'_> {
    /// One port of one machine is one service's; the guest's may be forwarded to the host, which is where it would hurt.
    fn ports(&self) -> Vec<Fault> {
        let mut first: BTreeMap<(Plane, u16), &Item> = BTreeMap::new();
        let mut faults = Vec::new();
        let listening = self.inventory.0.iter().filter(|item| item.plane != Plane::Outside);
        for (item, port) in
            listening.filter_map(|item| item.port.filter(|port| *port != 0).map(|port| (item, port)))
        {
            if let Some(other) = first.get(&(item.plane, port)).copied() {
                // Ours among themselves are the matter of `[listen]`.
                if item.ours && other.ours {
                    continue;
                }
                let whose = if other.ours { "ours: see `sanctum ports`" } else { "declared above" };
                let message =
                    format!("`{}` and `{}` would both listen on port {port}", other.name, item.name);
                let hint = format!("give one of them another port (`{}` is {whose})", other.name);
                faults.push(fault(Level::Error, "port", item, &["port"], message, hint));
                continue;
            }
            let across = if item.plane == Plane::Host { Plane::Guest } else { Plane::Host };
            if let Some(other) = first.get(&(across, port)) {
                let message = format!("`{}` on the other side of the bridge has port {port} too", other.name);
                let hint = "it works as long as the guest's port is not forwarded to this machine".to_owned();
                faults.push(fault(Level::Warning, "port-across", item, &["port"], message, hint));
            }
            first.insert((item.plane, port), item);
        }
        faults
    }

    fn requirements(&self, item: &Item) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (key, at, name) in edges(item) {
            let place = at.to_string();
            if name == item.name {
                let message = format!("`{name}` cannot wait for itself");
                faults.push(fault(
                    Level::Error,
                    "cycle",
                    item,
                    &[key, &place],
                    message,
                    "remove it".to_owned(),
                ));
            } else if !self.by_name.contains_key(name) {
                let message = format!("no service is called `{name}`");
                faults.push(fault(Level::Error, "unknown", item, &[key, &place], message, self.near(name)));
            }
        }
        let both = item.wants.iter().enumerate().filter(|(_, name)| item.requires.contains(name));
        faults.extend(both.map(|(at, name)| {
            let message = format!("`{name}` is required already");
            fault(
                Level::Warning,
                "twice",
                item,
                &["wants", &at.to_string()],
                message,
                "remove it from `wants`".to_owned(),
            )
        }));
        let weaker = item
            .requires
            .iter()
            .enumerate()
            .filter_map(|(at, name)| Some((at, self.by_name.get(name.as_str())?)));
        faults.extend(
            weaker
                .filter(|(_, below)| {
                    item.tier == Tier::Critical && below.tier == Tier::Ordinary && !below.ours
                })
                .map(|(at, below)| {
                    let message = format!(
                        "critical `{}` leans on `{}`, which is ordinary: it is looked at every 5 min only",
                        item.name, below.name
                    );
                    let hint = format!("set `criticality = \"critical\"` in `[service.{}]`", below.name);
                    fault(Level::Warning, "weaker", item, &["requires", &at.to_string()], message, hint)
                }),
        );
        faults
    }

    /// The name that may have been meant, or all there are.
    fn near(&self, name: &str) -> String {
        if let Some(item) = self.inventory.0.iter().find(|item| item.house_name.eq_ignore_ascii_case(name)) {
            return format!("write `{}`: house names are not keys", item.name);
        }
        match meant(name, self.by_name.keys().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("the services are {}", listed(self.by_name.keys().copied())),
        }
    }

    fn heal(item: &Item, recipes: Option<&[&str]>) -> Vec<Fault> {
        let say = |(at, word): (usize, &String)| {
            let place = at.to_string();
            let keys = ["heal", &place];
            if let Some(id) = recipe(word) {
                let known = recipes.filter(|known| !known.contains(&id))?;
                let hint = match meant(id, known.iter().copied()) {
                    Some(other) => format!(
                        "did you mean `recipe:{other}`? The recipes are {}",
                        listed(known.iter().copied())
                    ),
                    None => format!("the recipes are {}", listed(known.iter().copied())),
                };
                let message = format!("there is no recipe `{id}`");
                return Some(fault(Level::Error, "recipe", item, &keys, message, hint));
            }
            if word != "restart" {
                let hint = if recipes.is_some_and(|known| known.contains(&word.as_str())) {
                    format!("write `recipe:{word}`")
                } else {
                    "`restart`, or `recipe:ID` (`sanctum heal` lists the recipes)".to_owned()
                };
                let message = format!("`{word}` is nothing that can be tried");
                return Some(fault(Level::Error, "heal", item, &keys, message, hint));
            }
            let hint = "give it a `run.command`, or a recipe that knows how to restart it".to_owned();
            (!item.supervised && !item.ours).then(|| {
                fault(
                    Level::Warning,
                    "restart",
                    item,
                    &keys,
                    "the supervisor does not run it, so it cannot restart it".to_owned(),
                    hint,
                )
            })
        };
        item.heal.iter().enumerate().filter_map(say).collect()
    }

    /// A call across the bridge where a service on this side does the job.
    fn bridge(&self, item: &Item) -> Vec<Fault> {
        let across = edges(item)
            .filter(|(key, ..)| *key != "after")
            .filter_map(|(key, at, name)| Some((key, at, *self.by_name.get(name)?)));
        let say = |(key, at, far): (&'static str, usize, &Item)| {
            let near =
                self.inventory.0.iter().find(|near| {
                    near.plane == item.plane && near.name != item.name && job(near) == job(far)
                })?;
            let message = format!(
                "`{}` asks `{}` across the bridge, and `{}` does the same job on its own side",
                item.name, far.name, near.name
            );
            let hint = format!("require `{}` instead", near.name);
            Some(fault(Level::Warning, "bridge", item, &[key, &at.to_string()], message, hint))
        };
        across.filter(|(_, _, far)| far.plane != item.plane).filter_map(say).collect()
    }

    /// What nobody would look at, and what nobody could run.
    fn care(item: &Item) -> Vec<Fault> {
        let mut faults = Vec::new();
        if item.ours {
            return faults;
        }
        let mut say = |rule, keys: &[&str], message: &str, hint: &str| {
            faults.push(fault(Level::Warning, rule, item, keys, message.to_owned(), hint.to_owned()));
        };
        if item.check.is_empty() && item.tier == Tier::Critical {
            say(
                "unchecked",
                &[],
                "it is critical and nothing looks whether it works",
                "add a check, such as `check.web = { http = { url = \"…\" } }`",
            );
        } else if item.check.is_empty() && !item.supervised {
            say(
                "unchecked",
                &[],
                "nobody runs it and nothing looks whether it works",
                "add a check, or a `run.command`",
            );
        }
        if item.kind == Kind::Scheduled && !item.supervised && item.check.is_empty() {
            say(
                "schedule",
                &["kind"],
                "nobody runs it at any time",
                "add `run.command` and `run.schedule`, or a check of what it leaves behind",
            );
        }
        faults
    }

    /// Every cycle, with its path, said of its first foreign member.
    fn cycles(&self) -> Vec<Fault> {
        cycles(self.inventory)
            .iter()
            .filter_map(|cycle| {
                let at = cycle
                    .iter()
                    .enumerate()
                    .filter(|(_, name)| self.by_name.get(**name).is_some_and(|item| !item.ours))
                    .min_by_key(|(_, name)| **name)?
                    .0;
                let turned: Vec<&str> =
                    cycle.iter().cycle().skip(at).take(cycle.len() + 1).copied().collect();
                let (item, next) = (self.by_name.get(turned.first()?)?, *turned.get(1)?);
                let (key, place, _) = edges(item).find(|(_, _, name)| *name == next)?;
                let message = format!("these wait for each other for ever: {}", turned.join(" → "));
                let hint = format!("take `{next}` out of `{key}`, or break the circle elsewhere");
                Some(fault(Level::Error, "cycle", item, &[key, &place.to_string()], message, hint))
            })
            .collect()
    }
}

/// The job of a service: as declared, or its name without the word of its side.
fn job(item: &Item) -> &str {
    item.does.as_deref().unwrap_or_else(|| {
        let name = item.name.as_str();
        let bare = ["-guest", "-host", "-outside", "-vm"].iter().find_map(|end| name.strip_suffix(end));
        bare.or_else(|| ["guest-", "host-", "vm-"].iter().find_map(|start| name.strip_prefix(start)))
            .unwrap_or(name)
    })
}

/// Circles of services that wait for each other, longer than one, each once; none is missed as long as there is any.
pub fn cycles(inventory: &Inventory) -> Vec<Vec<&str>> {
    let mut left: BTreeMap<&str, Vec<&str>> = inventory
        .0
        .iter()
        .map(|item| {
            let below = edges(item)
                .map(|(_, _, name)| name)
                .filter(|name| *name != item.name && inventory.get(name).is_some());
            (item.name.as_str(), below.collect())
        })
        .collect();
    // What waits for nothing that is left can start; who remains waits for a circle, or is in one.
    loop {
        let ready: Vec<&str> = left
            .iter()
            .filter(|(_, below)| !below.iter().any(|name| left.contains_key(name)))
            .map(|(name, _)| *name)
            .collect();
        if ready.is_empty() {
            break;
        }
        for name in ready {
            left.remove(name);
        }
    }
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for start in left.keys() {
        let mut walk: Vec<&str> = Vec::new();
        let mut at = *start;
        while seen.insert(at) {
            walk.push(at);
            let next = left.get(at).and_then(|below| below.iter().find(|name| left.contains_key(**name)));
            at = next.copied().unwrap_or(at);
        }
        if let Some(from) = walk.iter().position(|name| *name == at) {
            found.push(walk.split_off(from));
        }
    }
    found
}

/// The one of `known` that was probably meant.
fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (away, best) = known.map(|known| (distance(name, known), known)).min()?;
    (away <= 2.max(name.chars().count() / 3)).then_some(best)
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How many letters differ (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((right, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let before = next.last().copied().unwrap_or(0);
            next.push((diagonal + usize::from(left != *right)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
