//! Every rule of the engine, in virtual time.

use super::*;

pub(super) fn rules() -> Rules {
    Rules::from(&crate::Config::default())
}

/// Who needs whom, by position.
type Needs = Vec<Vec<usize>>;

pub(super) fn member(bonds: Vec<(usize, Bond)>) -> Member {
    Member {
        bonds,
        kind: Kind::Continuous,
        grace: secs(10),
        start_within: None,
        limit: None,
        on_demand: false,
    }
}

pub(super) fn job(kind: Kind, bonds: Vec<(usize, Bond)>) -> Member {
    Member { kind, limit: Some(secs(30)), ..member(bonds) }
}

pub(super) fn of(members: Vec<Member>) -> Engine {
    Engine::new(
        members.into_iter().map(|member| (member, Past::default())).collect(),
        rules(),
        7,
        Duration::ZERO,
    )
}

pub(super) fn engine(needs: &Needs, rules: Rules) -> Engine {
    let bonds = |needs: &Vec<usize>| needs.iter().map(|&need| (need, Bond::Needs)).collect();
    let members = needs.iter().map(|needs| (member(bonds(needs)), Past::default())).collect();
    Engine::new(members, rules, 7, Duration::ZERO)
}

pub(super) fn phases(engine: &Engine) -> Vec<Phase> {
    engine.units.iter().map(|unit| unit.phase).collect()
}

/// Says that it is ready, in its present run.
pub(super) fn ready(engine: &mut Engine, unit: usize) -> Vec<Command> {
    let run = engine.unit(unit).unwrap().run;
    engine.handle(Event::Ready { unit, run }, secs(1))
}

pub(super) fn ends(engine: &mut Engine, unit: usize, exit: Exit) -> Vec<Command> {
    let run = engine.unit(unit).unwrap().run;
    engine.handle(Event::Exited { unit, run, exit }, secs(1))
}

pub(super) fn spawned(commands: &[Command]) -> Vec<usize> {
    commands
        .iter()
        .filter_map(|command| match command {
            Command::Spawn { unit, .. } => Some(*unit),
            _ => None,
        })
        .collect()
}

pub(super) fn terminated(commands: &[Command]) -> Vec<usize> {
    commands
        .iter()
        .filter_map(|command| match command {
            Command::Terminate { unit, .. } => Some(*unit),
            _ => None,
        })
        .collect()
}

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn exited(unit: usize, run: u64) -> Event {
    Event::Exited { unit, run, exit: Exit::Code(70) }
}

pub(super) fn delay_of(commands: &[Command], wanted: Timer) -> Option<Duration> {
    commands.iter().find_map(|command| match command {
        Command::After { timer, delay, .. } if *timer == wanted => Some(*delay),
        _ => None,
    })
}

pub(super) fn is_lock(command: &Command) -> bool {
    matches!(command, Command::Lock { .. })
}

/// Crashes unit 0 as soon as it runs, at these times; says at which crash it locked.
pub(super) fn crash_at(times: &[Duration]) -> Option<usize> {
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    for (count, &now) in times.iter().enumerate() {
        let run = engine.unit(0).unwrap().run;
        let commands = engine.handle(exited(0, run), now);
        if commands.iter().any(is_lock) {
            return Some(count + 1);
        }
        engine.handle(Event::Timer { unit: 0, run, timer: Timer::Retry }, now);
        assert_eq!(engine.unit(0).unwrap().run, run + 1, "it is started again");
    }
    None
}

#[test]
fn c3_the_breaker_opens_at_exactly_the_fifth_failure_within_ten_minutes() {
    assert_eq!(crash_at(&[0, 1, 2, 3, 4].map(secs)), Some(5));
    assert_eq!(crash_at(&[0, 1, 2, 3].map(secs)), None);
    assert_eq!(crash_at(&[0, 150, 300, 450, 599].map(secs)), Some(5), "one second inside the window");
    assert_eq!(crash_at(&[0, 150, 300, 450, 600].map(secs)), None, "the first one is forgotten");
    assert_eq!(crash_at(&[0, 150, 300, 450, 600, 601].map(secs)), Some(6));
    let slow: Vec<_> = (0..1000).map(|n| secs(n * 150)).collect();
    assert_eq!(crash_at(&slow), None, "four in ten minutes for ever is not five");
}

#[test]
fn c2_waits_double_with_jitter_and_begin_again_after_stability() {
    let mut engine = engine(&vec![vec![]], Rules { failures: 100, ..rules() });
    engine.handle(Event::Begin, Duration::ZERO);
    for (count, least) in [0, 1, 2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
        let run = engine.unit(0).unwrap().run;
        let delay =
            delay_of(&engine.handle(exited(0, run), Duration::ZERO), Timer::Retry).unwrap_or_default();
        assert!(delay >= secs(least) && delay <= secs(least).mul_f64(1.25), "wait {count}: {delay:?}");
        engine.handle(Event::Timer { unit: 0, run, timer: Timer::Retry }, Duration::ZERO);
    }
    let run = engine.unit(0).unwrap().run;
    engine.handle(Event::Ready { unit: 0, run }, Duration::ZERO);
    engine.handle(Event::Timer { unit: 0, run, timer: Timer::Stable }, secs(60));
    assert_eq!(delay_of(&engine.handle(exited(0, run), secs(61)), Timer::Retry), None, "at once");
    assert_eq!(engine.unit(0).unwrap().phase, Phase::Starting);
}

#[test]
fn exit_78_locks_at_once_and_unlock_starts() {
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    let commands = engine.handle(Event::Exited { unit: 0, run: 1, exit: Exit::Code(78) }, secs(1));
    assert!(commands.iter().any(is_lock));
    assert_eq!(engine.unit(0).unwrap().phase, Phase::Locked);
    assert!(engine.handle(Event::Start { unit: 0 }, secs(2)).is_empty(), "only unlock unlocks");
    let commands = engine.handle(Event::Unlock { unit: 0 }, secs(3));
    assert!(commands.contains(&Command::Unlocked { unit: 0 }));
    assert!(commands.contains(&Command::Spawn { unit: 0, run: 2 }));
    assert_eq!(engine.failures(0, secs(3)), 0, "the breaker starts afresh");
}

#[test]
fn a_unit_that_was_locked_before_stays_locked_and_its_dependants_wait() {
    let locked = Past { locked: true, ..Past::default() };
    let members = vec![
        (member(vec![]), locked),
        (member(vec![(0, Bond::Needs)]), Past::default()),
        (member(vec![]), Past::default()),
    ];
    let mut engine = Engine::new(members, rules(), 1, Duration::ZERO);
    let commands = engine.handle(Event::Begin, Duration::ZERO);
    let spawned: Vec<_> =
        commands.iter().filter(|command| matches!(command, Command::Spawn { .. })).collect();
    assert_eq!(spawned, [&Command::Spawn { unit: 2, run: 1 }]);
    assert_eq!(engine.missing(1).collect::<Vec<_>>(), [0]);
    engine.handle(Event::Unlock { unit: 0 }, secs(5));
    let commands = engine.handle(Event::Ready { unit: 0, run: 1 }, secs(6));
    assert!(
        commands.contains(&Command::Spawn { unit: 1, run: 1 }),
        "it starts by itself when what it needs returns"
    );
}

#[test]
fn a_late_word_from_an_earlier_process_is_ignored() {
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    engine.handle(exited(0, 1), secs(1));
    assert_eq!(engine.unit(0).unwrap().run, 2);
    assert!(engine.handle(Event::Ready { unit: 0, run: 1 }, secs(1)).is_empty());
    assert!(engine.handle(exited(0, 1), secs(1)).is_empty());
    assert!(engine.handle(Event::Timer { unit: 0, run: 1, timer: Timer::Start }, secs(60)).is_empty());
}

#[test]
fn a_unit_that_never_becomes_ready_has_failed() {
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    let commands = engine.handle(Event::Timer { unit: 0, run: 1, timer: Timer::Start }, secs(60));
    assert!(commands.contains(&Command::Terminate { unit: 0, run: 1 }));
    let commands = engine.handle(Event::Timer { unit: 0, run: 1, timer: Timer::Grace }, secs(70));
    assert!(commands.contains(&Command::Kill { unit: 0, run: 1 }));
    let commands = engine.handle(Event::Exited { unit: 0, run: 1, exit: Exit::Signal(9) }, secs(70));
    assert!(commands.contains(&Command::Spawn { unit: 0, run: 2 }));
    assert_eq!(engine.failures(0, secs(70)), 1);
    assert_eq!(engine.unit(0).unwrap().last_exit, Some(Exit::Overdue));
}

#[test]
fn stop_start_and_restart() {
    let phase = |engine: &Engine| engine.unit(0).unwrap().phase;
    let mut engine = engine(&vec![vec![]], rules());
    engine.handle(Event::Begin, Duration::ZERO);
    engine.handle(Event::Ready { unit: 0, run: 1 }, secs(1));
    engine.handle(Event::Stop { unit: 0 }, secs(2));
    assert_eq!(phase(&engine), Phase::Stopping);
    assert!(
        engine.handle(exited(0, 1), secs(3)).iter().all(|command| !matches!(command, Command::Spawn { .. }))
    );
    assert_eq!(phase(&engine), Phase::Stopped);
    assert_eq!(engine.failures(0, secs(3)), 0, "to stop is not to fail");
    engine.handle(Event::Start { unit: 0 }, secs(4));
    assert_eq!(phase(&engine), Phase::Starting);
    engine.handle(Event::Ready { unit: 0, run: 2 }, secs(4));
    engine.handle(Event::Restart { unit: 0 }, secs(5));
    assert!(engine.handle(exited(0, 2), secs(6)).contains(&Command::Spawn { unit: 0, run: 3 }));
    engine.handle(Event::Stop { unit: 0 }, secs(7));
    engine.handle(Event::Start { unit: 0 }, secs(8));
    assert!(
        engine.handle(exited(0, 3), secs(9)).contains(&Command::Spawn { unit: 0, run: 4 }),
        "the last word counts"
    );
}

#[test]
fn c4_what_requires_it_ends_first_and_comes_back_by_itself_the_rest_is_left_alone() {
    // base ← hard ← harder; soft wants base, later comes after it.
    let mut engine = of(vec![
        member(vec![]),
        member(vec![(0, Bond::Requires)]),
        member(vec![(1, Bond::Requires)]),
        member(vec![(0, Bond::Wants)]),
        member(vec![(0, Bond::After)]),
    ]);
    assert_eq!(spawned(&engine.handle(Event::Begin, secs(0))), [0]);
    assert_eq!(spawned(&ready(&mut engine, 0)), [1, 3, 4]);
    for unit in [1, 3, 4, 2] {
        ready(&mut engine, unit);
    }
    // It crashes: it is started again at once, and those that require it end, the farthest first.
    let commands = ends(&mut engine, 0, Exit::Signal(9));
    assert_eq!((spawned(&commands), terminated(&commands)), (vec![0], vec![2]));
    assert_eq!(engine.missing(1).collect::<Vec<_>>(), [0]);
    let commands = ready(&mut engine, 0);
    assert_eq!(
        (spawned(&commands), terminated(&commands)),
        (vec![], vec![]),
        "the one between still waits for the farthest"
    );
    assert_eq!(terminated(&ends(&mut engine, 2, Exit::Signal(15))), [1], "however soon it is back");
    assert_eq!(spawned(&ends(&mut engine, 1, Exit::Signal(15))), [1]);
    assert_eq!(spawned(&ready(&mut engine, 1)), [2]);
    ready(&mut engine, 2);
    assert_eq!(phases(&engine), [Phase::Ready; 5]);
    assert_eq!(
        (engine.failures(1, secs(1)), engine.failures(2, secs(1))),
        (0, 0),
        "to be ended is not to fail"
    );
    // Stopped by a person: in reverse order, and all of them back when it is.
    assert_eq!(terminated(&engine.handle(Event::Stop { unit: 0 }, secs(2))), [2]);
    assert_eq!(terminated(&ends(&mut engine, 2, Exit::Signal(15))), [1]);
    assert_eq!(terminated(&ends(&mut engine, 1, Exit::Signal(15))), [0]);
    ends(&mut engine, 0, Exit::Signal(15));
    assert_eq!(phases(&engine), [Phase::Stopped, Phase::Waiting, Phase::Waiting, Phase::Ready, Phase::Ready]);
    engine.handle(Event::Start { unit: 0 }, secs(3));
    assert_eq!(spawned(&ready(&mut engine, 0)), [1]);
    assert_eq!(spawned(&ready(&mut engine, 1)), [2]);
}

#[test]
fn c4_a_requirement_that_stays_away_takes_its_dependants_along_until_it_is_unlocked() {
    let mut engine = of(vec![member(vec![]), member(vec![(0, Bond::Requires)])]);
    engine.handle(Event::Begin, secs(0));
    ready(&mut engine, 0);
    ready(&mut engine, 1);
    let commands = ends(&mut engine, 0, Exit::Code(78));
    assert_eq!(terminated(&commands), [1]);
    ends(&mut engine, 1, Exit::Signal(15));
    assert_eq!(phases(&engine), [Phase::Locked, Phase::Waiting]);
    engine.handle(Event::Unlock { unit: 0 }, secs(2));
    assert_eq!(spawned(&ready(&mut engine, 0)), [1]);
}

#[test]
fn what_is_only_wanted_is_waited_for_while_it_comes_and_not_when_it_has_failed() {
    let mut engine = of(vec![member(vec![]), member(vec![(0, Bond::Wants)]), member(vec![(1, Bond::Wants)])]);
    assert_eq!(spawned(&engine.handle(Event::Begin, secs(0))), [0]);
    assert_eq!(engine.missing(1).collect::<Vec<_>>(), [0]);
    ends(&mut engine, 0, Exit::Code(1));
    let commands = ends(&mut engine, 0, Exit::Code(1));
    assert_eq!(engine.unit(0).unwrap().phase, Phase::BackingOff);
    assert_eq!(spawned(&commands), [1], "it is started without");
}

#[test]
fn c3_after_unlocking_there_is_one_trial_and_a_cool_down_gives_one_too() {
    let rules = Rules { cool_down: Some(secs(3600)), ..rules() };
    let mut engine = Engine::new(vec![(member(vec![]), Past::default())], rules, 7, secs(0));
    engine.handle(Event::Begin, secs(0));
    let commands = ends(&mut engine, 0, Exit::Code(78));
    assert_eq!(delay_of(&commands, Timer::CoolDown), Some(secs(3600)));
    let commands = engine.handle(Event::Timer { unit: 0, run: 1, timer: Timer::CoolDown }, secs(3600));
    assert_eq!(spawned(&commands), [0]);
    assert!(commands.contains(&Command::Unlocked { unit: 0 }));
    let commands = ends(&mut engine, 0, Exit::Code(1));
    assert!(
        commands
            .iter()
            .any(|command| matches!(command, Command::Lock { reason, .. } if reason.contains("once more")))
    );
    engine.handle(Event::Unlock { unit: 0 }, secs(3700));
    ready(&mut engine, 0);
    let run = engine.unit(0).unwrap().run;
    engine.handle(Event::Timer { unit: 0, run, timer: Timer::Stable }, secs(3800));
    assert!(
        !ends(&mut engine, 0, Exit::Code(1)).iter().any(is_lock),
        "it has shown that it works: the breaker is closed"
    );
}

#[test]
fn c3_failures_count_on_through_the_supervisors_own_restart() {
    let mut engine = of(vec![member(vec![])]);
    engine.handle(Event::Begin, secs(100));
    for at in [100, 200, 300, 400] {
        let run = engine.unit(0).unwrap().run;
        assert!(!engine.handle(exited(0, run), secs(at)).iter().any(is_lock));
        engine.handle(Event::Timer { unit: 0, run, timer: Timer::Retry }, secs(at));
    }
    let past = engine.past(0, secs(450));
    assert_eq!(past.failures, [secs(350), secs(250), secs(150), secs(50)]);
    let again = |now: Duration, age: Duration| {
        let past =
            Past { failures: past.failures.iter().map(|failure| *failure + age).collect(), ..past.clone() };
        let mut engine = Engine::new(vec![(member(vec![]), past)], rules(), 7, now);
        engine.handle(Event::Begin, now);
        engine.handle(exited(0, 1), now).iter().any(is_lock)
    };
    assert!(again(secs(5000), secs(10)), "the fifth within ten minutes");
    assert!(!again(secs(5000), secs(250)), "the first is ten minutes ago");
}

#[test]
fn jobs_run_once_and_are_never_healed() {
    let mut engine =
        of(vec![job(Kind::OneShot, vec![]), member(vec![(0, Bond::Requires)]), job(Kind::OneShot, vec![])]);
    assert_eq!(spawned(&engine.handle(Event::Begin, secs(0))), [0, 2]);
    assert_eq!(phases(&engine), [Phase::Running, Phase::Waiting, Phase::Running]);
    let commands = ends(&mut engine, 0, Exit::Code(0));
    assert!(commands.contains(&Command::Finished { unit: 0, well: true }));
    assert_eq!(spawned(&commands), [1], "done is as good as ready");
    let commands = ends(&mut engine, 2, Exit::Code(1));
    assert!(
        commands.contains(&Command::Finished { unit: 2, well: false })
            && delay_of(&commands, Timer::Retry).is_none()
    );
    assert_eq!(phases(&engine), [Phase::Done, Phase::Starting, Phase::Failed]);
    assert_eq!(spawned(&engine.handle(Event::Start { unit: 2 }, secs(9))), [2], "a person may");
    let run = engine.unit(2).unwrap().run;
    assert_eq!(terminated(&engine.handle(Event::Timer { unit: 2, run, timer: Timer::Limit }, secs(40))), [2]);
    ends(&mut engine, 2, Exit::Signal(15));
    assert_eq!(engine.unit(2).unwrap().last_exit, Some(Exit::TooLong));
    assert_eq!(engine.unit(2).unwrap().phase, Phase::Failed);
}

#[test]
fn scheduled_jobs_wait_for_their_time_and_never_overlap() {
    let mut engine = of(vec![job(Kind::Scheduled, vec![])]);
    assert!(spawned(&engine.handle(Event::Begin, secs(0))).is_empty());
    assert_eq!(phases(&engine), [Phase::Scheduled]);
    assert_eq!(spawned(&engine.handle(Event::Due { unit: 0 }, secs(1))), [0]);
    assert!(engine.handle(Event::Due { unit: 0 }, secs(2)).is_empty(), "it runs already");
    ends(&mut engine, 0, Exit::Code(0));
    assert_eq!(phases(&engine), [Phase::Scheduled]);
    engine.handle(Event::Due { unit: 0 }, secs(3));
    ends(&mut engine, 0, Exit::Code(2));
    assert_eq!(phases(&engine), [Phase::Failed]);
    assert_eq!(
        spawned(&engine.handle(Event::Due { unit: 0 }, secs(4))),
        [0],
        "its next time comes all the same"
    );
    engine.handle(Event::Stop { unit: 0 }, secs(5));
    ends(&mut engine, 0, Exit::Signal(15));
    assert_eq!(phases(&engine), [Phase::Stopped]);
    assert!(engine.handle(Event::Due { unit: 0 }, secs(6)).is_empty(), "its times pass while it is stopped");
    assert_eq!(spawned(&engine.handle(Event::Start { unit: 0 }, secs(7))), [0]);
    ends(&mut engine, 0, Exit::Code(0));
    assert_eq!(phases(&engine), [Phase::Scheduled]);
}

#[test]
fn a_reload_goes_in_order_and_each_waits_for_those_it_leans_on() {
    let mut engine = of(vec![member(vec![]), member(vec![(0, Bond::Needs)]), member(vec![(1, Bond::Needs)])]);
    engine.handle(Event::Begin, secs(0));
    for unit in 0..3 {
        ready(&mut engine, unit);
    }
    let commands = engine.handle(Event::Reload { units: vec![0, 1, 2] }, secs(2));
    assert_eq!(terminated(&commands), [0], "the others serve on");
    assert_eq!(spawned(&ends(&mut engine, 0, Exit::Signal(15))), [0]);
    assert_eq!(terminated(&ready(&mut engine, 0)), [1]);
    assert_eq!(spawned(&ends(&mut engine, 1, Exit::Signal(15))), [1]);
    assert_eq!(terminated(&ready(&mut engine, 1)), [2]);
    assert_eq!(spawned(&ends(&mut engine, 2, Exit::Signal(15))), [2]);
    assert!(terminated(&ready(&mut engine, 2)).is_empty());
    assert_eq!(phases(&engine), [Phase::Ready; 3]);
}

#[test]
fn another_file_touches_only_what_it_changes() {
    let mut engine = of(vec![
        member(vec![]),
        member(vec![(0, Bond::Requires)]),
        member(vec![]),
        member(vec![(2, Bond::Requires)]),
    ]);
    engine.handle(Event::Begin, secs(0));
    for unit in [0, 2, 1, 3] {
        ready(&mut engine, unit);
    }
    let shape = |member: Member, fate: Fate| Shape { member, fate };
    let commands = engine.reshape(
        vec![
            shape(member(vec![]), Fate::Changed),
            shape(member(vec![(0, Bond::Requires)]), Fate::Same),
            shape(member(vec![]), Fate::Gone),
            shape(member(vec![]), Fate::Gone),
            shape(member(vec![(0, Bond::After)]), Fate::New),
        ],
        secs(2),
    );
    assert_eq!(
        terminated(&commands),
        [1, 3],
        "what requires the changed one, and the farthest of those that go"
    );
    assert_eq!(spawned(&commands), [4]);
    assert_eq!(terminated(&ends(&mut engine, 3, Exit::Signal(15))), [2]);
    ends(&mut engine, 2, Exit::Signal(15));
    assert!(engine.unit(2).unwrap().gone && phases(&engine)[2..4] == [Phase::Stopped; 2]);
    assert_eq!(terminated(&ends(&mut engine, 1, Exit::Signal(15))), [0]);
    assert_eq!(spawned(&ends(&mut engine, 0, Exit::Signal(15))), [0]);
    assert_eq!(spawned(&ready(&mut engine, 0)), [1]);
    // It is declared again.
    let same = |engine: &Engine| -> Vec<Shape> {
        engine
            .units
            .iter()
            .map(|unit| shape(unit.member.clone(), if unit.gone { Fate::Gone } else { Fate::Same }))
            .collect()
    };
    let mut shapes = same(&engine);
    shapes[2].fate = Fate::Changed;
    assert_eq!(spawned(&engine.reshape(shapes, secs(3))), [2]);
}
