//! Who leans on whom, checked once: unknown names and circles are errors that name the way.

use std::collections::BTreeMap;

use crate::Plan;
use crate::engine::Bond;

/// Bonds as positions in the list of plans.
pub(crate) type Bonds = Vec<Vec<(usize, Bond)>>;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OrderError {
    #[error("two services are called `{0}`")]
    Twice(String),
    #[error("`{service}` needs `{need}`, which is no service")]
    Unknown { service: String, need: String },
    #[error("services need each other in a circle: {}", .0.join(" → "))]
    Circle(Vec<String>),
}

/// Resolves the bonds of `plans`.
pub(crate) fn resolve<'p>(plans: impl Iterator<Item = &'p Plan> + Clone) -> Result<Bonds, OrderError> {
    let mut places = BTreeMap::new();
    for (at, plan) in plans.clone().enumerate() {
        if places.insert(plan.name.as_str(), at).is_some() {
            return Err(OrderError::Twice(plan.name.clone()));
        }
    }
    let bonds: Bonds = plans.clone().map(|plan| bonds(plan, &places)).collect::<Result<_, _>>()?;
    match circle(&bonds) {
        Some(circle) => {
            let name = |at: usize| plans.clone().nth(at).map_or_else(String::new, |plan| plan.name.clone());
            Err(OrderError::Circle(circle.into_iter().map(name).collect()))
        }
        None => Ok(bonds),
    }
}

fn bonds(plan: &Plan, places: &BTreeMap<&str, usize>) -> Result<Vec<(usize, Bond)>, OrderError> {
    let lists = [
        (&plan.requires, Bond::Requires),
        (&plan.needs, Bond::Needs),
        (&plan.after, Bond::After),
        (&plan.wants, Bond::Wants),
    ];
    let all = lists.into_iter().flat_map(|(names, bond)| names.iter().map(move |name| (name, bond)));
    all.map(|(name, bond)| {
        let unknown = || OrderError::Unknown { service: plan.name.clone(), need: name.clone() };
        places.get(name.as_str()).map(|&at| (at, bond)).ok_or_else(unknown)
    })
    .collect()
}

/// A circle, its first member repeated at the end.
fn circle(bonds: &Bonds) -> Option<Vec<usize>> {
    let mut done = vec![false; bonds.len()];
    (0..bonds.len()).find_map(|start| walk(start, bonds, &mut done, &mut Vec::new()))
}

fn walk(at: usize, bonds: &Bonds, done: &mut [bool], way: &mut Vec<usize>) -> Option<Vec<usize>> {
    if let Some(first) = way.iter().position(|&before| before == at) {
        return Some(way.iter().skip(first).copied().chain([at]).collect());
    }
    if done.get(at).copied().unwrap_or(true) {
        return None;
    }
    way.push(at);
    let found = bonds.get(at)?.iter().find_map(|&(other, _)| walk(other, bonds, done, way));
    way.pop();
    if let Some(done) = done.get_mut(at) {
        *done = true;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_way() {
        let say = |list: &[(&str, &[&str])]| {
            let plan = |(name, needs): &(&str, &[&str])| Plan {
                needs: needs.iter().map(|&need| need.to_owned()).collect(),
                ..Plan::new(name, "true")
            };
            let plans: Vec<Plan> = list.iter().map(plan).collect();
            resolve(plans.iter()).map_err(|error| error.to_string())
        };
        assert_eq!(say(&[("a", &[]), ("b", &["a"])]), Ok(vec![vec![], vec![(0, Bond::Needs)]]));
        assert_eq!(say(&[("a", &["x"])]), Err("`a` needs `x`, which is no service".to_owned()));
        assert_eq!(say(&[("a", &[]), ("a", &[])]), Err("two services are called `a`".to_owned()));
        let circle = say(&[("z", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])]);
        assert_eq!(circle, Err("services need each other in a circle: a → b → c → a".to_owned()));
        assert_eq!(say(&[("a", &["a"])]), Err("services need each other in a circle: a → a".to_owned()));
    }
}
