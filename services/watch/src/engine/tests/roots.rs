//! W4: roots are the failing services with no failing requirement, each has exactly one incident, whatever the graph and the order.

use proptest::prelude::*;

use super::*;
use crate::sim::Chance;
use sanctum_probe::Finding;

/// What a check of each service finds.
fn finding(chance: &mut Chance) -> Finding {
    match chance.below(10) {
        0..=4 => Finding::Pass,
        5..=7 => Finding::Fail,
        8 => Finding::Drift,
        _ => Finding::Unknown,
    }
}

fn members(chance: &mut Chance, count: usize, density: usize) -> Vec<Member> {
    let member = |at: usize| {
        let requires: Vec<usize> =
            (0..chance.below(density + 1)).filter(|_| at > 0).map(|_| chance.below(at)).collect();
        let mut member = House::service(&format!("s{at}"), Tier::Critical, &requires);
        member.checks.truncate(1);
        member.checks[0].fails = 1;
        member.ladder.clear();
        member
    };
    (0..count).map(member).collect()
}

/// By the definition, without cleverness: every way up through failing and unknown services is walked.
fn brute(members: &[Member], down: &[bool], unknown: &[bool], at: usize, roots: &mut Vec<usize>) -> bool {
    let mut explained = false;
    for &on in &members[at].requires {
        if down[on] {
            explained = true;
            if !brute(members, down, unknown, on, roots) && !roots.contains(&on) {
                roots.push(on);
            }
        } else if unknown[on] {
            explained |= brute(members, down, unknown, on, roots);
        }
    }
    explained
}

/// Answers everything that is asked, until nothing is, and lets time pass.
fn settle(engine: &mut Engine, truth: &[Finding], first: Vec<Event>) -> Vec<Command> {
    let (mut now, mut said) = (secs(1), Vec::new());
    let answer = |node: usize| Event::Answered {
        node,
        check: 0,
        answer: Answer { finding: truth[node], detail: "seen".to_owned(), took: Duration::ZERO, value: None },
    };
    let mut events = first;
    for _ in 0..150 {
        let mut asked = Vec::new();
        for event in std::mem::take(&mut events) {
            let commands = engine.handle(event, now);
            for command in &commands {
                match command {
                    Command::Ask { node, .. } if !asked.contains(node) => asked.push(*node),
                    Command::LookAround => events.push(Event::Sees),
                    _ => {}
                }
            }
            said.extend(commands);
        }
        now += Duration::from_millis(700);
        events.extend(asked.into_iter().map(answer));
        events.push(Event::Timer(Timer { serial: 0 }));
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn w4_roots_are_those_of_the_definition(seed in any::<u64>(), count in 1_usize..=60, density in 0_usize..5) {
        let mut chance = Chance::new(seed);
        let members = members(&mut chance, count, density);
        let truth: Vec<Finding> = (0..count).map(|_| finding(&mut chance)).collect();
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, chance.below(at + 1));
        }
        let mut engine = Engine::new(members.clone(), Rules::default(), Outcomes::default(), seed);
        let first = order.iter().map(|&node| Event::Answered {
            node,
            check: 0,
            answer: Answer { finding: truth[node], detail: "seen".to_owned(), took: Duration::ZERO, value: None },
        });
        let said = settle(&mut engine, &truth, first.collect());
        // What stands behind too many failures is itself suspected; the definition is about what is believed.
        let state = |at: usize| engine.node(at).unwrap().state;
        let down: Vec<bool> = (0..count).map(|at| matches!(state(at), State::Failed | State::Blocked)).collect();
        let unknown: Vec<bool> = (0..count).map(|at| state(at) == State::Unknown).collect();
        let mut all = Vec::new();
        for at in 0..count {
            prop_assert!(down[at] == (truth[at] == Finding::Fail) || engine.node(at).unwrap().suspect);
            let mut roots = Vec::new();
            let explained = down[at] && brute(&members, &down, &unknown, at, &mut roots);
            if down[at] && !explained {
                roots.push(at);
                all.push(at);
            }
            roots.sort_unstable();
            prop_assert_eq!(&engine.node(at).unwrap().roots, &roots, "of {}", at);
            let chain = engine.chain(at);
            prop_assert_eq!(chain.last().copied(), roots.iter().copied().find(|root| chain.last() == Some(root)));
        }
        let mut named: Vec<usize> = engine.open().map(|incident| incident.root).collect();
        named.sort_unstable();
        prop_assert_eq!(named, all, "one incident for each root, none for a symptom");
        let opened = said.iter().filter(|command| matches!(command, Command::Incident { what: Turn::Opened, .. }));
        let opened = opened.count();
        prop_assert!(engine.open().all(|incident| incident.id <= opened as u64));
        prop_assert_eq!(opened, engine.open().count(), "none was opened that is not a root now");
        for incident in engine.open() {
            let behind = (0..count).filter(|&at| at != incident.root && engine.node(at).unwrap().roots.contains(&incident.root));
            let mut symptoms = incident.symptoms.clone();
            symptoms.sort_unstable();
            prop_assert_eq!(symptoms, behind.collect::<Vec<_>>(), "every symptom of {}", incident.root);
        }
    }

    #[test]
    fn w5_w6_w7_hold_in_a_house_to_which_everything_happens(seed in any::<u64>()) {
        let mut chance = Chance::new(seed);
        let mut house = House::generate(&mut chance);
        for _ in 0..chance.within(1, 6) {
            let from = mins(2) + chance.time(Duration::ZERO, mins(30));
            let mut fault = house.some_fault(&mut chance, from);
            if fault.trouble == Trouble::Crash && chance.happens(0.3) {
                fault.trouble = if chance.happens(0.5) { Trouble::Flap } else { Trouble::Drift };
                fault.cure = Cure::Time(mins(20));
            }
            house.faults.push(fault);
        }
        let count = house.members.len();
        let mut world = World::new(house, Rules::default(), seed);
        (world.noise, world.clumsy) = (0.02, 0.1);
        for index in 0..world.house.faults.len() {
            world.schedule(index);
        }
        for _ in 0..chance.below(6) {
            let at = mins(1) + chance.time(Duration::ZERO, mins(40));
            let node = chance.below(count);
            let length = chance.time(secs(5), mins(15));
            match chance.below(8) {
                0 => world.restart(at),
                1 => world.darken(at, length),
                2 => world.say(at, Event::Held { node: Some(node), until: Some(at + length) }),
                3 => world.say(at, Event::Held { node: None, until: Some(at + length) }),
                4 => world.say(at, Event::Locked { node, locked: true }),
                5 => world.say(at, Event::Attention { word: "recording".to_owned(), until: Some(at + length) }),
                6 => world.say(at, Event::Retry { incident: 1 + chance.below(4) as u64 }),
                _ => world.say(at, Event::Started { node }),
            }
        }
        let lived = world.run(mins(60));
        prop_assert!(lived.is_ok(), "seed {}: {:?}", seed, lived);
    }
}
