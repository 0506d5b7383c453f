//! W7 and what goes with it: one step at a time, each once, as often as allowed, never against somebody's word.

use super::*;

fn crash(cure: Cure) -> Vec<Fault> {
    vec![fault(0, Trouble::Crash, cure, mins(5))]
}

#[test]
fn a_restart_is_verified_and_remembered() {
    let mut world = world(house(&[&[]]), crash(Cure::Restart));
    world.run(mins(10)).unwrap();
    let told: Vec<Turn> = told(&world).into_iter().map(|(.., what)| what).collect();
    assert_eq!(told, [Turn::Opened, Turn::Resolved]);
    let incident = world.engine.incident(1).unwrap();
    assert_eq!(incident.fingerprint.split('/').next(), Some("s0"));
    assert!(incident.title.starts_with("s0 does not work"), "{}", incident.title);
    assert_eq!(incident.tried.len(), 1);
    assert_eq!(incident.tried[0].helped, Some(true));
    assert!(incident.lasted().unwrap() < secs(60));
    let known: Vec<_> =
        world.engine.outcomes().iter().map(|known| (known.action, known.tries, known.helped)).collect();
    assert_eq!(known, [(Action::Restart, 1, 1)]);
}

#[test]
fn w7_each_step_once_with_growing_waits_then_a_person() {
    let mut world = world(house(&[&[]]), crash(NEVER));
    world.run(mins(60)).unwrap();
    let steps = steps(&world);
    let mend = Action::Recipe("mend".to_owned());
    let actions: Vec<&Action> = steps.iter().map(|(.., action)| action).collect();
    assert_eq!(actions, [&Action::Restart, &mend, &mend], "it rehearses once, then acts once");
    let told: Vec<Turn> = told(&world).into_iter().map(|(.., what)| what).collect();
    assert_eq!(told, [Turn::Opened, Turn::Escalated], "for an hour");
    assert_eq!(state(&world, 0), State::Blocked);
    assert!(
        world
            .engine
            .incident(1)
            .unwrap()
            .advice
            .as_ref()
            .is_some_and(|advice| advice.contains("sanctum why s0"))
    );
}

#[test]
fn what_somebody_else_brings_back_is_left_to_them_and_not_for_ever() {
    let left_to_others = |cure| {
        let mut members = house(&[&[]]).members;
        members[0].left = secs(90);
        let mut world = world(House::new(members), crash(cure));
        world.run(mins(30)).unwrap();
        world
    };
    let brought_back = left_to_others(Cure::Time(secs(70)));
    assert!(steps(&brought_back).is_empty());
    let told_of = |world: &World| told(world).into_iter().map(|(.., what)| what).collect::<Vec<Turn>>();
    assert_eq!(told_of(&brought_back), [Turn::Opened, Turn::Resolved]);
    let forgotten = left_to_others(NEVER);
    assert_eq!(told_of(&forgotten), [Turn::Opened, Turn::Escalated]);
    let first = steps(&forgotten)[0].0;
    assert!(first >= 5 * 60 + 90, "{first}");
}

#[test]
fn a_person_may_begin_anew() {
    let mut world = world(house(&[&[]]), crash(NEVER));
    world.say(mins(30), Event::Retry { incident: 1 });
    world.run(mins(60)).unwrap();
    assert_eq!(steps(&world).len(), 5, "the ladder again, and what was rehearsed acts at once");
    assert_eq!(told(&world).iter().filter(|(.., what)| *what == Turn::Escalated).count(), 1, "told once");
}

#[test]
fn nothing_is_done_or_told_during_a_hold_and_it_ends_by_itself() {
    for node in [None, Some(0)] {
        let mut world = world(house(&[&[], &[0]]), crash(NEVER));
        world.say(mins(4), Event::Held { node, until: Some(mins(20)) });
        world.run(mins(20)).unwrap();
        assert_eq!((told(&world), steps(&world)), (vec![], vec![]));
        assert_eq!(state(&world, 0), State::Failed, "but it is looked at");
        world.run(mins(25)).unwrap();
        assert_eq!(opened(&world), [0]);
        assert!(!steps(&world).is_empty());
    }
}

#[test]
fn a_hold_in_the_middle_stops_the_ladder() {
    let mut world = world(house(&[&[]]), crash(NEVER));
    world.say(mins(5) + secs(50), Event::Held { node: Some(0), until: Some(mins(30)) });
    world.run(mins(30)).unwrap();
    assert!(steps(&world).iter().all(|(at, ..)| *at <= 350), "{:?}", steps(&world));
    world.run(mins(60)).unwrap();
    assert!(steps(&world).len() >= 3, "and it goes on afterwards");
}

#[test]
fn what_the_supervisor_gave_up_is_not_restarted() {
    let mut world = world(house(&[&[]]), crash(NEVER));
    world.say(mins(5), Event::Locked { node: 0, locked: true });
    world.run(mins(20)).unwrap();
    assert!(steps(&world).iter().all(|(.., action)| matches!(action, Action::Recipe(_))));
    let incident = world.engine.open().next().unwrap();
    assert!(
        incident.told && incident.advice.as_ref().is_some_and(|advice| advice.contains("sanctum unlock s0"))
    );
    world.house.faults[0].until = Some(mins(20));
    world.say(mins(20), Event::Locked { node: 0, locked: false });
    world.run(mins(22)).unwrap();
    assert_eq!(state(&world, 0), State::Healthy);
    assert_eq!(world.engine.open().count(), 0);
}

#[test]
fn what_flaps_is_told_of_once_and_left_alone() {
    let mut world = world(house(&[&[], &[0]]), vec![fault(0, Trouble::Flap, Cure::Time(mins(60)), mins(5))]);
    world.run(mins(60)).unwrap();
    assert!(world.engine.node(0).unwrap().flapping);
    assert!(opened(&world).len() <= 3, "{:?}", told(&world));
    assert!(steps(&world).len() <= 3, "{:?}", steps(&world));
    assert!(opened(&world).iter().all(|root| *root == 0), "what requires it does not flap");
    assert!(!world.engine.node(1).unwrap().flapping);
    world.run(mins(90)).unwrap();
    assert!(!world.engine.node(0).unwrap().flapping);
    assert_eq!(world.engine.open().count(), 0);
}

#[test]
fn after_three_steps_in_half_an_hour_it_is_left_to_a_person() {
    let times = [5, 11, 17, 23];
    let faults = times.map(|at| fault(0, Trouble::Crash, Cure::Restart, mins(at))).to_vec();
    let mut world = world(house(&[&[]]), faults);
    world.run(mins(26)).unwrap();
    assert_eq!(steps(&world).len(), 3, "{:?}", steps(&world));
    let incident = world.engine.open().next().unwrap();
    assert!(incident.told && incident.tried.is_empty());
    assert!(
        incident.advice.as_ref().is_some_and(|advice| advice.contains("3 times within 30m")),
        "{incident:?}"
    );
    assert_eq!(state(&world, 0), State::Blocked);
}

#[test]
fn while_somebody_records_only_what_is_critical_is_restarted() {
    let mut house = house(&[&[], &[]]);
    house.members[0].tier = Tier::Important;
    let faults = vec![
        fault(0, Trouble::Crash, Cure::Restart, mins(5)),
        fault(1, Trouble::Crash, Cure::Restart, mins(5)),
    ];
    let mut world = world(house, faults);
    world.say(mins(4), Event::Attention { word: "recording".to_owned(), until: Some(mins(20)) });
    world.run(mins(20)).unwrap();
    assert_eq!(steps(&world).iter().map(|(_, node, _)| *node).collect::<Vec<_>>(), [1]);
    world.run(mins(25)).unwrap();
    assert_eq!(state(&world, 0), State::Healthy, "and the other one afterwards");
}

#[test]
fn while_everybody_sleeps_only_what_is_critical_wakes_them() {
    let mut house = house(&[&[], &[]]);
    house.members[0].tier = Tier::Important;
    let faults = vec![fault(0, Trouble::Crash, NEVER, mins(5)), fault(1, Trouble::Crash, NEVER, mins(5))];
    let mut world = world(house, faults);
    world.say(mins(4), Event::Attention { word: "asleep".to_owned(), until: Some(mins(60)) });
    let woken = |world: &World| -> Vec<usize> {
        let line = |(_, _, root, what): (u64, u64, usize, Turn)| (what == Turn::Escalated).then_some(root);
        told(world).into_iter().filter_map(line).collect()
    };
    world.run(mins(59)).unwrap();
    assert_eq!(woken(&world), [1]);
    world.run(mins(62)).unwrap();
    assert_eq!(woken(&world), [1, 0]);
}

#[test]
fn what_has_proved_itself_is_tried_first_and_what_never_helps_last() {
    let known = |action, tries, helped| Outcome {
        service: "s0".to_owned(),
        pattern: "tcp/connection refused".to_owned(),
        action,
        tries,
        helped,
    };
    for (action, tries, helped, first) in [
        (Action::Recipe("mend".to_owned()), 3, 2, "recipe:mend"),
        (Action::Restart, 5, 0, "recipe:mend"),
        (Action::Restart, 4, 0, "restart"),
    ] {
        let house = house(&[&[]]);
        let mut world = World::new(house.clone(), Rules::default(), 7);
        let kept: Vec<Outcome> = ["tcp", "web"]
            .iter()
            .map(|check| Outcome {
                pattern: format!("{check}/connection refused"),
                ..known(action.clone(), tries, helped)
            })
            .collect();
        world.engine = Engine::new(house.members, Rules::default(), Outcomes::new(kept), 7);
        world.house.faults = crash(NEVER);
        world.schedule(0);
        world.run(mins(30)).unwrap();
        assert_eq!(steps(&world).first().map(|(.., action)| action.word()).as_deref(), Some(first));
    }
}

#[test]
fn alive_but_wrong_is_an_incident_only_when_it_lasts_and_is_never_restarted() {
    let mut world = world(house(&[&[], &[0]]), vec![fault(0, Trouble::Drift, Cure::Time(mins(60)), mins(5))]);
    world.run(mins(14)).unwrap();
    assert_eq!((state(&world, 0), state(&world, 1)), (State::Drift, State::Healthy));
    assert_eq!(told(&world), []);
    world.run(mins(60)).unwrap();
    assert_eq!(opened(&world), [0]);
    assert!(steps(&world).iter().all(|(.., action)| matches!(action, Action::Recipe(_))));
    world.run(mins(80)).unwrap();
    assert_eq!(world.engine.open().count(), 0);
}

#[test]
fn everything_behind_a_cloud_is_the_cloud() {
    for seed in 0..20 {
        let mut members = vec![House::cloud("cloud")];
        members.extend((1..6).map(|at| House::service(&format!("s{at}"), Tier::Critical, &[0])));
        members.push(House::service("s6", Tier::Important, &[2]));
        let mut house = House::new(members);
        house.faults = vec![fault(0, Trouble::Outage, Cure::Time(mins(12)), mins(5) + secs(seed * 3))];
        let mut world = World::new(house, Rules::default(), seed);
        world.noise = 0.01;
        world.schedule(0);
        world.run(mins(15)).unwrap();
        assert_eq!(opened(&world), [0], "seed {seed}");
        assert_eq!(world.engine.chain(6), [6, 2, 0]);
        assert_eq!(world.engine.open().next().unwrap().symptoms.len(), 6);
        assert_eq!(steps(&world), [], "and nothing is restarted for it");
        world.run(mins(30)).unwrap();
        assert_eq!((opened(&world), world.engine.open().count()), (vec![0], 0), "seed {seed}");
    }
}

#[test]
fn one_behind_a_cloud_is_not_the_cloud() {
    let mut members = vec![House::cloud("cloud")];
    members.extend((1..6).map(|at| House::service(&format!("s{at}"), Tier::Critical, &[0])));
    let mut world = world(House::new(members), vec![fault(3, Trouble::Crash, Cure::Restart, mins(5))]);
    world.run(mins(15)).unwrap();
    assert_eq!(opened(&world), [3]);
    assert_eq!(state(&world, 3), State::Healthy);
}

#[test]
fn another_list_keeps_what_is_known_of_those_that_stay() {
    let mut world = world(house(&[&[], &[0], &[]]), crash(NEVER));
    world.say(mins(4), Event::Held { node: Some(2), until: Some(mins(500)) });
    world.run(mins(10)).unwrap();
    let (before, steps) = (world.engine.snapshot(), steps(&world).len());
    let mut members = vec![House::service("new", Tier::Critical, &[])];
    members.extend(world.house.members.iter().map(|member| Member {
        requires: member.requires.iter().map(|on| on + 1).collect(),
        ..member.clone()
    }));
    let commands = world.engine.revise(members, Rules::default());
    assert!(
        !commands.iter().any(|command| matches!(command, Command::Incident { .. } | Command::Act { .. }))
    );
    let incident = world.engine.open().next().unwrap();
    assert_eq!((incident.root, incident.symptoms.as_slice(), incident.tried.len()), (1, &[2][..], steps));
    assert_eq!(world.engine.node(1).unwrap().state, before.nodes[0].state);
    assert_eq!(world.engine.node(3).unwrap().hold, Some(mins(500)));
    assert_eq!(world.engine.chain(2), [2, 1]);
    let members = vec![House::service("s1", Tier::Critical, &[])];
    let commands = world.engine.revise(members, Rules::default());
    let over = |command: &Command| matches!(command, Command::Incident { what: Turn::Resolved, .. });
    assert!(commands.iter().any(over), "what is no longer declared is nobody's trouble: {commands:?}");
}

#[test]
fn a_cycle_is_named_and_does_no_harm() {
    let house = house(&[&[2], &[0], &[1], &[]]);
    assert_eq!(cycle(&house.members), Some(vec![0, 2, 1, 0]));
    let mut world = world(house, vec![fault(3, Trouble::Crash, Cure::Restart, mins(5))]);
    world.run(mins(10)).unwrap();
    assert_eq!(opened(&world), [3]);
    assert_eq!(cycle(&super::house(&[&[], &[0], &[0, 1]]).members), None);
}
