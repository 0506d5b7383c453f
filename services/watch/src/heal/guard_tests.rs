//! Laws of the guards.

use proptest::prelude::*;

use super::*;

const HOUR: u64 = 3600;

prop_compose! {
    fn known()(cool in 0_u64..7200, dry in 0_u8..3, severity in 0_u8..4, off in any::<bool>()) -> Known {
        let dry_run = [DryRun::First, DryRun::Never, DryRun::Always][usize::from(dry)];
        let severity = Severity::ALL[usize::from(severity)];
        Known { cool_down: Duration::from_secs(cool), dry_run, severity, off }
    }
}

prop_compose! {
    fn facts()(
        killed in proptest::option::of("[a-z ]{0,8}"), forbidden in proptest::option::of("[a-z]{1,8}"),
        in_flight in any::<bool>(), fired in proptest::option::of(0_u64..10_000),
        seen in proptest::option::of(0_u64..60 * HOUR), known in proptest::option::of(known()),
        fires in 0_u32..8, budget in 0_u32..8, by in 0_u8..3,
    ) -> Facts {
        let by = [By::House, By::Person("ava".to_owned()), By::Notice][usize::from(by)].clone();
        let secs = Duration::from_secs;
        Facts {
            killed, forbidden, in_flight, fired: fired.map(secs), seen: seen.map(secs),
            promote_within: secs(24 * HOUR), known, fires, budget, by,
        }
    }
}

/// Everything lets it pass.
fn open() -> Facts {
    let known = Known {
        cool_down: Duration::from_mins(5),
        dry_run: DryRun::First,
        severity: Severity::Medium,
        off: false,
    };
    Facts {
        killed: None,
        forbidden: None,
        in_flight: false,
        fired: None,
        seen: Some(Duration::from_hours(1)),
        promote_within: Duration::from_hours(24),
        known: Some(known),
        fires: 0,
        budget: 10,
        by: By::House,
    }
}

#[test]
fn each_guard_refuses_with_words_of_its_own_and_the_earlier_one_speaks_first() {
    assert_eq!(decide(&open()), Decision::Act);
    let mut facts = open();
    let known = facts.known.unwrap();
    let mut said = Vec::new();
    let mut step = |facts: &Facts| match decide(facts) {
        Decision::Refuse(guard, why) => said.push((guard, why)),
        other => panic!("{other:?}"),
    };
    facts.fires = 10;
    step(&facts);
    facts.known = Some(Known { off: true, ..known });
    step(&facts);
    facts.fired = Some(Duration::from_mins(1));
    step(&facts);
    facts.forbidden = Some("`../x` leads out of the scripts".to_owned());
    step(&facts);
    facts.killed = Some("holiday".to_owned());
    step(&facts);
    let guards: Vec<Guard> = said.iter().map(|(guard, _)| *guard).collect();
    let mut order = guards.clone();
    order.sort();
    order.reverse();
    assert_eq!(guards, order, "the last one added here is the first one asked");
    assert!(said[4].1.contains("(holiday)") && said[4].1.contains("sanctum heal on"), "{}", said[4].1);
    assert!(said[2].1.contains("used 60 s ago; 240 s are left"), "{}", said[2].1);
    let texts: std::collections::BTreeSet<_> = said.iter().map(|(_, why)| why).collect();
    assert_eq!(texts.len(), said.len());
}

#[test]
fn the_first_sighting_rehearses_and_the_next_within_a_day_acts() {
    let mut facts = open();
    facts.seen = None;
    assert!(matches!(decide(&facts), Decision::Rehearse(_)));
    facts.seen = Some(Duration::from_hours(24));
    assert_eq!(decide(&facts), Decision::Act);
    facts.seen = Some(Duration::from_secs(24 * HOUR + 1));
    assert!(matches!(decide(&facts), Decision::Rehearse(_)), "that was yesterday");
    facts.by = By::Person("ava".to_owned());
    assert_eq!(decide(&facts), Decision::Act, "a person knows what they say");
}

proptest! {
    #[test]
    fn whatever_is_known_the_first_guard_in_the_order_that_objects_is_the_one_that_speaks(facts in facts()) {
        let first = Guard::ALL.into_iter().filter(|guard| *guard != Guard::Promotion)
            .find_map(|guard| guard.stops(&facts).map(|why| Decision::Refuse(guard, why)));
        let rehearsal = Guard::Promotion.stops(&facts).map(Decision::Rehearse);
        prop_assert_eq!(decide(&facts), first.or(rehearsal).unwrap_or(Decision::Act));
    }

    #[test]
    fn nothing_acts_while_the_switch_is_off_or_a_pause_lasts_or_it_is_at_work_or_unknown(facts in facts()) {
        if decide(&facts) == Decision::Act {
            let known = facts.known.unwrap();
            prop_assert!(facts.killed.is_none() && facts.forbidden.is_none() && !facts.in_flight && !known.off);
            prop_assert!(facts.fired.is_none_or(|fired| fired >= known.cool_down));
            prop_assert!(known.dry_run != DryRun::Always);
            let person = matches!(facts.by, By::Person(_));
            prop_assert!(person || (known.severity != Severity::Critical && facts.fires < facts.budget));
        }
    }

    #[test]
    fn words_never_act_at_first_sight(mut facts in facts()) {
        facts.by = By::Notice;
        facts.seen = None;
        prop_assert_ne!(decide(&facts), Decision::Act);
    }

    #[test]
    fn one_objection_more_never_lets_more_pass(facts in facts(), which in 0_u8..4) {
        let mut more = facts.clone();
        match which {
            0 => more.killed = Some(String::new()),
            1 => more.forbidden = Some("no".to_owned()),
            2 => more.in_flight = true,
            _ => more.known = None,
        }
        prop_assert!(matches!(decide(&more), Decision::Refuse(..)));
    }
}
