//! Every rule of the engine, in virtual time.

mod ladder;
mod model;
mod named;
mod roots;

use super::*;
use crate::sim::{Cure, Fault, House, Noted, Trouble, World};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn mins(mins: u64) -> Duration {
    secs(mins * 60)
}

/// Critical services, each with what it requires.
fn house(requires: &[&[usize]]) -> House {
    let member =
        |(at, requires): (usize, &&[usize])| House::service(&format!("s{at}"), Tier::Critical, requires);
    House::new(requires.iter().enumerate().map(member).collect())
}

fn fault(at: usize, trouble: Trouble, cure: Cure, from: Duration) -> Fault {
    Fault { at, trouble, cure, from, until: None }
}

/// A person who never comes.
const NEVER: Cure = Cure::Person(mins(100_000));

fn world(mut house: House, faults: Vec<Fault>) -> World {
    house.faults = faults;
    let mut world = World::new(house, Rules::default(), 7);
    for index in 0..world.house.faults.len() {
        world.schedule(index);
    }
    world
}

/// What happened to the incidents: when, which, its root, what.
fn told(world: &World) -> Vec<(u64, u64, usize, Turn)> {
    let line = |(at, noted): &(Instant, Noted)| match noted {
        Noted::Incident { id, root, what } if *what != Turn::Changed => {
            Some((at.as_secs(), *id, *root, *what))
        }
        _ => None,
    };
    world.noted.iter().filter_map(line).collect()
}

fn opened(world: &World) -> Vec<usize> {
    let line = |(_, _, root, what): (u64, u64, usize, Turn)| (what == Turn::Opened).then_some(root);
    told(world).into_iter().filter_map(line).collect()
}

fn steps(world: &World) -> Vec<(u64, usize, Action)> {
    let line = |(at, noted): &(Instant, Noted)| match noted {
        Noted::Restarted { node, action, .. } => Some((at.as_secs(), *node, action.clone())),
        _ => None,
    };
    world.noted.iter().filter_map(line).collect()
}

fn state(world: &World, at: usize) -> State {
    world.engine.node(at).unwrap().state
}
