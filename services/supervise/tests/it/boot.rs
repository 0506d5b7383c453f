//! A whole house of real processes, in the order of a random graph.

use std::collections::BTreeMap;

use sanctum_api::supervise::Phase;
use sanctum_supervise::{Check, Plan};

use crate::house::{new, phase, sinner, stamps};

/// Pseudo-random numbers that are the same every time (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

#[tokio::test]
async fn c1_forty_real_processes_start_and_end_in_the_order_of_their_graph() {
    let mut dice = Dice(0x5eed);
    let name = |at: usize| format!("s{at:02}");
    let mut edges: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    // Five layers of eight; 256 edges from each layer to those before it.
    let mut count = 0;
    while count < 256 {
        let (from, to) = (8 + dice.below(32), dice.below(32));
        let list = edges.entry(from).or_default();
        if to / 8 < from / 8 && !list.contains(&to) {
            list.push(to);
            count += 1;
        }
    }
    let plans = (0..40).map(|at| {
        let others: Vec<String> = edges.get(&at).into_iter().flatten().map(|&to| name(to)).collect();
        let (requires, needs) = others.split_at(others.len() / 2);
        let pause = (10 + dice.below(40)).to_string();
        let plan = sinner(&name(at), &["--notify", &pause]);
        Plan { notify: true, ready: Check::Told, requires: requires.to_vec(), needs: needs.to_vec(), ..plan }
    });
    let house = new(plans.collect()).start().await;
    let mut ready = BTreeMap::new();
    for at in 0..40 {
        let state = phase(&house, &name(at), Phase::Ready).await;
        assert_eq!(state.restarts, 0);
        ready.insert(at, state.since.to_string());
    }
    let paths = house.paths().clone();
    let stopped = house.stop().await;
    let stamp = |at: usize, what: &str| -> jiff::Timestamp {
        stamps(&paths, &name(at), what).remove(0).parse().unwrap()
    };
    let mut violations = 0;
    for (&from, list) in &edges {
        for &to in list {
            let up: jiff::Timestamp = ready[&to].parse().unwrap();
            // Lines are stamped to the millisecond.
            let slack = jiff::SignedDuration::from_millis(1);
            violations += usize::from(stamp(from, "--- started") + slack < up);
            violations += usize::from(stamp(to, "--- ended") + slack < stamp(from, "--- ended"));
        }
    }
    assert_eq!((count, violations), (256, 0));
    drop(stopped);
}
