//! W5, W6 and W8 in the words of those who were woken: each case is a complaint about another watch.

use super::*;

/// W5, LibreNMS #20359: the alerts of a suppressed child were spent while nobody could hear them.
#[test]
fn w5_librenms_20359_what_is_suppressed_spends_no_budget() {
    let faults = vec![
        fault(0, Trouble::Crash, Cure::Time(mins(90)), mins(5)),
        fault(1, Trouble::Crash, Cure::Restart, mins(6)),
    ];
    let mut house = house(&[&[], &[0]]);
    house.members[0].ladder.truncate(2);
    let mut world = world(house, faults);
    world.run(mins(94)).unwrap();
    assert_eq!(opened(&world), [0], "the child is a symptom, for an hour and a half");
    assert!(world.engine.node(1).unwrap().spent.is_empty());
    assert!(steps(&world).iter().all(|(_, node, _)| *node == 0));
    assert!(world.probes > 500, "and it is looked at all the time");
    world.run(mins(110)).unwrap();
    assert_eq!(opened(&world), [0, 1]);
    assert_eq!(state(&world, 1), State::Healthy, "its whole ladder was left");
    assert_eq!(world.engine.open().count(), 0);
}

/// W5, naemon #446: a recovery was swallowed because its parent was down.
#[test]
fn w5_naemon_446_a_recovery_is_told_while_the_parent_is_down() {
    let mut house = house(&[&[], &[0]]);
    house.copes = vec![false, true];
    let faults = vec![
        fault(1, Trouble::Crash, Cure::Time(mins(30)), mins(5)),
        fault(0, Trouble::Crash, NEVER, mins(20)),
    ];
    let mut world = world(house, faults);
    world.run(mins(60)).unwrap();
    let told = told(&world);
    assert!(told.iter().any(|(_, _, root, what)| (*root, *what) == (1, Turn::Escalated)), "{told:?}");
    assert!(
        told.iter().any(|(at, _, root, what)| (*root, *what) == (1, Turn::Resolved) && *at < 36 * 60),
        "{told:?}"
    );
    assert_eq!(state(&world, 0), State::Blocked);
}

/// W5, Alertmanager #226 and #2754: the end of what was silenced was never told.
#[test]
fn w5_alertmanager_226_an_end_is_told_during_a_hold() {
    let mut world = world(house(&[&[]]), vec![fault(0, Trouble::Crash, Cure::Time(mins(20)), mins(5))]);
    world.say(mins(15), Event::Held { node: Some(0), until: Some(mins(120)) });
    world.run(mins(40)).unwrap();
    assert_eq!(told(&world).last().map(|(_, _, root, what)| (*root, *what)), Some((0, Turn::Resolved)));
}

/// W6, Icinga #5208, #4689 and #8506: the children of a parent that came back were told of before they were looked at.
#[test]
fn w6_icinga_8506_children_come_back_unheard() {
    let requires: Vec<&[usize]> = vec![&[], &[0], &[0], &[0], &[1, 2], &[4]];
    let mut world = world(house(&requires), vec![fault(0, Trouble::Crash, Cure::Time(mins(40)), mins(5))]);
    world.run(mins(60)).unwrap();
    assert_eq!(opened(&world), [0]);
    assert!((1..6).all(|at| state(&world, at) == State::Healthy));
    assert!(steps(&world).iter().all(|(_, node, _)| *node == 0), "and none of them was touched");
}

/// W6: what is still down when its grace is over has its own incident.
#[test]
fn w6_what_does_not_come_back_has_its_own_incident() {
    let faults = vec![
        fault(0, Trouble::Crash, Cure::Time(mins(20)), mins(5)),
        fault(1, Trouble::Crash, NEVER, mins(5) + secs(2)),
    ];
    let mut world = world(house(&[&[], &[0], &[0]]), faults);
    world.run(mins(60)).unwrap();
    let told = told(&world);
    let back = told.iter().find(|(_, _, root, what)| (*root, *what) == (0, Turn::Resolved)).unwrap().0 - 10;
    let own = told.iter().find(|(_, _, root, what)| (*root, *what) == (1, Turn::Opened)).unwrap().0;
    assert!(own >= back + 28 && own <= back + 45, "after the grace, not long after: {told:?}");
    assert_eq!(opened(&world), [0, 1]);
}

/// simplemonitor#786: a child that was down before its parent lost its own alert.
#[test]
fn simplemonitor_786_a_child_that_was_down_before_keeps_its_incident() {
    let faults = vec![
        fault(1, Trouble::Crash, NEVER, mins(5)),
        fault(0, Trouble::Crash, Cure::Time(mins(20)), mins(15)),
    ];
    let mut world = world(house(&[&[], &[0]]), faults);
    world.run(mins(25)).unwrap();
    let open: Vec<usize> = world.engine.open().map(|incident| incident.root).collect();
    assert_eq!(open, [1, 0], "both are open");
    world.run(mins(60)).unwrap();
    assert_eq!(opened(&world), [1, 0]);
    let open: Vec<_> = world.engine.open().map(|incident| (incident.root, incident.told)).collect();
    assert_eq!(open, [(1, true)], "and it is told of once");
}

/// Alertmanager #4064: after a restart everything that had been inhibited fired.
#[test]
fn alertmanager_4064_what_was_suppressed_stays_so_after_a_restart() {
    for at in [1, 2, 3, 5, 10, 40, 200, 900] {
        let requires: Vec<&[usize]> = vec![&[], &[0], &[0], &[1, 2]];
        let mut world = world(house(&requires), vec![fault(0, Trouble::Crash, NEVER, mins(5))]);
        world.restart(mins(5) + secs(25 + at));
        world.restart(mins(6) + secs(at));
        world.restart(mins(6) + secs(at + 1));
        world.run(mins(45)).unwrap();
        assert_eq!(opened(&world), [0], "restarted after {at} s");
        let asked = told(&world).iter().filter(|(.., what)| *what == Turn::Escalated).count();
        assert_eq!(asked, 1, "restarted after {at} s");
        assert!(steps(&world).len() <= 4, "what was tried is not tried again: {:?}", steps(&world));
    }
}

/// A child is asked before its parent, or long before, or the parent's answer takes long: nagioscore#873, icinga2#8201, #4428.
#[test]
fn the_order_of_checks_opens_nothing() {
    for (seed, trouble) in (0..20).flat_map(|seed| [(seed, Trouble::Crash), (seed, Trouble::Hang)]) {
        let mut house = house(&[&[], &[0], &[1], &[2], &[0]]);
        for question in house.members.iter_mut().take(2).flat_map(|member| &mut member.checks) {
            question.every = mins(5);
        }
        house.faults = vec![fault(0, trouble, NEVER, mins(6) + secs(seed * 7))];
        let mut world = World::new(house, Rules::default(), seed);
        world.noise = 0.01;
        world.schedule(0);
        world.run(mins(40)).unwrap();
        assert_eq!(opened(&world), [0], "seed {seed}, {trouble:?}");
    }
}

/// W8, Uptime Kuma #2400, #3417, #611: the machine's own network was gone, and everything was told.
#[test]
fn w8_own_network_gone_is_no_failure_of_anybody() {
    for seed in 0..10 {
        let mut house = house(&[&[], &[], &[0], &[], &[], &[1], &[], &[]]);
        for member in house.members.iter_mut().skip(1) {
            member.plane = Plane::Guest;
        }
        let mut world = World::new(house, Rules::default(), seed);
        world.darken(mins(7) + secs(seed), secs(60 + 30 * seed));
        world.run(mins(30)).unwrap();
        assert_eq!(told(&world), [], "seed {seed}");
        assert_eq!(steps(&world), []);
        assert!(world.engine.blind().is_none());
        assert!((0..8).all(|at| state(&world, at) == State::Healthy));
    }
}

/// W8: a machine that slept, noticed or not, and a clock that jumps a year.
#[test]
fn w8_sleep_and_a_leap_of_a_year_are_no_failure() {
    for seed in 0..10 {
        let mut world = World::new(house(&[&[], &[0], &[1], &[]]), Rules::default(), seed);
        world.noise = 0.01;
        world.sleep(mins(10) + secs(seed), mins(8 * 60), seed % 2 == 0);
        world.leap(mins(9 * 60) + secs(seed), mins(365 * 24 * 60));
        world.run(mins(10 * 60)).unwrap();
        assert_eq!(told(&world), [], "seed {seed}");
        assert!((0..4).all(|at| state(&world, at) == State::Healthy));
    }
}

/// W8: what fails while nobody can see is found afterwards.
#[test]
fn w8_what_failed_meanwhile_is_found_afterwards() {
    let mut house = house(&[&[], &[]]);
    house.members[1].plane = Plane::Guest;
    house.faults = vec![fault(1, Trouble::Crash, Cure::Restart, mins(7) + secs(30))];
    let mut world = World::new(house, Rules::default(), 3);
    world.darken(mins(7), mins(3));
    world.schedule(0);
    world.run(mins(10)).unwrap();
    assert_eq!(told(&world), []);
    world.run(mins(12)).unwrap();
    assert_eq!(opened(&world), [1]);
    assert_eq!(state(&world, 1), State::Healthy);
}
