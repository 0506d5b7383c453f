//! W7 by exhaustion: every order of what can happen to three services in a row, to some depth, with every law looked at after each.

use std::collections::{HashSet, VecDeque};

use super::*;
use crate::sim::Laws;
use sanctum_probe::Finding;

/// States after which it is enough.
const STATES: usize = 20_000;

#[derive(Debug, Clone)]
struct Place {
    engine: Engine,
    laws: Laws,
    now: Duration,
    way: Vec<String>,
    flying: Option<(u64, usize)>,
}

fn rules() -> Rules {
    Rules {
        settle: secs(1),
        settle_max: secs(2),
        look_within: secs(1),
        recovery_grace: secs(2),
        linger: secs(1),
        patience: Duration::ZERO,
        start_grace: secs(1),
        act_within: secs(3),
        verify_within: secs(2),
        backoff: secs(1),
        flap_turns: 4,
        flap_confirm: secs(2),
        ..Rules::default()
    }
}

fn answered(node: usize, finding: Finding) -> Event {
    let answer = Answer { finding, detail: "seen".to_owned(), took: Duration::ZERO, value: None };
    Event::Answered { node, check: 0, answer }
}

/// Everything that can happen next.
fn next(place: &Place) -> Vec<(&'static str, Event, Duration)> {
    let now = place.now;
    let mut events = vec![
        ("a second", Event::Timer(Timer { serial: 0 }), secs(1)),
        ("hold 0", Event::Held { node: Some(0), until: Some(now + secs(2)) }, Duration::ZERO),
        (
            "blind",
            Event::Blind { since: now.saturating_sub(secs(1)), why: "gone".to_owned() },
            Duration::ZERO,
        ),
        ("sees", Event::Sees, Duration::ZERO),
        ("locked 0", Event::Locked { node: 0, locked: true }, Duration::ZERO),
        ("retry", Event::Retry { incident: 1 }, Duration::ZERO),
    ];
    for node in 0..3 {
        events.push(("good", answered(node, Finding::Pass), Duration::ZERO));
        events.push(("bad", answered(node, Finding::Fail), Duration::ZERO));
    }
    if let Some((incident, step)) = place.flying {
        let said = || "said".to_owned();
        for outcome in
            [Acted::Done(said()), Acted::Failed(said()), Acted::Rehearsed(said()), Acted::Refused(said())]
        {
            events.push(("acted", Event::Acted { incident, step, outcome }, Duration::ZERO));
        }
    }
    events
}

fn go(place: &Place, name: &str, event: Event, passes: Duration) -> Result<Place, String> {
    let mut place = place.clone();
    place.now += passes;
    place.way.push(format!("{name} {event:?}"));
    if matches!(event, Event::Retry { .. }) {
        place.laws.forgive();
    }
    if matches!(event, Event::Acted { .. }) {
        place.flying = None;
    }
    let commands = place.engine.handle(event, place.now);
    for command in &commands {
        if let Command::Act { incident, step, .. } = command {
            place.flying = Some((*incident, *step));
        }
    }
    place
        .laws
        .check(&place.engine, &commands, place.now)
        .map_err(|law| format!("{law}\n{:#?}", place.way))?;
    Ok(place)
}

#[test]
fn w7_no_order_of_events_breaks_a_law() {
    let mut house = house(&[&[], &[0], &[1]]);
    for member in &mut house.members {
        member.checks.truncate(1);
        (member.checks[0].fails, member.checks[0].passes) = (1, 1);
        member.ladder.truncate(2);
    }
    let engine = Engine::new(house.members, rules(), Outcomes::default(), 1);
    let first = Place { engine, laws: Laws::new(rules()), now: secs(10), way: Vec::new(), flying: None };
    let mut seen = HashSet::new();
    let mut queue = VecDeque::from([first]);
    let mut depth = 0;
    while let Some(place) = queue.pop_front() {
        depth = place.way.len();
        for (name, event, passes) in next(&place) {
            let there = go(&place, name, event, passes).unwrap();
            // Orders of events of one moment that end in the same are one.
            let known = format!("{:?}{:?}{:?}", there.engine.snapshot(), there.engine.blind(), there.now);
            if seen.len() < STATES && seen.insert(known) {
                queue.push_back(there);
            }
        }
    }
    assert!(seen.len() == STATES && depth >= 3, "{} states to depth {depth}", seen.len());
}
