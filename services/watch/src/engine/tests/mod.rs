//! Every rule of the engine, in virtual time.

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn member(name: &str, requires: &[usize]) -> Member {
    let question = Question {
        name: "tcp".to_owned(),
        every: secs(30),
        fails: 3,
        passes: 2,
        start_within: Duration::ZERO,
    };
    Member {
        name: name.to_owned(),
        plane: Plane::Host,
        kind: Kind::Continuous,
        tier: Tier::Critical,
        requires: requires.to_vec(),
        wants: Vec::new(),
        checks: vec![question],
        ladder: vec![Action::Restart],
    }
}

fn answered(node: usize, good: bool) -> Event {
    let finding = if good { sanctum_probe::Finding::Pass } else { sanctum_probe::Finding::Fail };
    let answer = Answer { finding, detail: "x".to_owned(), took: Duration::ZERO, value: None };
    Event::Answered { node, check: 0, answer }
}

#[test]
fn a_crash_is_seen_healed_and_over() {
    let mut engine = Engine::new(vec![member("a", &[])], Rules::default(), Outcomes::default(), 1);
    engine.handle(answered(0, true), secs(1));
    assert_eq!(engine.node(0).unwrap().state, State::Healthy);
    for ms in [31_000, 31_400, 31_800] {
        engine.handle(answered(0, false), Duration::from_millis(ms));
    }
    assert_eq!(engine.node(0).unwrap().state, State::Failed);
    engine.handle(Event::Timer(Timer { serial: 0 }), secs(34));
    engine.handle(answered(0, false), secs(35));
    let incident = engine.open().next().expect("an incident");
    assert_eq!(incident.tried.len(), 1, "{incident:?}");
    engine.handle(Event::Acted { incident: 1, step: 0, outcome: Acted::Done(String::new()) }, secs(36));
    engine.handle(answered(0, true), secs(37));
    engine.handle(answered(0, true), secs(38));
    assert_eq!(engine.node(0).unwrap().state, State::Healthy);
    let commands = engine.handle(Event::Timer(Timer { serial: 0 }), secs(48));
    assert!(commands.contains(&Command::Incident { incident: 1, what: Turn::Resolved }), "{commands:?}");
    assert_eq!(engine.outcomes().iter().next().map(|known| (known.tries, known.helped)), Some((1, 1)));
}
