//! Who needs whom, checked once: unknown names and cycles are errors that name the way.

use std::collections::BTreeMap;

use crate::Plan;

/// Needs as positions in the list of plans.
pub(crate) type Needs = Vec<Vec<usize>>;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OrderError {
    #[error("two services are called `{0}`")]
    Twice(String),
    #[error("`{service}` needs `{need}`, which is no service")]
    Unknown { service: String, need: String },
    #[error("services need each other in a circle: {}", .0.join(" → "))]
    Circle(Vec<String>),
}

/// Resolves the needs of `plans`.
pub(crate) fn resolve(plans: &[Plan]) -> Result<Needs, OrderError> {
    let mut places = BTreeMap::new();
    for (at, plan) in plans.iter().enumerate() {
        if places.insert(plan.name.as_str(), at).is_some() {
            return Err(OrderError::Twice(plan.name.clone()));
        }
    }
    let place = |plan: &Plan, need: &String| {
        let unknown = || OrderError::Unknown { service: plan.name.clone(), need: need.clone() };
        places.get(need.as_str()).copied().ok_or_else(unknown)
    };
    let needs: Needs = plans
        .iter()
        .map(|plan| plan.needs.iter().map(|need| place(plan, need)).collect())
        .collect::<Result<_, _>>()?;
    match circle(&needs) {
        Some(circle) => {
            let name = |at: usize| plans.get(at).map_or_else(String::new, |plan| plan.name.clone());
            Err(OrderError::Circle(circle.into_iter().map(name).collect()))
        }
        None => Ok(needs),
    }
}

/// A circle, its first member repeated at the end.
fn circle(needs: &Needs) -> Option<Vec<usize>> {
    let mut done = vec![false; needs.len()];
    (0..needs.len()).find_map(|start| walk(start, needs, &mut done, &mut Vec::new()))
}

fn walk(at: usize, needs: &Needs, done: &mut [bool], way: &mut Vec<usize>) -> Option<Vec<usize>> {
    if let Some(first) = way.iter().position(|&before| before == at) {
        return Some(way.iter().skip(first).copied().chain([at]).collect());
    }
    if done.get(at).copied().unwrap_or(true) {
        return None;
    }
    way.push(at);
    let found = needs.get(at)?.iter().find_map(|&need| walk(need, needs, done, way));
    way.pop();
    if let Some(done) = done.get_mut(at) {
        *done = true;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(list: &[(&str, &[&str])]) -> Vec<Plan> {
        let plan = |(name, needs): &(&str, &[&str])| Plan {
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
            ..Plan::new(name, "true")
        };
        list.iter().map(plan).collect()
    }

    #[test]
    fn errors_name_the_way() {
        let say = |list: &[(&str, &[&str])]| resolve(&plans(list)).map_err(|error| error.to_string());
        assert_eq!(say(&[("a", &[]), ("b", &["a"])]), Ok(vec![vec![], vec![0]]));
        assert_eq!(say(&[("a", &["x"])]), Err("`a` needs `x`, which is no service".to_owned()));
        assert_eq!(say(&[("a", &[]), ("a", &[])]), Err("two services are called `a`".to_owned()));
        let circle = say(&[("z", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])]);
        assert_eq!(circle, Err("services need each other in a circle: a → b → c → a".to_owned()));
        assert_eq!(say(&[("a", &["a"])]), Err("services need each other in a circle: a → a".to_owned()));
    }
}
