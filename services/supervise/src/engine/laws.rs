//! Laws of the engine, over random graphs and random failures in time that is handed in.

use super::tests::*;
use super::*;
use proptest::prelude::*;
use std::collections::BinaryHeap;

/// A house in virtual time: every process takes a while to be ready and to end, some crash on the way.
struct World {
    engine: Engine,
    bonds: Vec<Vec<(usize, Bond)>>,
    /// Who has ever been ready.
    seen: Vec<bool>,
    slow: Vec<u64>,
    crashes: Vec<u32>,
    now: Duration,
    queue: BinaryHeap<std::cmp::Reverse<(Duration, u64)>>,
    events: Vec<Option<Event>>,
    violations: usize,
}

impl World {
    fn new(bonds: &[Vec<(usize, Bond)>], slow: Vec<u64>, crashes: Vec<u32>) -> Self {
        let rules = Rules { failures: 1000, start_timeout: secs(1_000_000), ..rules() };
        let members = bonds.iter().map(|bonds| (member(bonds.clone()), Past::default())).collect();
        let engine = Engine::new(members, rules, 7, Duration::ZERO);
        let (queue, events) = (BinaryHeap::new(), Vec::new());
        Self {
            engine,
            bonds: bonds.to_vec(),
            seen: vec![false; bonds.len()],
            slow,
            crashes,
            now: Duration::ZERO,
            queue,
            events,
            violations: 0,
        }
    }

    fn later(&mut self, delay: Duration, event: Event) {
        self.events.push(Some(event));
        self.queue.push(std::cmp::Reverse((self.now + delay, self.events.len() as u64 - 1)));
    }

    fn feed(&mut self, event: Event) {
        if let Event::Ready { unit, .. } = event {
            self.seen[unit] = true;
        }
        for command in self.engine.handle(event, self.now) {
            self.obey(&command);
        }
    }

    fn obey(&mut self, command: &Command) {
        match *command {
            Command::Spawn { unit, run } => {
                let is_ready = |at: usize| self.engine.unit(at).unwrap().phase == Phase::Ready;
                let unmet = self.bonds[unit].iter().any(|&(other, bond)| match bond {
                    Bond::Needs | Bond::Requires => !is_ready(other),
                    Bond::After => !self.seen[other],
                    Bond::Wants => !is_ready(other) && self.engine.coming()[other],
                });
                self.violations += usize::from(unmet);
                let delay = Duration::from_millis(self.slow[unit]);
                if self.crashes[unit] > 0 {
                    self.crashes[unit] -= 1;
                    self.later(delay / 2, exited(unit, run));
                } else {
                    self.later(delay, Event::Ready { unit, run });
                }
            }
            Command::Terminate { unit, run } => {
                let leaving = self.engine.leaving;
                let holds =
                    |&(other, bond): &(usize, Bond)| other == unit && (leaving || bond == Bond::Requires);
                let held = (0..self.bonds.len())
                    .any(|by| self.bonds[by].iter().any(holds) && self.engine.unit(by).unwrap().alive);
                self.violations += usize::from(held);
                self.later(Duration::from_millis(self.slow[unit]), exited(unit, run));
            }
            Command::After { unit, run, timer, delay } => {
                self.later(delay, Event::Timer { unit, run, timer });
            }
            _ => {}
        }
    }

    /// Kills what runs of `unit`.
    fn kill(&mut self, unit: usize) {
        let state = self.engine.unit(unit).unwrap();
        if state.alive {
            let run = state.run;
            self.feed(Event::Exited { unit, run, exit: Exit::Signal(9) });
        }
    }

    fn until(&mut self, done: impl Fn(&Engine) -> bool) {
        while !done(&self.engine) {
            let std::cmp::Reverse((at, number)) = self.queue.pop().expect("something is left to happen");
            self.now = at;
            let event = self.events[usize::try_from(number).unwrap()].take().unwrap();
            self.feed(event);
        }
    }
}

/// The longest way through the graph, in milliseconds.
fn critical_path(needs: &[Vec<(usize, Bond)>], slow: &[u64]) -> u64 {
    let mut ends = vec![0; needs.len()];
    for at in 0..needs.len() {
        ends[at] = slow[at] + needs[at].iter().map(|&(need, _)| ends[need]).max().unwrap_or(0);
    }
    ends.into_iter().max().unwrap_or(0)
}

/// Up to 24 units, each leaning on some of those before it, in every way.
fn graphs() -> impl Strategy<Value = Vec<Vec<(usize, Bond)>>> {
    proptest::collection::vec((any::<u32>(), any::<u64>()), 1..24).prop_map(|masks| {
        let bond = |ways: u64, other: usize| {
            [Bond::Needs, Bond::Requires, Bond::After, Bond::Wants][(ways >> (2 * other) & 3) as usize]
        };
        let pick = |(at, &(mask, ways)): (usize, &(u32, u64))| {
            (0..at).filter(|other| mask >> other & 1 == 1).map(|other| (other, bond(ways, other))).collect()
        };
        masks.iter().enumerate().map(pick).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn c1_order_is_never_violated_up_or_down_and_nothing_waits_longer_than_it_must(
        needs in graphs(),
        slow in proptest::collection::vec(1_u64..500, 24),
        crashes in proptest::collection::vec(0_u32..3, 24),
        crashing in any::<bool>(),
        kills in proptest::collection::vec(0_usize..24, 0..6),
    ) {
        let slow = slow[..needs.len()].to_vec();
        let crashes = if crashing { crashes[..needs.len()].to_vec() } else { vec![0; needs.len()] };
        let all = needs.len();
        let path = critical_path(&needs, &slow);
        let mut world = World::new(&needs, slow, crashes);
        world.feed(Event::Begin);
        world.until(|engine| (0..all).all(|at| engine.is_up(at)));
        prop_assert_eq!(world.violations, 0);
        if !crashing {
            prop_assert_eq!(world.now, Duration::from_millis(path), "as fast as the longest way through the graph");
        }
        // C4: whoever is killed, everybody is back in the end, without a word from anybody.
        for unit in kills.into_iter().filter(|&unit| unit < all) {
            world.kill(unit);
            let hard: Vec<usize> = (0..all).filter(|&by| world.bonds[by].contains(&(unit, Bond::Requires))).collect();
            prop_assert!(hard.iter().all(|&by| world.engine.unit(by).unwrap().phase != Phase::Ready || world.engine.going(&world.engine.coming())[by]));
            world.until(|engine| (0..all).all(|at| engine.is_up(at)));
        }
        prop_assert_eq!(world.violations, 0);
        world.feed(Event::Down);
        world.until(Engine::is_over);
        prop_assert_eq!(world.violations, 0);
        prop_assert!((0..all).all(|at| world.engine.unit(at).unwrap().phase == Phase::Stopped));
    }

    #[test]
    fn c3_the_breaker_agrees_with_counting(gaps in proptest::collection::vec(0_u64..400, 1..40)) {
        let times: Vec<u64> = gaps.iter().scan(0, |now, gap| { *now += gap; Some(*now) }).collect();
        let expected = (0..times.len())
            .find(|&last| times[..=last].iter().filter(|&&at| times[last] - at < 600).count() >= 5)
            .map(|last| last + 1);
        let times: Vec<_> = times.into_iter().map(secs).collect();
        prop_assert_eq!(crash_at(&times), expected);
    }
}
